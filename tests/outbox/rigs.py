"""The same transaction spoken in SQLAlchemy, in its asynchronous sessions and in Django. Asserts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

from django.db import connections, transaction
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from tests.fixtures.fix_django import django_databases
from tidings.outbox import django as for_django
from tidings.outbox import sqlalchemy as for_sqlalchemy
from tidings.outbox.django.writing import create_outbox

NOTE = "INSERT INTO notes (body) VALUES ('{}')"


class Undo(Exception):
    """What an application raises to leave a block without its work."""


class Work(Protocol):
    """One open transaction."""

    def publish(self, channel: str, event: str, data: Any = None, **options: Any) -> None: ...

    def emit(self, channel: str, event: str, data: Any = None, **options: Any) -> None: ...

    def note(self, body: str) -> None:
        """Save something of the application's own. Raises when it is there already."""
        ...

    def savepoint(self, *, undo: bool = False) -> Any:
        """A nested transaction as a context manager; `undo` rolls it back at its end."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


class Rig(Protocol):
    """An application on one database."""

    def make(self) -> None:
        """Make the outbox, as this framework does."""
        ...

    def work(self) -> Work:
        """Begin a transaction, on a connection of its own."""
        ...

    def close(self) -> None: ...


def real_transactions(engine: Engine) -> None:
    """Let SQLAlchemy begin SQLite's transactions: Python's driver would leave savepoints outside of them."""

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")


def address(url: str, sqlite: str) -> str:
    """A database's URL with the driver that SQLAlchemy is to use."""
    return url.replace("sqlite:", sqlite, 1).replace("postgresql:", "postgresql+psycopg:", 1)


class SyncWork:
    """A Session."""

    def __init__(self, engine: Engine) -> None:
        self._session = Session(engine)

    def publish(self, channel: str, event: str, data: Any = None, **options: Any) -> None:
        for_sqlalchemy.publish(self._session, channel, event, data, **options)

    def emit(self, channel: str, event: str, data: Any = None, **options: Any) -> None:
        for_sqlalchemy.emit(self._session, channel, event, data, **options)

    def note(self, body: str) -> None:
        self._session.execute(text(NOTE.format(body)))

    @contextmanager
    def savepoint(self, *, undo: bool = False) -> Iterator[None]:
        nested = self._session.begin_nested()
        yield
        nested.rollback() if undo else nested.commit()

    def commit(self) -> None:
        with self._session:
            self._session.commit()

    def rollback(self) -> None:
        with self._session:
            self._session.rollback()


class SyncRig:
    """SQLAlchemy with a Session."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(address(url, "sqlite:"))
        if url.startswith("sqlite:"):
            real_transactions(self._engine)

    def make(self) -> None:
        for_sqlalchemy.metadata.create_all(self._engine)

    def work(self) -> Work:
        return SyncWork(self._engine)

    def close(self) -> None:
        self._engine.dispose()


class AsyncWork:
    """An AsyncSession, driven from outside."""

    def __init__(self, engine: AsyncEngine, runner: asyncio.Runner) -> None:
        self._session = AsyncSession(engine)
        self._runner = runner

    def publish(self, channel: str, event: str, data: Any = None, **options: Any) -> None:
        for_sqlalchemy.publish(self._session, channel, event, data, **options)

    def emit(self, channel: str, event: str, data: Any = None, **options: Any) -> None:
        self._runner.run(self._session.run_sync(for_sqlalchemy.emit, channel, event, data, **options))

    def note(self, body: str) -> None:
        self._runner.run(self._session.execute(text(NOTE.format(body))))

    @contextmanager
    def savepoint(self, *, undo: bool = False) -> Iterator[None]:
        async def begin() -> Any:
            return await self._session.begin_nested()

        nested = self._runner.run(begin())
        yield
        self._runner.run(nested.rollback() if undo else nested.commit())

    def commit(self) -> None:
        async def commit() -> None:
            async with self._session:
                await self._session.commit()

        self._runner.run(commit())

    def rollback(self) -> None:
        async def rollback() -> None:
            async with self._session:
                await self._session.rollback()

        self._runner.run(rollback())


class AsyncRig:
    """SQLAlchemy with an AsyncSession."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._engine = create_async_engine(address(url, "sqlite+aiosqlite:"))
        if url.startswith("sqlite:"):
            real_transactions(self._engine.sync_engine)

    def make(self) -> None:
        async def make() -> None:
            async with self._engine.begin() as connection:
                await connection.run_sync(for_sqlalchemy.metadata.create_all)

        self._runner.run(make())

    def work(self) -> Work:
        return AsyncWork(self._engine, self._runner)

    def close(self) -> None:
        self._runner.run(self._engine.dispose())
        self._runner.close()


class DjangoWork:
    """A block of `transaction.atomic` on one alias."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._block = transaction.atomic(using=alias)
        self._block.__enter__()

    def publish(self, channel: str, event: str, data: Any = None, **options: Any) -> None:
        for_django.publish(channel, event, data, using=self._alias, **options)

    def emit(self, channel: str, event: str, data: Any = None, **options: Any) -> None:
        for_django.emit(channel, event, data, using=self._alias, **options)

    def note(self, body: str) -> None:
        with connections[self._alias].cursor() as cursor:
            cursor.execute(NOTE.format(body))

    @contextmanager
    def savepoint(self, *, undo: bool = False) -> Iterator[None]:
        try:
            with transaction.atomic(using=self._alias):
                yield
                if undo:
                    raise Undo
        except Undo:
            pass

    def commit(self) -> None:
        self._block.__exit__(None, None, None)

    def rollback(self) -> None:
        self._block.__exit__(Undo, Undo(), None)


class DjangoRig:
    """Django with two aliases of one database: an alias is a connection, and two are needed to cross."""

    ALIASES = ("first", "second")

    def __init__(self, url: str) -> None:
        self._stack = ExitStack()
        self._stack.enter_context(django_databases(**dict.fromkeys(self.ALIASES, url)))
        self._free = list(self.ALIASES)

    def make(self) -> None:
        with connections["first"].schema_editor() as editor:
            create_outbox(None, editor)

    def work(self) -> Work:
        alias = next(alias for alias in self.ALIASES if not connections[alias].in_atomic_block)
        return DjangoWork(alias)

    def close(self) -> None:
        self._stack.close()


RIGS: dict[str, type[Any]] = {"sqlalchemy": SyncRig, "sqlalchemy-async": AsyncRig, "django": DjangoRig}
