"""What is to be written down of the webhooks, until it is. Knows the kinds of what is kept, and decides nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import msgspec
from prometheus_client import Counter

from tidings.errors import EngineError
from tidings.node.webhooks.hold import Subject, decode_subject, encode_subject
from tidings.node.webhooks.letters import (
    DEAD,
    LETTER,
    LOSS,
    STANDING,
    Dead,
    Letter,
    decode_dead,
    decode_letter,
    encode,
)
from tidings.node.webhooks.store import Store

log = logging.getLogger(__name__)


class Kept(msgspec.Struct):
    """What a store held at the start, each kind in the order in which it was noted."""

    letters: list[Letter]
    dead: list[Dead]
    standing: list[Subject]

    @property
    def newest(self) -> int:
        """The highest number that was given."""
        numbers = [letter.number for letter in self.letters] + [dead.number for dead in self.dead]
        return max(numbers, default=0)


class Ledger:
    """Changes on their way to a store. failures: counts the writes that it refused."""

    def __init__(self, store: Store, failures: Counter) -> None:
        self._store = store
        self._failures = failures
        self._changes: dict[str, bytes | None] = {}
        self._writing = asyncio.Lock()
        self._refused = False

    def __len__(self) -> int:
        return len(self._changes)

    def put(self, kept: Letter | Dead) -> None:
        """Have it written down."""
        self._change(kept.key, encode(kept))

    def drop(self, kept: Iterable[Letter | Dead]) -> None:
        """Have them forgotten."""
        for one in kept:
            self._change(one.key, None)

    def note(self, subject: Subject, *, is_there: bool) -> None:
        """Have written down who was told of as there, or forgotten."""
        self._change(STANDING + encode_subject(subject), b"" if is_there else None)

    async def load(self) -> Kept:
        """Open the store and read what it holds. Raises EngineError."""
        kept = Kept([], [], [])
        for key, value in await self._store.load():
            if key.startswith(LETTER):
                kept.letters.append(decode_letter(value))
            elif key.startswith((DEAD, LOSS)):
                kept.dead.append(decode_dead(value))
            elif key.startswith(STANDING):
                kept.standing.append(decode_subject(key[len(STANDING) :]))
        kept.dead.sort(key=lambda one: one.number)
        return kept

    async def write(self) -> None:
        """Write down what changed. What cannot be written stays in memory, for the next time."""
        async with self._writing:
            if not self._changes:
                return
            changes, self._changes = self._changes, {}
            try:
                await self._store.write(changes)
            except EngineError as error:
                self._failures.inc()
                if not self._refused:
                    log.error("webhooks_not_kept", extra={"error": str(error)})
                self._refused = True
                self._take_back(changes)
            except (
                BaseException
            ):  # cancelled, or a fault of ours: writing again what was written does no harm
                self._take_back(changes)
                raise
            else:
                self._refused = False

    def _take_back(self, changes: dict[str, bytes | None]) -> None:
        newer, self._changes = self._changes, changes
        for key, value in newer.items():
            self._change(key, value)

    async def close(self) -> None:
        """Close the store."""
        await self._store.close()

    def _change(self, key: str, value: bytes | None) -> None:
        """To keep and to forget what is not yet written cancel out: while the store refuses, this must not grow.

        Only the statement of a loss is ever rewritten, so there the last word counts.
        """
        before = self._changes.get(key, value)
        if (before is None) == (value is None) or key.startswith(LOSS):
            self._changes[key] = value
        else:
            del self._changes[key]
