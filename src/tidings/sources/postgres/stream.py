"""One replication connection on the event loop: begins at a position, gives frames, sends how far we are.

This is the only place that uses psycopg's low-level layer: a connection in COPY BOTH has no interface above it. Holds
no decision: what the frames mean is the assembler's matter, when to begin is the source's.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, NamedTuple, Self

import psycopg
from psycopg import errors, generators, pq, sql

from tidings.errors import SourceError
from tidings.sources.postgres.connections import StreamingConnection, connect_streaming, first_line, shown
from tidings.sources.postgres.continuity import Server, parse_history
from tidings.sources.postgres.pgoutput.decoder import VERSIONS
from tidings.sources.postgres.pgoutput.frames import (
    Keepalive,
    XLogData,
    format_lsn,
    parse_lsn,
    read_frame,
    status,
)
from tidings.sources.postgres.setup import Names

PROTOCOLS: Final = {14: 2, 15: 3}
"""What an older server speaks of pgoutput's protocol, by its major version; later ones speak all that we do."""

STATUS_SECONDS: Final = 5.0
"""Between two reports of how far we are while nothing happens: well within the server's 60 s (wal_sender_timeout)."""

SOON_SECONDS: Final = 0.05
"""From an acknowledgement to its report, so that a thousand commits are one report."""

SILENT_SECONDS: Final = 40.0
"""Without a word from the server, not even to our question at half of it, the connection counts as dead."""

Frame = XLogData | Keepalive


PROCESS: Final = "SELECT extract(epoch FROM pg_postmaster_start_time())::text, pg_is_in_recovery()::text"


class Process(NamedTuple):
    """One run of a server, known by the moment at which it began. recovering: `true` or `false`, as the server says."""

    begun: str
    recovering: str

    @property
    def standby(self) -> bool:
        return self.recovering == "true"


class SlotBusy(SourceError):
    """Somebody else reads the slot."""


class SlotLost(SourceError):
    """The slot can give nothing any more, or is gone."""


class StreamFailed(SourceError):
    """The server cannot tell what stands at this place of its own log."""


FAILING: Final = ("XX", "22", "0A", "42")
"""Classes of errors (first two characters of SQLSTATE) that come again at the same place: internal errors, data,
features and names. Others pass by themselves, or are the operator's to mend."""


