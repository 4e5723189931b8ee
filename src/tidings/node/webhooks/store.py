"""The port of what keeps webhooks over a restart: a dictionary of texts to bytes. Holds no meaning of either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Store(Protocol):
    """Keeps what is not delivered. Used by one task at a time."""

    async def load(self) -> Sequence[tuple[str, bytes]]:
        """Open, and return all that is kept, in order of the keys. Raises EngineError when it cannot be used."""
        ...

    async def write(self, changes: Mapping[str, bytes | None]) -> None:
        """Keep and forget (None) in one step: all or nothing. It is kept when this returns.

        Raises EngineUnavailable; then nothing changed, and the same changes may be tried again.
        """
        ...

    async def close(self) -> None:
        """Let go. Idempotent."""
        ...
