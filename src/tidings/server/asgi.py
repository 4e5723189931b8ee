"""Carries sessions and answers over plain ASGI, for any server that is not ours. Same behaviour, at ASGI's price.

A session's bytes wait in a bounded place here and one task per connection sends them; the session's own queue, which
is cut when it overflows, lies behind that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from tidings.errors import Disconnect, Refusal
from tidings.hub.fanout import Framer
from tidings.node.limits import Limits
from tidings.node.session import Session
from tidings.protocols.base import WireProtocol
from tidings.protocols.http import Request, Response
from tidings.server.answers import FAULT, refusal_response, response_headers
from tidings.server.carrier import CLOSE_SECONDS, WRITE_BUFFER
from tidings.server.framing import split_frames
from tidings.server.handshake import Accepted
from tidings.server.routing import Found, Stream
from tidings.server.stream import PLAIN
from tidings.server.websocket import EXTENSION
from tidings.server.wire import FRAMER, refuse

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Words = Callable[[bytes], Awaitable[None]]

TOO_BIG: Final = 1009


class AsgiTransport:
    """`node.Transport` by shape over an ASGI `send`.

    say: sends framed bytes. end: sends the last word.
    """

    def __init__(self, framer: Framer, say: Words, end: Callable[[Disconnect], Awaitable[None]]) -> None:
        self.framer = framer
        self.session: Session | None = None
        self._say = say
        self._end = end
        self._waiting: list[bytes] = []
        self._size = 0
        self._closing: Disconnect | None = None
        self._cut = False
        self._stirred = asyncio.Event()
        self._closed = asyncio.Event()

    def write(self, data: bytes) -> None:
        """Keep for the sender; above the mark the session is told to hold back."""
        if self._closing is not None:
            return
        self._waiting.append(data)
        self._size += len(data)
        self._stirred.set()
        if self._size > WRITE_BUFFER and self.session is not None:
            self.session.outlet.pause()

    def close(self, disconnect: Disconnect) -> None:
        """End after what was written; a client that does not read is cut."""
        if self._closing is not None:
            return
        self._closing = disconnect
        self._cut = disconnect.name == "slow"
        if self.session is not None:
            self.session.outlet.pause()
            self.session.outlet.close()
        self._stirred.set()
        self._closed.set()

    def ping(self, payload: bytes) -> bool:
        """False: ASGI has no word for it. The server below asks for signs of life itself."""
        return False

    async def run(self, listen: Callable[[], Awaitable[None]]) -> None:
        """Send what is written until either side ends. listen: returns when the client has gone."""
        sender = asyncio.ensure_future(self._send())
        listener = asyncio.ensure_future(listen())
        closer = asyncio.ensure_future(self._cut_off())
        tasks = {sender, listener, closer}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._closing = self._closing or Disconnect("ended")
            if self.session is not None:
                self.session.closed()

    async def _send(self) -> None:
        """Send in order, all that has gathered at once; then the end."""
        while True:
            await self._stirred.wait()
            self._stirred.clear()
            while self._waiting:
                data = b"".join(self._waiting)
                self._waiting.clear()
                try:
                    await self._say(data)
                except OSError:
                    return
                self._size = sum(map(len, self._waiting))
                if self.session is not None and self._size <= WRITE_BUFFER and self._closing is None:
                    self.session.outlet.resume()
            if self._closing is not None:
                await self._end(self._closing)
                return

    async def _cut_off(self) -> None:
        """Return when a client that is sent away has not read it in time."""
        await self._closed.wait()
        if not self._cut:
            await asyncio.sleep(CLOSE_SECONDS)


# ── requests


def request_of(
    scope: Scope, peer: str, headers: Mapping[str, str], *, path: str, body: bytes = b""
) -> Request:
    """A scope as a request. path: what follows the place where we are mounted."""
    return Request(
        method=scope.get("method", "GET"),
        path=scope.get("root_path", "") + path,
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        body=body,
        peer=peer,
    )


def path_of(scope: Scope) -> str:
    """The path below the place where we are mounted (ASGI: `path` holds `root_path`)."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    if root and path.startswith(root):
        path = path[len(root) :]
    return path or "/"


