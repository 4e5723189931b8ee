"""The one thread that writes: it takes all that waits into one transaction, and hands the outcome back to the loop.

Group commit: while one group is forced to disk the next gathers, so the cost of a commit is shared by whoever waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

from tidings.engines.base import OptionsOf
from tidings.engines.sqlite.faults import Fault, describe, free_bytes, is_common
from tidings.engines.sqlite.files import Files
from tidings.engines.sqlite.items import Cursors, Group, Item
from tidings.engines.sqlite.ledger import Ledger
from tidings.engines.sqlite.transaction import Transaction
from tidings.engines.sqlite.trim import Trimmer

GROUP_MESSAGES = 1_024
"""Messages in one transaction: about 10 ms of work, so that the first of a group does not wait long for the last."""

GROUP_BYTES = 8 << 20
"""Bytes of data in one transaction, for the same reason."""

SWEEP_SECONDS = 1.0
"""Between two looks for what has passed its age, and for a fault that may have healed."""

Post = Callable[[list[Group], Fault | None], None]
"""How outcomes reach the loop, together with what is wrong now. Called from the writer's thread."""

logger = logging.getLogger("tidings.engines.sqlite")


class LogReplaced(Exception):
    """The open file holds another content than the last commit left."""


class Batch:
    """What the loop hands over in one turn: items in order, and held cursors."""

    __slots__ = ("cursors", "items")

    def __init__(self, items: list[Item], cursors: list[Cursors]) -> None:
        self.items = items
        self.cursors = cursors


