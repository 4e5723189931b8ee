"""Errors of SQLite as sentences: each names the file, and what to do."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tidings.engines.sqlite.faults import FREE_BYTES, describe, free_bytes, is_common

PLENTY = FREE_BYTES * 100


@pytest.mark.parametrize(
    ("error", "word", "full", "final"),
    [
        (apsw.FullError("x"), "full", True, False),
        (apsw.BusyError("x"), "another program", False, False),
        (apsw.CorruptError("x"), "damaged", False, True),
        (apsw.NotADBError("x"), "damaged", False, True),
        (apsw.ReadOnlyError("x"), "cannot be written", False, False),
        (apsw.IOError("x"), "check the disk", False, False),
    ],
)
def test_what_an_error_means(error: apsw.Error, word: str, full: bool, final: bool) -> None:
    fault = describe(error, "/data/log.db", free=PLENTY)
    assert word in fault.text
    assert "/data/log.db" in fault.text
    assert (fault.full, fault.final) == (full, final)
    assert is_common(error)
    assert fault.error().full is full


def test_an_io_error_on_a_full_disk_is_told_as_full() -> None:
    assert describe(apsw.IOError("x"), "log.db", free=0).full


def test_a_failed_fsync_is_final() -> None:
    error = apsw.IOError("x")
    error.extendedresult = apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]
    assert describe(error, "log.db", free=PLENTY).final


def test_a_fault_of_what_is_written_is_not_one_of_the_disk() -> None:
    assert not is_common(TypeError("x"))
    assert not is_common(apsw.TooBigError("x"))


def test_free_space_is_that_of_the_files_disk(tmp_path: Path) -> None:
    assert free_bytes(str(tmp_path / "log.db")) > 0
    assert free_bytes(str(tmp_path / "nowhere" / "log.db")) == FREE_BYTES
