"""Opening the file: durable settings, readers that cannot write, no waiting for a long log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tidings.engines.sqlite import files as module
from tidings.engines.sqlite.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = Files(str(tmp_path / "log.db"))
    yield files
    files.close()


def test_commits_are_forced_to_disk(files: Files) -> None:
    assert files.writer.pragma("journal_mode") == "wal"
    assert files.writer.pragma("synchronous") == 2


def test_readers_cannot_write(files: Files) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        files.readers[0].execute("DELETE FROM messages")


def test_a_file_moved_away_is_noticed(files: Files, tmp_path: Path) -> None:
    assert not files.replaced()
    (tmp_path / "log.db").rename(tmp_path / "moved.db")
    assert files.replaced()
    (tmp_path / "log.db").write_bytes(b"")
    assert files.replaced()


def test_an_epoch_stays_with_the_file(tmp_path: Path) -> None:
    epochs = []
    for _ in range(2):
        files = Files(str(tmp_path / "log.db"))
        epochs.append(files.epoch)
        files.close()
    assert epochs[0] == epochs[1]


def test_a_large_file_is_checked_at_its_ends_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHECK_BYTES", 0)
    Files(str(tmp_path / "log.db")).close()
    Files(str(tmp_path / "log.db")).close()
