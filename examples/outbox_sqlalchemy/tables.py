"""The shop's tables and the engine on them. Knows nothing of requests."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tidings.outbox import sqlalchemy as outbox


class Base(DeclarativeBase):
    """The application's own tables."""


class Order(Base):
    """Something that was bought."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


class Redemption(Base):
    """A coupon that was used. The database itself lets each be used once."""

    __tablename__ = "redemptions"
    code: Mapped[str] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


def open_engine(url: str) -> AsyncEngine:
    """The engine for `sqlite:///file` or `postgresql://…`."""
    if not url.startswith("sqlite:"):
        return create_async_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:", 1))

    @event.listens_for(engine.sync_engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # or Python's driver would leave savepoints outside of transactions
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA busy_timeout = 20000")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


async def make_tables(engine: AsyncEngine) -> None:
    """Make what is missing. A real project does this in migrations: docs/how-to/outbox.md."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.run_sync(outbox.metadata.create_all)
