"""The plain ASGI carrier: order, bounds and the end, without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.server.doubles import Protocol, Session
from tidings.errors import Disconnect, Refusal
from tidings.node.limits import Limits
from tidings.server.asgi import AsgiTransport, carry, path_of, read_body
from tidings.server.carrier import WRITE_BUFFER
from tidings.server.framing import PlainFramer, WebSocketFramer


class Line:
    """The far end of a transport, which may stop reading."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.ended: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.gone = asyncio.Event()
        self.transport = AsgiTransport(PlainFramer(), self.say, self.end)
        self.session = Session(self.transport.write)
        self.transport.session = self.session  # type: ignore[assignment]

    async def say(self, data: bytes) -> None:
        await self.open.wait()
        self.said.append(data)

    async def end(self, disconnect: Disconnect) -> None:
        self.ended.append(disconnect.name)

    async def run(self) -> None:
        async def listen() -> None:
            await self.gone.wait()

        await asyncio.wait_for(self.transport.run(listen), 5)


def held(line: Line) -> bool:
    return line.session.outlet.paused


async def test_what_is_written_is_sent_in_order_and_then_the_end() -> None:
    line = Line()
    line.session.outlet.send(b"a")
    line.session.outlet.send(b"b")
    line.transport.close(Disconnect("draining"))
    line.session.outlet.send(b"c")
    await line.run()
    assert b"".join(line.said) == b"ab"
    assert line.ended == ["draining"]
    assert line.session.ends == 1


async def test_a_client_that_reads_slowly_holds_the_session_back() -> None:
    line = Line()
    line.open.clear()
    running = asyncio.ensure_future(line.run())
    line.session.outlet.send(b"x" * (WRITE_BUFFER + 1))
    assert held(line)
    line.session.outlet.send(b"later")
    line.open.set()
    while b"later" not in line.said:
        await asyncio.sleep(0)
    assert not held(line)
    line.gone.set()
    await running


async def test_a_client_that_does_not_read_is_cut_at_once() -> None:
    line = Line()
    line.open.clear()
    line.session.outlet.send(b"stuck")
    running = asyncio.ensure_future(line.run())
    await asyncio.sleep(0)
    line.transport.close(Disconnect("slow"))
    await running
    assert line.ended == []
    assert line.session.ends == 1


async def test_a_client_that_goes_ends_everything() -> None:
    line = Line()
    line.gone.set()
    await line.run()
    assert line.session.ends == 1
    line.transport.write(b"harmless")


async def test_it_says_that_it_has_no_pings() -> None:
    assert Line().transport.ping(b"") is False


async def test_messages_are_sent_one_by_one_and_received() -> None:
    sent: list[Any] = []
    coming = [{"type": "websocket.receive", "text": "hi"}, {"type": "websocket.disconnect"}]
    sessions: list[Session] = []
    done = asyncio.Event()

    async def receive() -> Any:
        if len(coming) == 1:
            await done.wait()
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)
        if len(sent) == 2:
            done.set()

    def begin(transport: AsgiTransport) -> Any:
        frame = WebSocketFramer().frame
        transport.write(frame(b"one") + frame(b"two"))
        sessions.append(Session(transport.write))
        return sessions[0]

    await asyncio.wait_for(carry(Protocol(), Limits(), begin, receive, send), 5)
    assert [message["text"] for message in sent] == ["one", "two"]
    assert sessions[0].heard == ["hi"]


async def test_a_session_that_cannot_begin_is_told_in_the_protocols_words() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    def begin(transport: AsgiTransport) -> Any:
        raise Disconnect("over_capacity")

    await asyncio.wait_for(carry(Protocol(), Limits(), begin, receive, send), 5)
    assert [message["type"] for message in sent] == ["websocket.send", "websocket.close"]
    assert sent[1]["code"] == 4308


async def test_a_body_is_read_to_its_limit() -> None:
    parts = [b"ab", b"cd", b""]

    async def receive() -> Any:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    assert await read_body(receive, 4) == b"abcd"
    parts[:] = [b"ab", b"cde", b""]
    with pytest.raises(Refusal):
        await read_body(receive, 4)


@pytest.mark.parametrize(
    ("path", "root", "found"),
    [("/ws", "", "/ws"), ("/live/ws", "/live", "/ws"), ("/live", "/live", "/"), ("/ws", "/live", "/ws")],
)
def test_a_mounted_path_is_seen_from_its_place(path: str, root: str, found: str) -> None:
    assert path_of({"path": path, "root_path": root}) == found
