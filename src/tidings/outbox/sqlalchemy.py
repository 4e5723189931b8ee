"""The outbox in a SQLAlchemy session: staged like any object, written by its flush. Knows nothing of who reads it.

The session's own unit of work does the bookkeeping: what is staged is written in order inside the session's
transaction, and goes with a rollback, a rolled-back savepoint or a failed flush.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.event import listens_for
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.orm import Session, registry, scoped_session

from tidings.errors import ConfigError
from tidings.messages import Entity
from tidings.outbox.table import PREFIX, TABLE, Dialect, Staged, drop_statements, stage, statements

AnySession = Session | scoped_session[Session] | AsyncSession | async_scoped_session[AsyncSession]
"""What `publish` takes: a session of either kind, or the registry that hands one out."""

OURS: Final = ("_tidings_", TABLE)
"""Beginnings of the names of tables that are not the application's."""

metadata = MetaData()
"""Holds the outbox alone; `create_all` makes the table with its trigger, on Postgres the SQL functions too."""

outbox_table = Table(
    TABLE,
    metadata,
    Column("id", BigInteger().with_variant(Integer(), "sqlite"), Identity(), primary_key=True),
    Column("channel", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("data", Text, nullable=False, server_default=text("'null'")),
    Column("keys", Text),
    Column("entity", Text),
    Column("origin", Text),
    Column("created", DateTime(timezone=True), nullable=False, server_default=func.current_timestamp()),
    # Or every row would get the number 1, and two of them in one session be taken for the same object.
    sqlite_autoincrement=True,
)


class OutboxRow:
    """A staged message, as `publish` makes it. Its name is for `binds` of a session with several databases."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            setattr(self, name, value)


# The row is gone when its flush ends, so nothing of it may be fetched later: `created` is not mapped at all.
registry(metadata=metadata).map_imperatively(
    OutboxRow, outbox_table, exclude_properties=["created"], eager_defaults=False, confirm_deleted_rows=False
)


def publish(
    session: AnySession,
    channel: str,
    event: str,
    data: Any = None,
    *,
    keys: Iterable[Sequence[Any]] = (),
    entity: Entity | Mapping[str, Any] | None = None,
    mutation: str | None = None,
    skip: str | None = None,
) -> None:
    """Stage a message in the session: it is told once the session's transaction commits, and never if it does not.

    Messages are told in the order they were staged. data: anything JSON can hold, or a model with `model_dump_json`.
    keys: query keys that clients invalidate. entity: what it is about. mutation: the sender's own id of this write.
    skip: socket id of the connection that does not get it.
    Raises Refusal for a message that could not be told; TypeError for data that JSON cannot hold; ConfigError when the
    session writes to a database that has no outbox.

        publish(session, "project-42", "task-created", {"taskId": 7})
        await session.commit()
    """
    staged = stage(channel, event, data, keys=keys, entity=entity, mutation=mutation, skip=skip)
    plain = _plain(session)
    _dialect(plain)
    plain.add(OutboxRow(staged.row()))


def emit(
    session: Session | scoped_session[Session],
    channel: str,
    event: str,
    data: Any = None,
    *,
    keys: Iterable[Sequence[Any]] = (),
    entity: Entity | Mapping[str, Any] | None = None,
    mutation: str | None = None,
    skip: str | None = None,
) -> None:
    """Write a message into the log of Postgres, without a table, as part of the session's transaction.

    It speaks to the database at once, after a flush of what was staged before. With an AsyncSession:
    `await session.run_sync(emit, channel, event, data)`. Raises as `publish` does.
    """
    given: object = session
    if isinstance(given, AsyncSession | async_scoped_session):
        raise TypeError(
            "emit speaks to the database at once: await session.run_sync(emit, channel, event, data)"
        )
    staged = stage(channel, event, data, keys=keys, entity=entity, mutation=mutation, skip=skip)
    plain = _plain(session)
    if _dialect(plain) != "postgresql":
        raise ConfigError("emit needs Postgres; publish works on SQLite too")
    plain.flush()
    plain.execute(_emission(staged), bind_arguments={"mapper": OutboxRow})


def create_outbox(connection: Connection) -> None:
    """Make table, trigger and functions, where they are not there. Raises ConfigError on another database."""
    for statement in statements(_known(connection.dialect.name)):
        connection.exec_driver_sql(statement)


def upgrade_outbox(op: Any) -> None:
    """For a migration of Alembic: `def upgrade(): upgrade_outbox(op)`. Does no harm twice."""
    for statement in statements(_known(op.get_context().dialect.name)):
        op.execute(statement)


def downgrade_outbox(op: Any) -> None:
    """For a migration of Alembic: `def downgrade(): downgrade_outbox(op)`."""
    for statement in drop_statements(_known(op.get_context().dialect.name)):
        op.execute(statement)


def include_name(name: str | None, type_: str, parent_names: Mapping[str, Any]) -> bool:
    """For `context.configure(include_name=include_name)` of Alembic: autogenerate leaves our tables alone."""
    return type_ != "table" or not (name or "").startswith(OURS)


@listens_for(outbox_table, "after_create")
def _complete(table: Table, connection: Connection, **options: Any) -> None:
    create_outbox(connection)  # the table stands by now; the rest is made


@listens_for(outbox_table, "before_drop")
def _take_apart(table: Table, connection: Connection, **options: Any) -> None:
    for statement in drop_statements(_known(connection.dialect.name))[:-1]:  # the last one is about to come
        connection.exec_driver_sql(statement)


def _plain(session: AnySession) -> Session:
    if isinstance(session, scoped_session | async_scoped_session):
        session = session()
    return session.sync_session if isinstance(session, AsyncSession) else session


def _dialect(session: Session) -> Dialect:
    try:
        bind = session.get_bind(OutboxRow)
    except UnboundExecutionError as error:
        raise ConfigError(
            "the session does not know the outbox's database; name it as binds={..., OutboxRow: engine}"
        ) from error
    return _known(bind.dialect.name)


def _known(name: str) -> Dialect:
    if name not in ("postgresql", "sqlite"):
        raise ConfigError(
            f"the outbox works in SQLite and Postgres, and this database is {name}; "
            "publish after the commit, through the HTTP API, or bind OutboxRow to a database of these two"
        )
    return cast(Dialect, name)


def _emission(staged: Staged) -> Select[Any]:
    content = literal(staged.emitted(), LargeBinary)
    return select(func.pg_logical_emit_message(True, PREFIX, content))
