"""The durable embedded engine: the log in one SQLite file, on disk before a publish is acknowledged."""

from tidings.engines.sqlite.engine import SqliteEngine

__all__ = ["SqliteEngine"]
