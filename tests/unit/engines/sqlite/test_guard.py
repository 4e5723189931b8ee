"""The guard: one at a time, free again whatever ended the holder, and the mark of how far the log had come."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.engines.sqlite.guard import Guard
from tidings.errors import EngineError


def test_only_one_holds_it(tmp_path: Path) -> None:
    path = str(tmp_path / "log.db")
    first = Guard(path)
    with pytest.raises(EngineError, match=r"log\.db is in use"):
        Guard(path)
    first.release()
    first.release()
    Guard(path).release()


def test_the_mark_is_what_was_written_last(tmp_path: Path) -> None:
    guard = Guard(str(tmp_path / "log.db"))
    assert guard.read() is None
    guard.write("0000000a", 5)
    guard.write("0000000a", 123_456)
    assert guard.read() == ("0000000a", 123_456)
    guard.release()


def test_an_unreadable_mark_is_none(tmp_path: Path) -> None:
    (tmp_path / "log.db-lock").write_bytes(b"torn")
    guard = Guard(str(tmp_path / "log.db"))
    assert guard.read() is None
    guard.release()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be made"):
        Guard(str(tmp_path / "nowhere" / "log.db"))
