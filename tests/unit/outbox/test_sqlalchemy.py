"""What is particular to SQLAlchemy: kinds of sessions, the unit of work, the tables, Alembic."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Engine, Integer, MetaData, Table, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from tests.fixtures.fix_postgres import Database
from tests.outbox.logs import PostgresLog, SqliteLog
from tests.outbox.rigs import address, real_transactions
from tidings.errors import ConfigError
from tidings.outbox.ddl import ddl
from tidings.outbox.sqlalchemy import (
    OutboxRow,
    create_outbox,
    downgrade_outbox,
    emit,
    include_name,
    metadata,
    outbox_table,
    publish,
    upgrade_outbox,
)


@pytest.fixture
def log(tmp_path: Path) -> SqliteLog:
    return SqliteLog(tmp_path / "app.db")


@pytest.fixture
def engine(log: SqliteLog) -> Iterator[Engine]:
    engine = create_engine(log.url)
    real_transactions(engine)
    metadata.create_all(engine)
    log.begin()
    yield engine
    engine.dispose()


def events(log: SqliteLog) -> list[str]:
    return [staged.event for staged in log.told()]


@pytest.mark.parametrize("options", [{"autoflush": False}, {"expire_on_commit": False}, {}])
def test_a_session_commits_what_is_staged_alone(
    engine: Engine, log: SqliteLog, options: dict[str, Any]
) -> None:
    with Session(engine, **options) as session:
        publish(session, "a", "one")
        session.commit()
        publish(session, "a", "two")
        session.flush()
        session.rollback()
        publish(session, "a", "three")
        session.commit()
    assert events(log) == ["one", "three"]


def test_staged_before_a_savepoint_and_flushed_within_it_stays(engine: Engine, log: SqliteLog) -> None:
    """begin_nested flushes first, with autoflush off too."""
    with Session(engine, autoflush=False) as session:
        publish(session, "a", "before")
        nested = session.begin_nested()
        session.flush()
        publish(session, "a", "pending inside")
        nested.rollback()
        session.commit()
    assert events(log) == ["before"]


def test_a_session_as_a_block(engine: Engine, log: SqliteLog) -> None:
    with Session(engine) as session, session.begin():
        publish(session, "a", "kept")
    with contextlib.suppress(KeyError), Session(engine) as session, session.begin():
        publish(session, "a", "gone")
        raise KeyError
    with Session(engine) as session:
        publish(session, "a", "left")  # closed without a commit
    assert events(log) == ["kept"]


def test_a_failed_flush_takes_the_message_along(engine: Engine, log: SqliteLog) -> None:
    with Session(engine) as session:
        publish(session, "a", "gone")
        session.flush()
        with pytest.raises(IntegrityError):
            session.execute(text("INSERT INTO notes (body) VALUES (NULL)"))
        session.rollback()
        publish(session, "a", "kept")
        session.commit()
    assert events(log) == ["kept"]


def test_registries_hand_out_their_session(engine: Engine, log: SqliteLog) -> None:
    registry = scoped_session(sessionmaker(engine))
    publish(registry, "a", "scoped")
    registry.commit()
    registry.remove()
    assert events(log) == ["scoped"]


async def test_asynchronous_sessions_and_their_registries(engine: Engine, log: SqliteLog) -> None:
    asynchronous = create_async_engine(address(log.url, "sqlite+aiosqlite:"))
    async with AsyncSession(asynchronous) as session, session.begin():
        publish(session, "a", "plain")
    registry = async_scoped_session(async_sessionmaker(asynchronous), scopefunc=lambda: 1)
    publish(registry, "a", "scoped")
    await registry.commit()
    await registry.remove()
    await asynchronous.dispose()
    assert events(log) == ["plain", "scoped"]


def test_nothing_is_kept_alive_and_the_swept_row_is_never_asked_for(engine: Engine, log: SqliteLog) -> None:
    with Session(engine) as session:
        for at in range(3):
            publish(session, "a", f"e-{at}")
        staged = [weakref.ref(row) for row in session.new]
        session.flush()
        gc.collect()
        assert [row() for row in staged] == [None] * 3
        assert not list(session.identity_map.values())
        session.expire_all()
        session.commit()
        assert session.query(OutboxRow).count() == 0
    assert events(log) == ["e-0", "e-1", "e-2"]


def test_a_row_that_somebody_holds_troubles_nobody(engine: Engine, log: SqliteLog) -> None:
    with Session(engine) as session:
        publish(session, "a", "one")
        held = list(session.new)
        session.flush()
        publish(session, "a", "two")
        session.commit()
        assert len(held) == 1
        publish(session, "a", "three")
        session.commit()
    assert events(log) == ["one", "two", "three"]


class Elsewhere(Session):
    """A session on a database that we do not know."""

    def get_bind(self, *args: Any, **options: Any) -> Any:
        return SimpleNamespace(dialect=SimpleNamespace(name="mysql"))


def test_a_database_without_an_outbox_is_told_what_to_do() -> None:
    session = Elsewhere()
    with pytest.raises(ConfigError, match=r"SQLite and Postgres, and this database is mysql; publish after"):
        publish(session, "a", "e")
    assert not session.new


def test_a_session_of_several_databases_is_told_what_it_lacks(engine: Engine, log: SqliteLog) -> None:
    with pytest.raises(ConfigError, match="OutboxRow: engine"):
        publish(Session(binds={Table("other", MetaData(), Column("id", Integer)): engine}), "a", "e")
    with Session(binds={OutboxRow: engine}) as session:
        publish(session, "a", "bound")
        session.commit()
    assert events(log) == ["bound"]


def test_emit_needs_postgres_and_a_session_that_waits(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(ConfigError, match="emit needs Postgres"):
        emit(session, "a", "e")
    with pytest.raises(TypeError, match=r"await session\.run_sync\(emit"):
        emit(AsyncSession(), "a", "e")  # type: ignore[arg-type]


# ── tables and migrations


def test_create_all_makes_what_the_sql_makes(tmp_path: Path) -> None:
    def shape(engine: Engine) -> Any:
        columns = inspect(engine).get_columns("tidings_outbox")
        return [{**column, "type": str(column["type"])} for column in columns]

    ours, plain = (create_engine(f"sqlite:///{tmp_path / name}") for name in ("ours.db", "plain.db"))
    metadata.create_all(ours)
    with plain.begin() as connection:
        create_outbox(connection)
    assert shape(ours) == shape(plain)
    metadata.drop_all(ours)
    assert inspect(ours).get_table_names() == ["sqlite_sequence"] or inspect(ours).get_table_names() == []
    for engine in (ours, plain):
        engine.dispose()


def test_create_all_and_drop_all_on_postgres(postgres: Database) -> None:
    def made() -> list[tuple[Any, ...]]:
        return postgres.rows(
            "SELECT column_name, data_type, is_nullable, column_default, is_identity FROM information_schema.columns "
            "WHERE table_name = 'tidings_outbox' ORDER BY ordinal_position"
        ) + postgres.rows("SELECT proname FROM pg_proc WHERE proname LIKE 'tidings%' ORDER BY 1")

    engine = create_engine(address(postgres.url, ""))
    metadata.create_all(engine)
    by_sqlalchemy = made()
    metadata.drop_all(engine)
    assert made() == []
    postgres.run(ddl("postgresql"))
    assert made() == by_sqlalchemy
    engine.dispose()


def test_alembic_makes_it_removes_it_and_leaves_ours_alone(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'app.db'}")
    with engine.begin() as connection:
        migration = MigrationContext.configure(connection, opts={"include_name": include_name})
        operations = Operations(migration)
        upgrade_outbox(operations)
        upgrade_outbox(operations)
        connection.execute(text("CREATE TABLE _tidings_changes (seq INTEGER)"))
        connection.execute(text("CREATE TABLE strays (id INTEGER)"))
        connection.execute(text("INSERT INTO tidings_outbox (channel, event) VALUES ('a', 'e')"))
        assert connection.execute(text("SELECT count(*) FROM tidings_outbox")).scalar() == 0
        found = compare_metadata(migration, MetaData())
        assert [(what, table.name) for what, table in found] == [("remove_table", "strays")]
        downgrade_outbox(operations)
        assert "tidings_outbox" not in inspect(connection).get_table_names()
    engine.dispose()


def test_alembic_on_postgres(postgres: Database) -> None:
    engine = create_engine(address(postgres.url, ""))
    with engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        upgrade_outbox(operations)
        connection.execute(text("SELECT tidings_publish('a', 'e')"))
        downgrade_outbox(operations)
        assert inspect(connection).get_table_names() == []
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "kind", "included"),
    [
        ("tidings_outbox", "table", False),
        ("_tidings_meta", "table", False),
        ("orders", "table", True),
        (None, "schema", True),
        ("_tidings_x", "index", True),
    ],
)
def test_autogenerate_sees_the_applications_own_names(name: str | None, kind: str, included: bool) -> None:
    assert include_name(name, kind, {}) is included


def test_the_class_is_mapped_to_the_table_alone() -> None:
    assert inspect(OutboxRow).local_table is outbox_table
    assert "created" not in inspect(OutboxRow).columns


def test_two_sessions_and_one_log_on_postgres(postgres: Database) -> None:
    """A session with several staged messages asks for their numbers in one statement; that keeps their order."""
    log = PostgresLog(postgres)
    engine = create_engine(address(postgres.url, ""))
    metadata.create_all(engine)
    log.begin()
    with Session(engine) as session:
        for at in range(30):
            publish(session, "a", f"e-{at}", at)
        session.commit()
    engine.dispose()
    assert [staged.event for staged in log.told()] == [f"e-{at}" for at in range(30)]