class Writer:
    """Owns the connection that writes, from `start` until `stop` has been worked off.

    clock: seconds since the Unix epoch. Items that are put after a final fault are answered with it.
    """

    def __init__(self, files: Files, options: OptionsOf, clock: Callable[[], float], post: Post) -> None:
        self.fault: Fault | None = None
        self._files = files
        self._connection = files.writer
        self._clock = clock
        self._post = post
        self._ledger = Ledger(files.writer, options)
        self._trimmer = Trimmer(files.writer, self._ledger)
        self._serial = files.serial
        self._version = -1  # of the content, as SQLite counts what other connections write
        self._waiting: SimpleQueue[Batch | None] = SimpleQueue()
        self._next_sweep = time.monotonic()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="tidings-log-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def put(self, batch: Batch) -> None:
        """Hand over what is to be written. Bounded by whoever calls."""
        self._waiting.put(batch)

    def stop(self) -> None:
        """End after all that was put."""
        self._waiting.put(None)

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    # ── the thread

    def _run(self) -> None:
        while not self._stopping:
            items, cursors = self._take()
            if items or cursors:
                self._post(self._write(items, cursors), self.fault)
            if time.monotonic() >= self._next_sweep:
                self._sweep()

    def _take(self) -> tuple[list[Item], list[Cursors]]:
        items: list[Item] = []
        cursors: list[Cursors] = []
        for batch in self._batches():
            items += batch.items
            cursors += batch.cursors
            if len(items) >= GROUP_MESSAGES:
                break
        return items, cursors

    def _batches(self) -> Iterator[Batch]:
        """Wait for the first until it is time to sweep; then all that are there."""
        try:
            batch = self._waiting.get(timeout=max(0.0, self._next_sweep - time.monotonic()))
            while batch is not None:
                yield batch
                batch = self._waiting.get_nowait()
            self._stopping = True
        except Empty:
            return

    def _write(self, items: list[Item], cursors: list[Cursors]) -> list[Group]:
        groups = [self._commit(part, []) for part in _parts(items)]
        if cursors:
            groups.append(self._commit([], cursors))
        return groups

    def _commit(self, items: list[Item], cursors: list[Cursors]) -> Group:
        """Write one group; when that fails by the fault of one item, each item by itself."""
        if self.fault is not None and self.fault.final:
            return self._refused(items, cursors, self.fault)
        try:
            return self._transact(items, cursors)
        except LogReplaced:
            self._roll_back()
            self._note(self._replaced())
            return self._refused(items, cursors, self._replaced())
        except Exception as error:
            self._roll_back()
            fault = describe(error, self._files.path, free=free_bytes(self._files.path))
            if len(items) > 1 and (fault.full or not is_common(error)):
                return _joined(self._commit([item], []) for item in items)
            if not is_common(error):
                logger.warning("item_refused error=%r", error)
                return Group(answers=[(item, error) for item in items], cursors=cursors, written=False)
            self._note(fault)
            return self._refused(items, cursors, fault)

    def _transact(self, items: list[Item], cursors: list[Cursors]) -> Group:
        now = int(self._clock() * 1000)
        epoch, serial = self._files.epoch, self._serial + 1
        work = Transaction(self._connection, self._ledger, self._trimmer, epoch, serial, now)
        self._connection.execute("BEGIN IMMEDIATE")
        self._check_ours()
        for item in items:
            work.add(item)
        for held in cursors:
            work.hold(held)
        work.write()
        self._connection.execute("COMMIT")
        if work.group.told:
            self._serial = serial
            self._files.guard.write(epoch, serial)
        if work.group.told or cursors:  # a refusal alone proves nothing about the disk
            self._note(None)
        self._ledger.trim(work.used)
        return work.group

    def _check_ours(self) -> None:
        """See that the log is as our last commit left it. Raises LogReplaced.

        A tool can put another content into the open file (`.restore` of SQLite's shell), and nobody else would notice:
        offsets would go on from what is in memory, over what is gone.
        """
        version = self._connection.execute("PRAGMA data_version").get
        if version == self._version:  # nobody but this connection has written
            return
        self._version = version
        epoch = self._connection.execute("SELECT epoch FROM log").get
        serial = self._connection.execute("SELECT coalesce(max(serial), 0) FROM apps").get
        if (epoch, serial) != (self._files.epoch, self._serial):
            raise LogReplaced

    def _replaced(self) -> Fault:
        what = f"{self._files.path} or a file beside it was removed or replaced while open"
        return Fault(f"{what}; restart to use what is there now", final=True)

    def _refused(self, items: list[Item], cursors: list[Cursors], fault: Fault) -> Group:
        return Group(answers=[(item, fault.error()) for item in items], cursors=cursors, written=False)

    def _roll_back(self) -> None:
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except Exception:  # SQLite has then rolled back already, or the next BEGIN says what is wrong
            logger.exception("rollback_failed")
        self._ledger.clear()
        self._trimmer.forget()

    def _note(self, fault: Fault | None) -> None:
        if fault is not None and self.fault is None:
            logger.error("log_failed text=%s", fault.text)
        elif fault is None and self.fault is not None:
            logger.warning("log_healed")
        self.fault = fault

    # ── what nobody asked for

    def _sweep(self) -> None:
        """Drop what is over its age; after a fault, try whether writing works again."""
        self._next_sweep = time.monotonic() + SWEEP_SECONDS
        before = self.fault
        if before is None or not before.final:
            if self._files.replaced():
                self._note(self._replaced())
            else:
                self._clean()
        if self.fault is not before:
            self._post([], self.fault)

    def _clean(self) -> None:
        try:
            now = int(self._clock() * 1000)
            if self.fault is None and not self._trimmer.has_work(now):
                return
            self._connection.execute("BEGIN IMMEDIATE")
            if self.fault is not None:
                self._connection.execute("UPDATE log SET probe = probe + 1")
            self._trimmer.sweep(now)
            self._connection.execute("COMMIT")
            self._note(None)
            if self._trimmer.has_work(now):
                self._next_sweep = time.monotonic()  # publishes come first: the queue is looked at before
        except Exception as error:
            self._roll_back()
            self._note(describe(error, self._files.path, free=free_bytes(self._files.path)))


def _parts(items: list[Item]) -> Iterator[list[Item]]:
    """Cut what waits into groups within the bounds."""
    part: list[Item] = []
    count = size = 0
    for item in items:
        part.append(item)
        count += len(item.messages)
        size += item.size
        if count >= GROUP_MESSAGES or size >= GROUP_BYTES:
            yield part
            part, count, size = [], 0, 0
    if part:
        yield part


def _joined(groups: Iterable[Group]) -> Group:
    """Several groups as one, in their order."""
    whole = Group()
    for group in groups:
        whole.answers += group.answers
        for app, told in group.told.items():
            whole.told.setdefault(app, []).extend(told)
    return whole