class Stream:
    """A stream from a slot. Make it with `connect`, then `start` it; end it with `close`."""

    def __init__(self, connection: StreamingConnection) -> None:
        self.version = PROTOCOLS.get(connection.info.server_version // 10_000, VERSIONS[-1])
        self._connection = connection
        self._pg: Any = connection.pgconn
        self._loop = asyncio.get_running_loop()
        self._readable = asyncio.Event()
        self._socket = -1  # kept here: a connection that broke does not tell it any more
        self._watching = False
        self._flushed = 0
        self._seen = 0
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False
        self._started = False

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Connect for replication. Raises SourceError."""
        try:
            connection = await connect_streaming(url, replication="database")
        except psycopg.Error as error:
            raise SourceError(
                f"cannot connect to {shown(url)} for replication: {_explained(error)}"
            ) from error
        return cls(connection)

    async def process(self) -> Process:
        """Which server process answers, and whether it is a standby. Raises SourceError."""
        try:
            cursor = await self._connection.execute(PROCESS)
            row = await cursor.fetchone()
        except psycopg.Error as error:
            raise SourceError(f"the server does not say what it is: {first_line(error)}") from error
        assert row is not None, "the query returns a row"
        return Process(*map(str, row))

    async def identify(self) -> Server:
        """Whom we are connected to, and where its log ends now. Raises SourceError."""
        try:
            return await _identify(self._connection)
        except psycopg.Error as error:
            raise SourceError(f"the server does not say what it is: {first_line(error)}") from error

    async def start(self, names: Names, position: int, *, streaming: bool) -> None:
        """Begin to read. position: 0 for where the slot stands. Raises SlotBusy, SlotLost, SourceError."""
        options = {
            "proto_version": str(self.version),
            "publication_names": f'"{names.publication}"',
            "messages": "true",
        }
        if streaming:
            options["streaming"] = "on"
        given = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.SQL(name), sql.Literal(value)) for name, value in options.items()
        )
        command = sql.SQL("START_REPLICATION SLOT {} LOGICAL {} ({})").format(
            sql.Identifier(names.slot), sql.SQL(format_lsn(position)), given
        )
        self._pg.send_query(command.as_bytes(self._connection))
        try:
            result = (await self._connection.wait(generators.fetch_many(self._pg)))[0]
        except psycopg.Error as error:
            raise SourceError(f"the stream cannot begin: {first_line(error)}") from error
        if result.status != pq.ExecStatus.COPY_BOTH:
            raise _refused(result)
        self._pg.nonblocking = 1
        self._socket = self._pg.socket
        self._started = True
        self._report()

    def next(self) -> Frame | None:
        """The next frame that is here; None when there is none now. Raises SourceError at the end of the stream."""
        try:
            size, data = self._pg.get_copy_data(1)
            if size == 0:
                self._pg.consume_input()
                size, data = self._pg.get_copy_data(1)
        except psycopg.Error as error:
            self._started = False
            raise SourceError(f"the stream broke: {first_line(error)}") from error
        if size > 0:
            frame = read_frame(data)
            self._seen = max(self._seen, frame.end if isinstance(frame, Keepalive) else frame.start)
            return frame
        if size < 0:
            self._started = False
            raise self._ended()
        return None

    async def wait(self, seconds: float) -> None:
        """Until something can be read, somebody calls `wake`, or the time is over.

        The socket is watched only meanwhile: what nobody reads for a while would keep the loop spinning.
        """
        if self._started and not self._watching:
            self._watching = True
            self._loop.add_reader(self._socket, self._readable.set)
        try:
            async with asyncio.timeout(seconds):
                await self._readable.wait()
        except TimeoutError:
            pass
        finally:
            self._unwatch()
        self._readable.clear()

    def _unwatch(self) -> None:
        if self._watching:
            self._watching = False
            self._loop.remove_reader(self._socket)

    def wake(self) -> None:
        """End a `wait`."""
        self._readable.set()

    @property
    def confirmed(self) -> int:
        """The position up to which the server was told, or soon is, that we have all."""
        return self._flushed

    def confirm(self, flushed: int, *, now: bool = False) -> None:
        """All before this position is in our log: the server may forget it. Told soon, or now."""
        self._flushed = max(self._flushed, flushed)
        if now:
            self._report()
        elif not self._soon and self._started:
            self._soon = True
            self._again(SOON_SECONDS)

    def ask(self) -> None:
        """Have the server say where it is."""
        self._report(reply_now=True)

    async def close(self) -> None:
        """Say how far we are, and end. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._unwatch()
        if self._started:
            self._put(reply_now=False)
            self._started = False
        await self._connection.close()

    def _report(self, *, reply_now: bool = False) -> None:
        """Tell the server, and again in a while: also when whoever reads is slow, or it would give us up."""
        if not self._started:
            return
        self._put(reply_now=reply_now)
        self._soon = False
        self._again(STATUS_SECONDS)

    def _again(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._report)

    def _put(self, *, reply_now: bool) -> None:
        written = max(self._seen, self._flushed)
        try:
            self._pg.put_copy_data(
                status(written, self._flushed, self._flushed, int(time.time() * 1000), reply_now=reply_now)
            )
            self._pg.flush()
        except psycopg.Error:
            self._readable.set()  # the reader finds out what is wrong

    def _ended(self) -> SourceError:
        """Why there is nothing more."""
        try:
            result = self._pg.get_result()
        except psycopg.Error as error:
            return SourceError(f"the stream broke: {first_line(error)}")
        if result is not None and result.status == pq.ExecStatus.FATAL_ERROR:
            return _refused(result)
        return SourceError("the server ended the stream")


async def _identify(connection: StreamingConnection) -> Server:
    cursor = await connection.execute("IDENTIFY_SYSTEM")
    row = await cursor.fetchone()
    assert row is not None, "the command returns a row"
    system, timeline = int(row[0]), int(row[1])
    switches: tuple[tuple[int, int], ...] = ()
    if timeline > 1:
        cursor = await connection.execute(f"TIMELINE_HISTORY {timeline}")
        found = await cursor.fetchone()
        if found is not None:
            content = found[1]
            switches = parse_history(content.encode() if isinstance(content, str) else bytes(content))
    written = parse_lsn(str(row[2]))
    return Server(system=system & (2**64 - 1), timeline=timeline, switches=switches, written=written)


def _refused(result: Any) -> SourceError:
    """What the server's refusal means for us."""
    state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    text = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"the server refused").decode(
        errors="replace"
    )
    if state == errors.ObjectInUse.sqlstate:
        return SlotBusy(text)
    if state in (errors.ObjectNotInPrerequisiteState.sqlstate, errors.UndefinedObject.sqlstate):
        return SlotLost(text)
    if state.startswith(FAILING) and state != errors.InsufficientPrivilege.sqlstate:
        return StreamFailed(f"the server cannot tell its own log: {text}")
    return SourceError(f"the server refused the stream: {text}")


def _explained(error: psycopg.Error) -> str:
    text = first_line(error)
    if "replication" in text and ("superuser" in text or "REPLICATION" in text or "role" in text):
        return f"{text}; whoever may runs: ALTER ROLE … REPLICATION (Amazon RDS: GRANT rds_replication TO it)"
    if "pg_hba.conf" in text:
        return f"{text}; the role must be let in for its database in pg_hba.conf"
    return text
