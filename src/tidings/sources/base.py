"""The port of a change source. Holds the contract only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

import msgspec

from tidings.changes import Checkpoint, Transaction


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the source follows its database, and how far behind it is.

    lag: changes known to wait, when the source can tell. detail: what is wrong and what to do.
    """

    ok: bool
    detail: str = ""
    lag: int | None = None


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
        """The idempotency key of a transaction: `name:generation:value`, at most 128 printable ASCII characters.

        Ask when the transaction is taken, not later: a database that was replaced starts a new generation.
        """
        ...

    async def open(self) -> Mapping[str, Sequence[str]]:
        """Prepare the database and return its captured tables with their columns.

        Raises SourceError with the fix when the database cannot be captured.
        """
        ...

    def transactions(self) -> AsyncIterator[Transaction]: ...

    async def acknowledge(self, checkpoint: Checkpoint) -> None:
        """All up to here is in the log and may be forgotten."""
        ...

    async def close(self) -> None: ...

    def health(self) -> SourceHealth: ...
