"""The engines under test, by name. An engine that needs a server brings its own kit into `KITS`."""

from __future__ import annotations

from pathlib import Path

from tests.engines.harness import Clock, Kit, Options
from tidings.engines.base import Engine
from tidings.engines.memory import MemoryEngine
from tidings.engines.sqlite import SqliteEngine


class MemoryKit:
    """Each engine is a log of its own: nothing lasts."""

    lasting = False
    exact = True

    def __init__(self, folder: Path) -> None:
        self.clock, self.options = Clock(), Options()

    def make(self) -> Engine:
        return MemoryEngine(options=self.options, clock=self.clock)


class SqliteKit:
    """Every engine over one file."""

    lasting = True
    exact = True

    def __init__(self, folder: Path) -> None:
        self.clock, self.options = Clock(), Options()
        self.path = folder / "log.db"

    def make(self) -> Engine:
        return SqliteEngine(self.path, options=self.options, clock=self.clock)


KITS: dict[str, type[MemoryKit] | type[SqliteKit]] = {"memory": MemoryKit, "sqlite": SqliteKit}


def make_kit(name: str, folder: Path) -> Kit:
    """A kit with an empty store."""
    return KITS[name](folder)
