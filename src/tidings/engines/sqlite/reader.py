"""The threads that read: pages, latest values, held cursors. Each job is one read transaction; nothing is written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from operator import attrgetter
from queue import Empty, SimpleQueue
from typing import Any

import apsw
import msgspec

from tidings.changes import Progress
from tidings.engines.base import Held, Page
from tidings.engines.pages import Gap, fill, reset_reason
from tidings.engines.sqlite.faults import describe, free_bytes, is_common
from tidings.engines.sqlite.rows import READ_COLUMNS, READ_PROGRESS, to_message, to_progress
from tidings.ids import AppId, ChannelName, ClientId
from tidings.messages import Message, Position

JOBS_AT_ONCE = 8
"""Jobs whose results go back together: each hop to the loop costs as much as a short read."""

_CHANNELS = "SELECT name, id, floor FROM channels WHERE app = ? AND name IN (SELECT value FROM json_each(?))"
_GAPS = "SELECT offset, pattern, reason FROM gaps WHERE app = ? AND offset > ? ORDER BY offset"
_AFTER = (
    f"SELECT {READ_COLUMNS} FROM messages WHERE channel = ? AND offset > ? AND offset <= ? ORDER BY offset"
)
_LATEST = (
    f"SELECT {READ_COLUMNS} FROM messages WHERE offset <= ? AND channel ="
    " (SELECT c.id FROM channels c JOIN apps a ON a.id = c.app WHERE a.name = ? AND c.name = ?)"
    " ORDER BY offset DESC LIMIT 1"
)
_HELD = "SELECT epoch, connections, channels FROM held WHERE app = ? AND client = ? AND at > ?"

_PROGRESS = f"{READ_PROGRESS} WHERE app = (SELECT id FROM apps WHERE name = ?) AND source = ?"

_decode_channels = msgspec.json.Decoder(dict[ChannelName, int]).decode
_offset = attrgetter("position.offset")

logger = logging.getLogger("tidings.engines.sqlite")

Job = Callable[[apsw.Connection], Any]
Answers = list[tuple[Any, Any]]
Post = Callable[[Answers], None]
"""How answers reach the loop: pairs of a job's token and its result, or the fault that stood in its way."""


class Readers:
    """A handful of threads over one queue of jobs, each with a connection of its own."""

    def __init__(self, connections: Sequence[apsw.Connection], path: str, post: Post) -> None:
        self._path = path
        self._post = post
        self._jobs: SimpleQueue[tuple[Any, Job] | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(c,), name=f"tidings-log-reader-{n}", daemon=True)
            for n, c in enumerate(connections)
        ]

    def start(self) -> None:
        """Begin to read."""
        for thread in self._threads:
            thread.start()

    def put(self, token: Any, job: Job) -> None:
        """Ask for a job; its answer comes back with the token. Bounded by whoever calls."""
        self._jobs.put((token, job))

    def stop(self) -> None:
        """End after all that was put."""
        for _ in self._threads:
            self._jobs.put(None)

    def join(self) -> None:
        """Wait for the end of the threads."""
        for thread in self._threads:
            thread.join()

    def _run(self, connection: apsw.Connection) -> None:
        entry = self._jobs.get()
        while entry is not None:
            answers: Answers = []
            while entry is not None:
                answers.append((entry[0], self._do(connection, entry[1])))
                if len(answers) >= JOBS_AT_ONCE:
                    break
                try:
                    entry = self._jobs.get_nowait()
                except Empty:
                    break
            self._post(answers)
            if entry is not None:
                entry = self._jobs.get()

    def _do(self, connection: apsw.Connection, job: Job) -> Any:
        try:
            connection.execute("BEGIN")
            try:
                return job(connection)
            finally:
                connection.execute("ROLLBACK")
        except Exception as error:
            if not is_common(error):
                logger.exception("read_failed")
            return describe(error, self._path, free=free_bytes(self._path))


def read_page(
    connection: apsw.Connection,
    app: AppId,
    channels: Sequence[ChannelName],
    after: int,
    head: Position,
    max_messages: int,
    max_bytes: int,
) -> Page:
    """Read a page that ends at `head`: what the log holds beyond, the listener was not told yet."""
    number, app_floor = connection.execute("SELECT id, floor FROM apps WHERE name = ?", (app,)).get
    wanted = msgspec.json.encode(channels).decode()
    known = {row[0]: row[1:] for row in connection.execute(_CHANNELS, (number, wanted))}
    gaps = [Gap(*row) for row in connection.execute(_GAPS, (number, after))]
    resets: dict[ChannelName, str] = {}
    streams = []
    for name in dict.fromkeys(channels):
        channel, floor = known.get(name, (0, app_floor))
        reason = reset_reason(name, after, floor, gaps)
        if reason is not None:
            resets[name] = reason
        elif channel:
            streams.append(_stream(connection, channel, name, after, head))
    source = streams[0] if len(streams) == 1 else merge(*streams, key=_offset)
    messages, complete = fill(source, max_messages, max_bytes)
    return Page(messages=messages, head=head, complete=complete, resets=resets)


def _stream(
    connection: apsw.Connection, channel: int, name: ChannelName, after: int, head: Position
) -> Iterator[Message]:
    """One channel's messages, read row by row as they are asked for."""
    for row in connection.execute(_AFTER, (channel, after, head.offset)):
        yield to_message(row, name, head.epoch)


def read_latest(
    connection: apsw.Connection, app: AppId, channel: ChannelName, head: Position
) -> Message | None:
    """The newest message of a channel that the log still has, up to `head`."""
    row = connection.execute(_LATEST, (head.offset, app, channel)).get
    return None if row is None else to_message(row, channel, head.epoch)


def read_held(connection: apsw.Connection, app: AppId, client: ClientId, since: int) -> Held | None:
    """A client's cursor, when it was written after `since`, in milliseconds."""
    row = connection.execute(_HELD, (app, client, since)).get
    return None if row is None else Held(epoch=row[0], connections=row[1], channels=_decode_channels(row[2]))


def read_progress(connection: apsw.Connection, app: AppId, source: str) -> Progress | None:
    """How far a source was when it last wrote to this log."""
    row = connection.execute(_PROGRESS, (app, source)).get
    return None if row is None else to_progress(row)
