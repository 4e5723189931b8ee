"""One reader at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidings.sources.sqlite.readerlock import ReaderLock


def test_only_one_can_have_it(tmp_path: Path) -> None:
    one, two = (ReaderLock(str(tmp_path / "a.db")) for _ in range(2))
    assert one.acquire()
    assert one.acquire()
    assert not two.acquire()
    one.release()
    assert two.acquire()
    two.release()
    two.release()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ReaderLock(str(tmp_path / "none" / "a.db")).acquire()
