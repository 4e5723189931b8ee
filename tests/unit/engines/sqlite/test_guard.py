"""The guard: one at a time, free again whatever ended the holder, and the mark by which a log is known to go on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tidings.engines.sqlite.guard import MARK_BYTES, TOUCHED_SECONDS, Guard, Mark, identity, why_broken
from tidings.errors import EngineError

EPOCH, FILE = "0000000a", f"{7:016x}.{8:08x}"
MARK = Mark(EPOCH, 5, FILE, 1_800_000_000_000)


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "log.db").touch()
    return str(tmp_path / "log.db")


def test_only_one_holds_it(path: str) -> None:
    first = Guard(path)
    with pytest.raises(EngineError, match=r"log\.db is in use"):
        Guard(path)
    first.release()
    first.release()
    Guard(path).release()


def test_the_mark_is_what_was_written_last(path: str) -> None:
    guard = Guard(path)
    assert guard.read() is None
    guard.begin(EPOCH, 5)
    guard.write(EPOCH, 123_456)
    mark = guard.read()
    assert mark is not None
    assert (mark.epoch, mark.serial, mark.file) == (EPOCH, 123_456, identity(path))
    assert guard.check(EPOCH, 123_456) == ""
    assert len(mark.encode()) == MARK_BYTES
    guard.release()


@pytest.mark.parametrize("content", [b"torn", MARK.encode()[:-1], MARK.encode() + b"x"])
def test_an_unreadable_mark_is_none_and_written_whole_at_the_next_begin(path: str, content: bytes) -> None:
    Path(f"{path}-lock").write_bytes(content)
    guard = Guard(path)
    assert guard.read() is None
    guard.begin(EPOCH, 5)
    assert guard.check(EPOCH, 5) == ""
    guard.release()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be made"):
        Guard(str(tmp_path / "nowhere" / "log.db"))


def test_where_nothing_can_be_written_the_mark_that_stands_is_left(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard(path)
    guard.begin(EPOCH, 5)
    before = os.stat(guard.path)

    def full(*given: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    guard.begin(EPOCH, 6)
    assert os.stat(guard.path).st_mtime_ns == before.st_mtime_ns
    assert guard.check(EPOCH, 6) == ""
    monkeypatch.setattr(os, "pread", full)
    with pytest.raises(EngineError, match=r"log\.db-lock cannot be read"):
        guard.check(EPOCH, 6)
    guard.release()


# ── whether the log goes on


@pytest.mark.parametrize(
    ("mark", "why"),
    [
        (MARK, ""),
        (MARK._replace(serial=4), ""),  # the mark is not forced to disk, the log is
        (None, "missing or unreadable"),
        (MARK._replace(epoch="0000000b"), "of another log"),
        (MARK._replace(serial=6), "6 commits were noted and 5 are there"),
        (MARK._replace(file=f"{7:016x}.{9:08x}"), "a copy"),
    ],
)
def test_it_goes_on_only_as_the_file_that_was_noted_with_all_its_commits(mark: Mark | None, why: str) -> None:
    assert why in why_broken(mark, MARK.time / 1000, epoch=EPOCH, serial=5, file=FILE)
    assert (why == "") == (why_broken(mark, MARK.time / 1000, epoch=EPOCH, serial=5, file=FILE) == "")


def test_a_mark_that_was_written_over_is_seen_by_its_time() -> None:
    def broken(touched: float) -> str:
        return why_broken(MARK, touched, epoch=EPOCH, serial=5, file=FILE)

    assert broken(MARK.time / 1000 + TOUCHED_SECONDS - 1) == ""  # after a loss of power
    assert broken(MARK.time / 1000 - 86_400) == ""  # lazytime
    assert "somebody else" in broken(MARK.time / 1000 + TOUCHED_SECONDS + 1)


def test_a_file_is_known_through_renames_and_its_copies_are_not_it(path: str, tmp_path: Path) -> None:
    before = identity(path)
    moved = str(Path(path).rename(tmp_path / "moved"))
    assert identity(moved) == before
    if before.endswith(".00000000"):
        pytest.skip("this file system keeps no generations, so a number may come back at once")
    os.unlink(moved)
    Path(path).touch()  # often under the same number
    assert identity(path) != before
