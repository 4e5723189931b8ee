"""Following a captured file: when to look for commits, and what to do when the file makes trouble. Blocks.

Runs in one thread, call by call, and never gives up: each trouble is told in `health` and tried again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from tidings.changes import Progress, Transaction
from tidings.errors import SourceError
from tidings.sources.base import SourceHealth
from tidings.sources.sqlite.capture import MAX_BACKLOG, Capture
from tidings.sources.sqlite.driver import OLDEST, DatabaseError, Driver, chosen_sqlite
from tidings.sources.sqlite.reader import Reader, RecordBroken
from tidings.sources.sqlite.readerlock import ReaderLock
from tidings.sources.sqlite.troubles import explain, is_busy

log = structlog.get_logger("tidings.sources.sqlite")

POLL_SECONDS: Final = 0.01
"""Between looks at `PRAGMA data_version`, which costs some microseconds: a commit waits half of it on average."""

IDLE_FACTOR: Final = 2
"""How much slower to look when nothing has come for `IDLE_AFTER`."""

IDLE_AFTER: Final = 10.0
"""Seconds without a change after which the source counts as idle."""

SLICE_SECONDS: Final = 0.25
"""Longest stay in one call, so that closing and cancelling need no longer."""

FORGET_SECONDS: Final = 1.0
"""Between two writes of the acknowledgement. Each takes the application's write lock for a moment; a crash in
between repeats a second's transactions, which their keys make harmless."""

RETRY_SECONDS: Final = (0.05, 1.0)
"""First and longest wait after a trouble; doubled each time."""

STANDBY_SECONDS: Final = 0.5
"""Between tries to become the reader while another process is."""

LOCKED_SECONDS: Final = 2.0
"""How long the application may hold its lock before health says so: a long write is no fault."""

OPEN_SECONDS: Final = 5.0
"""How long `open` waits for a lock before it is an error."""


