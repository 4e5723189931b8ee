"""The port of sources: what a source that stands alone is told, and who can give snapshots."""

from __future__ import annotations

from pathlib import Path

from tidings.sources.base import SnapshotSource, no_progress
from tidings.sources.sqlite import SqliteSource


async def test_a_source_that_stands_alone_has_published_nothing() -> None:
    assert await no_progress() is None


async def test_a_source_whose_tables_can_be_read_is_known_by_its_form(tmp_path: Path) -> None:
    source = SqliteSource(tmp_path / "app.db", ["t"], create=True)
    assert isinstance(source, SnapshotSource)
    assert not isinstance(object(), SnapshotSource)
    await source.close()