async def read_body(receive: Receive, limit: int) -> bytes:
    """A request's body. Raises Refusal `request_too_large`; ConnectionError when the client has gone."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionError
        body += bytes(message.get("body", b""))
        if len(body) > limit:
            raise Refusal("request_too_large", field="body", limit=limit)
        if not message.get("more_body", False):
            return body


async def answer(found: Found, request: Request, receive: Receive, send: Send) -> None:
    """Answer one request over ASGI."""
    try:
        got = await _abandonable(found, request, receive)
        if got is None:
            return
    except (Refusal, Disconnect) as refusal:
        got = refusal_response(refusal)
    except Exception:
        log.exception("answering failed", extra={"path": request.path})
        got = FAULT
    if isinstance(got, Stream):
        await stream(got, request, receive, send)
    else:
        await respond(got, request.method, send)


async def _abandonable(found: Found, request: Request, receive: Receive) -> Response | Stream | None:
    """The endpoint's answer; None when the client has gone meanwhile and nobody is to be told."""
    if not found.endpoint.abandons:
        return await found.endpoint.answer(request)
    work = asyncio.ensure_future(found.endpoint.answer(request))
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        return await work if work.done() else None
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def respond(response: Response, method: str, send: Send) -> None:
    """Send a whole answer."""
    headers = [(n.lower().encode(), v.encode("latin-1")) for n, v in response_headers(response).items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if method == "HEAD" or response.status in (204, 304) else response.body
    await send({"type": "http.response.body", "body": body})


async def stream(found: Stream, request: Request, receive: Receive, send: Send) -> None:
    """Send an answer without end."""
    headers = [(n.lower().encode(), v.encode("latin-1")) for n, v in found.headers.items()]
    headers.append((b"content-type", found.content_type.encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if request.method == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return

    async def say(data: bytes) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(disconnect: Disconnect) -> None:
        await send({"type": "http.response.body", "body": b""})

    transport = AsgiTransport(PLAIN, say, end)
    try:
        transport.session = found.open(transport)
    except (Disconnect, Refusal):
        await send({"type": "http.response.body", "body": found.busy()})
        return
    await transport.run(lambda: _gone(receive))


# ── WebSockets


async def carry(
    protocol: WireProtocol,
    limits: Limits,
    open: Callable[[AsgiTransport], Session],
    receive: Receive,
    send: Send,
) -> None:
    """Carry a session over an accepted ASGI WebSocket until either side ends it."""

    async def say(data: bytes) -> None:
        for payload in split_frames(data):
            await send({"type": "websocket.send", "text": payload.decode()})

    async def end(disconnect: Disconnect) -> None:
        code, reason = too_big if disconnect.name == "frame_too_large" else protocol.close_code(disconnect)
        await send({"type": "websocket.close", "code": code, "reason": reason})

    async def listen() -> None:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            data = message["bytes"] if text is None else text
            if len(data) > limits.frame_bytes:
                transport.close(Disconnect("frame_too_large"))
                await asyncio.Event().wait()
            if transport.session is not None:
                transport.session.receive(data)

    too_big = (TOO_BIG, f"message above {limits.frame_bytes} bytes")
    transport = AsgiTransport(FRAMER, say, end)
    try:
        transport.session = open(transport)
    except (Disconnect, Refusal) as error:
        refuse(transport, protocol, error)
    await transport.run(listen)


async def accept(accepted: Accepted, scope: Scope, receive: Receive, send: Send) -> None:
    """Say yes to a handshake. Our own connection class then takes the session; elsewhere ASGI carries it."""
    await receive()  # websocket.connect
    await send({"type": "websocket.accept", "subprotocol": accepted.subprotocol})
    connection: Any = (scope.get("extensions") or {}).get(EXTENSION)
    if connection is not None:
        connection.attach(accepted)
    else:
        await carry(accepted.protocol, accepted.limits, accepted.open, receive, send)


async def reject(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Say no to a handshake, with a body where the server can send one."""
    await receive()  # websocket.connect
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(n.lower().encode(), v.encode("latin-1")) for n, v in response_headers(response).items()]
    kind = "websocket.http.response"
    await send({"type": f"{kind}.start", "status": response.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": response.body})