class Tailer:
    """Gives the transactions of one file, call by call, from one thread; only `acknowledge`, `stop` and `health` are
    for others."""

    def __init__(
        self,
        path: Path,
        tables: Sequence[str],
        *,
        create: bool,
        poll_seconds: float,
        max_backlog: int = MAX_BACKLOG,
        driver: Driver = "auto",
        clock: Callable[[], float],
    ) -> None:
        self._path = path
        self._tables = tuple(tables)
        self._create = create
        self._poll = poll_seconds
        self._max_backlog = max_backlog
        self._driver = driver
        self._clock = clock
        self._lock = ReaderLock(os.fspath(path))
        self._stop = threading.Event()
        self._capture: Capture | None = None
        self._reader: Reader | None = None
        self._acknowledged = ("", 0)
        self._news = True
        self._replaced = False
        self._standby = False
        self._tries = 0
        self._trouble = ""
        self._trouble_since: float | None = None
        self._active_at = clock()
        self._forget_at = clock() + FORGET_SECONDS
        self.generation = ""

    def open(self, progress: Progress | None = None) -> dict[str, tuple[str, ...]]:
        """Install the capture; returns the tables with the columns that changes carry. Raises SourceError.

        progress: how far the log has it. Where the two cannot both be right, one of them was put back to an earlier
        state, and all is told as a gap. Else it goes on from there: the file may have been told of less.
        """
        if progress is not None:
            self._acknowledged = (progress.generation, progress.checkpoint.value)
        until = self._clock() + OPEN_SECONDS
        if chosen_sqlite(self._driver) < OLDEST:
            raise SourceError(
                "capture needs SQLite 3.38 or later; use a newer Python, or a process of its own"
            )
        if not self._create and not self._path.exists():
            raise SourceError(
                f"there is no database {self._path}; correct the path, or set create=True for a new one"
            )
        while True:
            try:
                capture = self._opened(create=self._create, strict=not self._create)
                if why := _put_back(capture, progress):
                    capture.renew(why)
                    self.generation = capture.generation
                return {table: shape.told for table, shape in capture.shapes.items()}
            except (DatabaseError, OSError) as error:
                self._drop()
                if not is_busy(error) or self._clock() >= until:
                    raise SourceError(explain(error, self._path)) from error
                self._stop.wait(RETRY_SECONDS[0])
            except SourceError:
                self._drop()
                raise

    def rewind(self) -> None:
        """Go on after the last acknowledged transaction."""
        if self._reader is not None and self._reader.has_unwritten:
            self._written_down(self._reader)
        self._part_from_reader()

    def next(self) -> Transaction | None:
        """The next transaction; None when there was none within `SLICE_SECONDS`, or after `stop`."""
        until = self._clock() + SLICE_SECONDS
        while not self._stop.is_set():
            found, wait = self._try()
            if found is not None:
                return found
            if self._clock() >= until:
                return None
            self._stop.wait(wait)
        return None

    def acknowledge(self, value: int) -> None:
        reader = self._reader
        if reader is not None:
            reader.acknowledge(value)

    def stop(self) -> None:
        """Make `next` return soon."""
        self._stop.set()

    def close(self) -> None:
        """Write down what is acknowledged, then let go of the file."""
        if self._reader is not None and self._reader.has_unwritten:
            self._written_down(self._reader)
        self._drop()
        self._lock.release()

    def remove(self) -> None:
        """Take all that is ours out of the file. Raises SourceError."""
        try:
            self._opened(create=False, strict=False).remove()
        except (DatabaseError, OSError) as error:
            raise SourceError(explain(error, self._path)) from error
        finally:
            self._drop()

    def health(self) -> SourceHealth:
        reader = self._reader
        lag = reader.lag if reader is not None else None
        since = self._trouble_since
        if since is not None and self._clock() >= since:
            return SourceHealth(ok=False, detail=self._trouble, lag=lag)
        return SourceHealth(ok=True, detail=self._well_detail(), lag=lag)

    def _well_detail(self) -> str:
        if self._standby:
            return "another process reads this database; this one takes over when it ends"
        capture = self._capture
        absent = [] if capture is None else [table for table in self._tables if table not in capture.shapes]
        return f"not there, so not captured: {', '.join(absent)}" if absent else ""

    def _try(self) -> tuple[Transaction | None, float]:
        """Look once. Returns what was found and how many seconds to wait before the next look."""
        try:
            found = self._look()
        except (DatabaseError, OSError, SourceError) as error:
            if is_busy(error):
                return None, self._retry(explain(error, self._path), patience=LOCKED_SECONDS)
            self._drop()
            return None, self._retry(explain(error, self._path), patience=0.0)
        self._tries, self._trouble_since = 0, None
        if found is not None:
            self._active_at = self._clock()
        return found, self._pause()

    def _pause(self) -> float:
        if self._standby:
            return STANDBY_SECONDS
        return self._poll * (IDLE_FACTOR if self._clock() - self._active_at > IDLE_AFTER else 1)

    def _retry(self, text: str, *, patience: float) -> float:
        if self._trouble_since is None or (patience == 0.0 and self._trouble != text):
            self._trouble_since = self._clock() + patience
            log.warning("source_trouble", path=os.fspath(self._path), detail=text)
        self._trouble = text
        self._tries += 1
        first, longest = RETRY_SECONDS
        return min(longest, first * 2.0 ** min(self._tries - 1, 16))

    def _look(self) -> Transaction | None:
        self._let_go_if_moved()
        self._standby = not self._lock.acquire()
        if self._standby:
            return None
        capture = self._capture or self._opened(create=False, strict=False)
        reader = self._reader or self._begin(capture)
        try:
            if capture.has_news() or self._news:
                self._news = True  # until all of this has succeeded
                if capture.schema_changed():
                    capture.install()
                if capture.generation != reader.generation:
                    reader = self._begin(capture)
                reader.look()
                self._news = False
            if not reader.has_more or self._clock() > self._forget_at + FORGET_SECONDS:
                self._forget(reader)  # telling goes first, as long as there are pauses
            return reader.take() if reader.has_more else None
        except RecordBroken as broken:
            log.warning("source_record_broken", path=os.fspath(self._path), detail=str(broken))
            capture.renew(str(broken))
            self._begin(capture)
            return None

    def _let_go_if_moved(self) -> None:
        """Close the file when another one, or none, stands at its path: what we hold nobody writes any more."""
        if self._capture is None:
            return
        try:
            moved = os.stat(self._path).st_ino != self._capture.inode
        except FileNotFoundError:
            moved = True
        if moved:
            self._replaced = True
            self._drop()

    def _opened(self, *, create: bool, strict: bool) -> Capture:
        if not create:
            os.stat(self._path)  # SQLite's own error would not say that nothing is there
        capture = self._capture = self._capture or Capture(
            self._path, self._tables, create=create, max_backlog=self._max_backlog, driver=self._driver
        )
        capture.install(strict=strict)
        if self._replaced:  # even if the record in it looks right: a backup brings an old one with it
            capture.renew("the database file was replaced")
            self._replaced = False
        self.generation = capture.generation
        self._news = True
        return capture

    def _begin(self, capture: Capture) -> Reader:
        if capture.limit_backlog():
            log.warning("source_backlog_skipped", path=os.fspath(self._path), bound=self._max_backlog)
        self._part_from_reader()
        self._reader = Reader(capture)
        if self._acknowledged[0] == capture.generation:
            self._reader.resume_after(self._acknowledged[1])
        self.generation = capture.generation
        self._news = True
        return self._reader

    def _forget(self, reader: Reader) -> None:
        if not reader.has_unwritten or self._clock() < self._forget_at:
            return
        more = self._written_down(reader)
        self._forget_at = self._clock() + (0.0 if more else FORGET_SECONDS)

    def _written_down(self, reader: Reader) -> bool:
        """Write the acknowledgement; the application's lock goes first, then it is tried again later."""
        try:
            return reader.forget()
        except DatabaseError:
            return False

    def _part_from_reader(self) -> None:
        """Keep in mind what was acknowledged: the file may not have taken it, for want of the lock."""
        if self._reader is not None:
            self._acknowledged = (self._reader.generation, self._reader.acknowledged)
        self._reader = None

    def _drop(self) -> None:
        self._part_from_reader()
        capture, self._capture = self._capture, None
        if capture is not None:
            try:
                capture.close()
            except DatabaseError:
                pass  # the file is past saving; the next look opens it anew and tells what is wrong


def _put_back(capture: Capture, progress: Progress | None) -> str:
    """Why the record in the file and the log's progress cannot both be as they were left; empty when they can."""
    if progress is None:
        return ""
    if progress.generation != capture.generation:
        # A new record confirms nothing before the log has its first gap, and with it its generation.
        return "the log was put back to an earlier state" if capture.acknowledged() else ""
    if capture.top() < progress.checkpoint.value:
        return "the database was put back to an earlier state"
    if capture.acknowledged() > progress.checkpoint.value:  # and what lies between may be forgotten
        return "the log was put back to an earlier state"
    return ""
