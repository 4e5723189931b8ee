"""uvicorn's HTTP/1.1 connection made hard and fast: deadlines and limits first, our endpoints before ASGI.

What is not ours goes to ASGI as in uvicorn. Its class is not public API: `lifecycle.check_uvicorn` tells when it moved.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tidings.errors import Disconnect, Refusal
from tidings.protocols.http import Request, Response
from tidings.server.answers import FAULT, TOO_SLOW, head_bytes, head_refusal, refusal_response, response_bytes
from tidings.server.carrier import CLOSE_SECONDS, NO_TRANSPORT, adopt
from tidings.server.cycle import FastCycle, join_headers
from tidings.server.deadlines import Deadlines, deadlines_of
from tidings.server.fast import BODY_SECONDS, DEFAULT, KEEP_ALIVE_SECONDS, Fast
from tidings.server.guard import MAX_HEADERS, BadHead, Head, check_head
from tidings.server.routing import Stream
from tidings.server.stream import EventStream
from tidings.server.upgrade import check_upgrade, switching
from tidings.server.wire import begin_wire

log = logging.getLogger(__name__)

MAX_PIPELINED: Final = 1000
"""Requests that may wait on one connection: a quarter MiB of small ones, which is what one read can bring."""

LINGER_SECONDS: Final = 1.0
"""For a client to read why it was refused, while we drop what it still sends."""

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class TidingsHttpProtocol(HttpToolsProtocol):
    """One HTTP connection. Plugged in by uvicorn's `http` setting.

    The head under way: `_in_head` from the end of one message to the end of the next head, `_head_open` once it has
    begun, `_room` the bytes that may still come, `_size` those that were parsed, `_heads` how many were whole.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.access_log = False  # its lines hold query strings, and those hold tokens
        self._fast: Fast = getattr(self.app, "fast", None) or DEFAULT
        self._deadlines: Deadlines = deadlines_of(self.loop)
        self._in_head = True
        self._head_open = False
        self._heads = 0
        self._room = self._limit = self._fast.limits.header_bytes
        self._size = 0
        self._active: Any = None  # the cycle that is being answered; those behind it are in `pipeline`
        self._refusal: BadHead | None = None
        self._over = False  # whatever still comes is dropped
        self._peer = ""
        self._head = Head("", "", "")

    # ── the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._peer = self.client[0] if self.client else ""
        self._deadlines.set(self, self._fast.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadlines.clear(self)
        for cycle in (self._active, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None:
                cycle.disconnected = True
                cycle.message_event.set()
        active = self._active
        if isinstance(active, FastCycle) and active.task is not None and active.found.endpoint.abandons:
            active.task.cancel()
        super().connection_lost(exc)

    def expired(self) -> None:
        """A deadline has passed: of a head or body that never ended, a quiet connection, a client that lingers."""
        if self._over:
            self.transport.abort()
            return
        if self._head_open or (isinstance(self._active, FastCycle) and self._active.more_body):
            self._write(TOO_SLOW, head_only=False, close=True)
        self._over = True
        self._deadlines.set(self, CLOSE_SECONDS)
        self.transport.close()

    # ── bytes

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        try:
            if self._in_head and len(data) > self._room:
                data = self._feed_head(data)
            heads = self._heads
            self.parser.feed_data(data)
            if self._in_head and heads == self._heads:
                self._room -= len(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or BadHead(400, "the request is malformed"))

    def _feed_head(self, data: bytes) -> bytes:
        """Feed as much as the head may still have, and refuse when it has not ended by then; returns the rest."""
        heads, piece = self._heads, data[: self._room]
        self.parser.feed_data(piece)
        if heads == self._heads:
            self._too_much(f"the head is above {self._limit} bytes")
            raise httptools.HttpParserError
        return data[len(piece) :]

    def _upgrade(self, rest: bytes) -> None:
        if not self._should_upgrade():
            if rest:  # other upgrades are passed over (RFC 9110 7.8), and the next request may follow at once
                self.data_received(rest)
        elif rest:
            self._refuse(BadHead(400, "frames before the handshake's answer"))
        elif not self._idle():
            self._refuse(BadHead(400, "a handshake behind an unanswered request"))
        elif not self._own_websocket():
            self.handle_websocket_upgrade()
            self._leave()

    def _own_websocket(self) -> bool:
        """Answer a handshake of ours before ASGI; False, with nothing done, when the path is not ours."""
        try:
            place = self._fast.handshakes.find(self._head.path) if self._fast.handshakes else None
            if place is None or self._fast.handshakes is None:
                return False
            method = self.parser.get_method().decode("ascii")
            token, offered = check_upgrade(method, self.headers)
            headers, head = join_headers(self.headers), self._head
            peer = self._fast.proxies.peer(self._peer, headers.get("x-forwarded-for"))
            path = self.root_path + head.path
            request = Request(method=method, path=path, query=head.query, headers=headers, peer=peer)
            accepted = self._fast.handshakes.decide(place, request, offered)
        except BadHead as bad:
            self._refuse(bad)
        except Refusal as refusal:
            self._write(refusal_response(refusal), head_only=False, close=True)
            self._linger()
        else:
            transport = self.transport
            transport.write(switching(token, accepted.subprotocol))
            self._leave()
            begin_wire(transport, accepted, self.connections, self._deadlines)
        return True

    # ── what the parser tells

    def on_message_begin(self) -> None:
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._head_open = True
        if self._idle():
            self._deadlines.set(self, self._fast.limits.header_seconds)

    def on_url(self, url: bytes) -> None:
        self.url += url
        self._size += len(url)
        if self._size > self._limit:
            raise self._too_much(f"the head is above {self._limit} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # a trailer: nobody here reads them, and they must not pass for headers
        self._size += len(name) + len(value) + 4
        if self._size > self._limit:
            raise self._too_much(f"the head is above {self._limit} bytes")
        if len(self.headers) >= MAX_HEADERS:
            raise self._too_much(f"more than {MAX_HEADERS} headers")
        name = name.lower()
        if name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = self._head_open = False
        self._heads += 1
        version = self.parser.get_http_version()
        raw_method = self.parser.get_method()
        try:
            head = check_head(raw_method, self.url, version, self.headers, self._fast.hosts)
        except BadHead as refusal:
            self._refusal = refusal
            raise
        if self.root_path and head.path.startswith(f"{self.root_path}/"):  # the proxy left the prefix on
            head = head._replace(path=head.path[len(self.root_path) :])
        self._head = head
        if self.parser.should_upgrade() and self._should_upgrade():
            self._to_uvicorn()
            return
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refusal = BadHead(400, "too many requests at once")
            raise self._refusal
        method = raw_method.decode("ascii")
        found = self._fast.router.match(method, head.path)
        if found is None:
            self._to_uvicorn()
        else:
            keep_alive = version == "1.1" and self.parser.should_keep_alive()
            headers = join_headers(self.headers)
            self._begin(FastCycle(found, head, method, version, headers, keep_alive=keep_alive))

    def _to_uvicorn(self) -> None:
        """Hand a head on to ASGI. Its scope is made now, since most requests need none."""
        url, headers, expected = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expected
        self.scope["headers"] = headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        cycle: Any = self.cycle
        if not isinstance(cycle, FastCycle):
            super().on_body(body)
        elif not cycle.response_complete:
            cycle.body.append(body)
            cycle.size += len(body)
            if cycle.size > cycle.max_body:
                self._too_large(cycle)

    def on_message_complete(self) -> None:
        cycle: Any = self.cycle
        if isinstance(cycle, FastCycle):
            cycle.more_body = False
            if cycle.started and not cycle.response_complete:
                self._run(cycle)
        else:
            super().on_message_complete()
        self._in_head = True
        self._room = self._limit
        self._size = 0

    def _too_much(self, text: str) -> BadHead:
        self._refusal = BadHead(431, text)
        return self._refusal

    # ── requests of ours

    def _idle(self) -> bool:
        """Whether no request of this connection waits for its answer."""
        return self._active is None or bool(self._active.response_complete)

    def _begin(self, cycle: FastCycle) -> None:
        idle = self._idle()
        self.cycle = cast(Any, cycle)
        if idle:
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cast(Any, cycle), self.app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        """Answer the next request of the connection, by whatever carries it."""
        self._active = cycle
        if isinstance(cycle, FastCycle):
            self._start(cycle)
        else:
            self._deadlines.clear(self)
            super()._start_asgi_task(cycle, app)

    def _start(self, cycle: FastCycle) -> None:
        cycle.started = True
        if cycle.size > cycle.max_body or int(cycle.headers.get("content-length", 0)) > cycle.max_body:
            self._too_large(cycle)
        elif not cycle.more_body:
            self._run(cycle)
        else:
            self._deadlines.set(self, BODY_SECONDS)
            if self.expect_100_continue and not self.pipeline:
                self.transport.write(CONTINUE)

    def _too_large(self, cycle: FastCycle) -> None:
        cycle.body.clear()
        cycle.keep_alive = False
        if cycle.started:
            self._respond(
                cycle, refusal_response(Refusal("request_too_large", field="body", limit=cycle.max_body))
            )

    def _run(self, cycle: FastCycle) -> None:
        self._deadlines.clear(self)
        cycle.task = self.loop.create_task(self._answer(cycle))
        self.tasks.add(cycle.task)

    async def _answer(self, cycle: FastCycle) -> None:
        try:
            peer = self._fast.proxies.peer(self._peer, cycle.headers.get("x-forwarded-for"))
            answer = await cycle.found.endpoint.answer(cycle.request(peer, self.root_path))
            if isinstance(answer, Stream):
                self._stream(cycle, answer)
            else:
                self._respond(cycle, answer)
        except (Refusal, Disconnect) as refusal:
            self._respond(cycle, refusal_response(refusal))
        except Exception:
            log.exception("answering failed", extra={"path": cycle.head.path})
            self._respond(cycle, FAULT)
        finally:
            if cycle.task is not None:
                self.tasks.discard(cycle.task)
                cycle.task = None

    def _respond(self, cycle: FastCycle, response: Response) -> None:
        if cycle.disconnected or cycle.response_complete or self.transport.is_closing():
            return
        self._write(response, head_only=cycle.method == "HEAD", close=not cycle.keep_alive)
        cycle.response_complete = True
        if cycle.keep_alive:
            self.on_response_complete()
        else:
            self.server_state.total_requests += 1
            self._linger()

    def _write(self, response: Response, *, head_only: bool, close: bool) -> None:
        common = self.server_state.default_headers
        self.transport.write(response_bytes(response, common, head_only=head_only, close=close))

    # ── streams

    def _stream(self, cycle: FastCycle, stream: Stream) -> None:
        """Answer with a head, then give the transport away: the session writes to it from here on."""
        if cycle.disconnected or self.transport.is_closing():
            return
        chunked = cycle.version == "1.1"
        headers = [*stream.headers.items(), ("content-type", stream.content_type)]
        if chunked:
            headers.append(("transfer-encoding", "chunked"))
        transport = self.transport
        transport.write(head_bytes(200, headers, self.server_state.default_headers, close=True))
        cycle.response_complete = True
        self.server_state.total_requests += 1
        if cycle.method == "HEAD":
            self._linger()
            return
        carrier = EventStream(transport, self.connections, self._deadlines, chunked=chunked)
        self._leave()
        adopt(transport, carrier)
        try:
            carrier.session = stream.open(carrier)
        except (Disconnect, Refusal):
            carrier.write(carrier.framer.frame(stream.busy()))
            carrier.close(Disconnect("over_capacity"))

    def _leave(self) -> None:
        """Give the transport up. The parser holds us and we hold it: parted here, or only the collector would."""
        self.flow.resume_reading()
        self.connections.discard(self)
        self._deadlines.clear(self)
        self.transport = NO_TRANSPORT
        self.parser = cast(Any, None)
        self.cycle = self._active = cast(Any, None)
        self._over = True

    # ── the end of a request, of the connection

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._refusal is not None:
            self._say_refusal(self._refusal)
        if not self.pipeline:
            self.flow.resume_reading()
        if self._idle() and not self._over:
            seconds = self._fast.limits.header_seconds if self._head_open else KEEP_ALIVE_SECONDS
            self._deadlines.set(self, seconds)

    def _refuse(self, refusal: BadHead) -> None:
        """Read nothing more. What was asked before is answered first, then this with no."""
        self._refusal, self._over = refusal, True
        cycle: Any = self.cycle
        if cycle is not None and cycle.more_body and not cycle.response_complete:
            # The refused request had begun; its end will never come.
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle is not self._active:
                self.pipeline.popleft()
            elif getattr(cycle, "response_started", False):
                self.transport.close()
                return
            else:
                self._active = None
        if self._idle():
            self._say_refusal(refusal)

    def _say_refusal(self, refusal: BadHead) -> None:
        self._write(head_refusal(refusal), head_only=False, close=True)
        self._linger()

    def _linger(self) -> None:
        """Close our side only: closing both while the client still sends would reset the connection, and the answer
        would be lost with it (RFC 9112 9.6)."""
        self._over = True
        if self.transport.can_write_eof():
            self._deadlines.set(self, LINGER_SECONDS)
            self.transport.write_eof()
        else:
            self.transport.close()
