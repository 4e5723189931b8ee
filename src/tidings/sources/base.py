"""The port of a change source. Holds the contract only."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from tidings.changes import Checkpoint, Progress, Transaction


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the source follows its database, and how far behind it is.

    detail: what is wrong and what to do. None stands for what a source cannot tell:
    lag: changes known to wait. behind: bytes of the database's own log that it has written and we have not published.
    retained: bytes of its log that the database keeps for us. last_commit: time of the newest commit that was read, in
    milliseconds since the Unix epoch.
    """

    ok: bool
    detail: str = ""
    lag: int | None = None
    behind: int | None = None
    retained: int | None = None
    last_commit: int | None = None


class TableInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A table as rules see it. columns: those that changes tell. key: the primary key's. old: those that are told of a
    row as it was before it was changed or deleted. fix: what makes the database tell the others."""

    columns: tuple[str, ...]
    key: tuple[str, ...]
    old: tuple[str, ...]
    fix: str = ""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that a snapshot shall hold: those of a captured table whose columns have these values, written as text."""

    table: str
    equal: Mapping[str, str] = {}


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of several tables as they were after all commits up to a checkpoint, and before any other.

    rows: for each of the wanted, in their order: rows by primary key, each a JSON object, written as changes tell them.
    """

    generation: str
    checkpoint: Checkpoint
    rows: tuple[tuple[bytes, ...], ...]


ProgressOf = Callable[[], Awaitable[Progress | None]]
"""Asks the log how far it has a source's changes; None when it never had any. Raises EngineUnavailable."""


async def no_progress() -> Progress | None:
    """For a source that stands alone: nothing was ever published."""
    return None


class ChangeSource(Protocol):
    """Yields committed transactions in commit order and is told what has been safely published.

    Lifecycle: `open`, then `transactions` until cancelled, with `acknowledge` after each one was appended to the log;
    then `close`. A crash before `acknowledge` repeats a transaction as it was, the same changes under the same
    checkpoint, so that its `key` makes the repeat harmless; it never loses one. What cannot be told any more comes as
    a transaction with a `gap`, never as silence. Calling `transactions` again goes on after the last acknowledged.
    """

    name: str

    @property
    def generation(self) -> str:
        """One unbroken life of the source's numbering. Checkpoints of two generations cannot be compared."""
        ...

    def key(self, checkpoint: Checkpoint) -> str:
        """The idempotency key of a transaction: `name:generation:checkpoint`, as the source writes it, in at most 128
        printable ASCII characters.

        Ask when the transaction is taken, not later: a database that was replaced starts a new generation.
        """
        ...

    async def open(self, progress: ProgressOf = no_progress) -> Mapping[str, Sequence[str]]:
        """Prepare the database and return its captured tables with their columns.

        progress: asked each time the source begins to read. What it covers need not be told again; where the database
        cannot go on from there, a gap is told. The seals of the last transaction that had any are in it.
        Raises SourceError with the fix when the database cannot be captured.
        """
        ...

    def transactions(self) -> AsyncGenerator[Transaction, None]: ...

    async def acknowledge(self, checkpoint: Checkpoint) -> None:
        """All up to here is in the log and may be forgotten."""
        ...

    async def close(self) -> None: ...

    def health(self) -> SourceHealth: ...


@runtime_checkable
class SnapshotSource(Protocol):
    """What a source can do whose tables can be read at one of its checkpoints."""

    async def snapshot(self, wanted: Sequence[Wanted], *, most: int) -> Snapshot:
        """At most `most` + 1 rows for each of the wanted, all of one instant. Raises SourceError with the fix."""
        ...
