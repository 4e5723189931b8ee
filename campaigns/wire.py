"""The little HTTP/1.1 and event-stream reading that the campaign's clients need. It retries nothing.

Written anew on purpose: a judge that shares code with the accused shares its mistakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Self

DIAL_SECONDS = 5.0
"""For a connection to be made."""

ANSWER_SECONDS = 10.0
"""For an answer to begin, beyond what a long poll asked to wait."""

IDLE_SECONDS = 40.0
"""Without a byte on a stream that long, the server's heartbeat (15 s) has failed twice."""

HEAD_BYTES = 64 * 1024


class WireError(Exception):
    """The peer broke off, was silent too long, or is not ready; dial again."""


class CampaignError(Exception):
    """The server said something that no fault explains. Ends the campaign."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a response; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]

    def require(self, *statuses: int) -> None:
        """Raise WireError for an answer to try again after, CampaignError for any other not in `statuses`."""
        if self.status in statuses:
            return
        if self.status in (408, 429) or self.status >= 500:
            raise WireError(f"status {self.status}")
        raise CampaignError(f"status {self.status} with {dict(self.headers)}")


class HttpConnection:
    """One connection for requests one after another. Every failure is a WireError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> Self:
        """Dial. Raises WireError."""
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                return cls(*await asyncio.open_connection(host, port, limit=HEAD_BYTES))
        except OSError as error:
            raise WireError(str(error)) from error

    def close(self) -> None:
        """Let go of the connection at once."""
        self._writer.transport.abort()

    async def request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", *, wait: float = 0.0
    ) -> Answer:
        """Send a request and read the head of its answer, due `wait` seconds later. Raises WireError."""
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        try:
            self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)
            async with asyncio.timeout(wait + ANSWER_SECONDS):
                return _read_head(await self._reader.readuntil(b"\r\n\r\n"))
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise WireError(repr(error)) from error

    async def body(self, answer: Answer) -> bytes:
        """Read the whole body. Raises WireError."""
        return b"".join([chunk async for chunk in self.chunks(answer)])

    async def chunks(self, answer: Answer) -> AsyncIterator[bytes]:
        """Yield the body as it comes, until it ends properly. Raises WireError when it does not."""
        length = answer.headers.get("content-length")
        try:
            if answer.status in (204, 304):
                return
            if length is not None:
                yield await self._exactly(int(length))
            elif answer.headers.get("transfer-encoding", "").lower() == "chunked":
                while size := int((await self._exactly_line()).split(b";")[0], 16):
                    yield await self._exactly(size)
                    await self._exactly(2)
                await self._exactly_line()
            else:
                while chunk := await self._some():
                    yield chunk
        except (OSError, EOFError, asyncio.LimitOverrunError) as error:
            raise WireError(repr(error)) from error

    async def _exactly(self, size: int) -> bytes:
        async with asyncio.timeout(IDLE_SECONDS):
            return await self._reader.readexactly(size)

    async def _exactly_line(self) -> bytes:
        async with asyncio.timeout(IDLE_SECONDS):
            return (await self._reader.readuntil(b"\r\n")).strip()

    async def _some(self) -> bytes:
        async with asyncio.timeout(IDLE_SECONDS):
            return await self._reader.read(HEAD_BYTES)


def _read_head(head: bytes) -> Answer:
    status, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return Answer(int(status.split()[1]), {name.strip().lower(): value.strip() for name, _, value in pairs})


class EventStream:
    """Reads an event stream as WHATWG HTML 9.2.6 says; `last_event_id` moves when an event is dispatched."""

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self._id = last_event_id
        self._rest = b""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[tuple[str, str]]:
        """Take bytes and return the events they complete: data, and the last event id as of each."""
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        events = []
        for line in lines:
            text = line.removesuffix(b"\r").decode()
            if text:
                self._field(text)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        return events

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value

    def _dispatch(self) -> tuple[str, str] | None:
        self.last_event_id = self._id
        data, self._data = self._data, []
        return ("\n".join(data), self._id) if data else None
