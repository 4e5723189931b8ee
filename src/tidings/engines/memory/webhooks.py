"""Webhooks that wait, in this process's memory: they end with it. Knows no webhook, only texts and bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class MemoryStore:
    """A `Store` for the memory engine. The same object used again after a stop has what was not delivered."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    async def load(self) -> Sequence[tuple[str, bytes]]:
        """All that is kept, in order of the keys."""
        return sorted(self._kept.items())

    async def write(self, changes: Mapping[str, bytes | None]) -> None:
        """Keep and forget (None)."""
        for key, value in changes.items():
            if value is None:
                self._kept.pop(key, None)
            else:
                self._kept[key] = value

    async def close(self) -> None:
        """Nothing to let go of."""
