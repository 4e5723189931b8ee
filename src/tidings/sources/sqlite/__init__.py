"""Capture of committed changes from an application's SQLite file. The class to use is `SqliteSource`."""

from __future__ import annotations

from tidings.sources.sqlite.source import SqliteSource

__all__ = ["SqliteSource"]
