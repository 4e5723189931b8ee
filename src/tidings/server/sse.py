"""`GET /events`: decides whether a stream begins, and with which session. `stream.py` and `asgi.py` carry it."""

from __future__ import annotations

from tidings.commands import Subscribe
from tidings.errors import Refusal
from tidings.node.apps import App
from tidings.node.authorizer import Visitor
from tidings.node.session import Session, Transport
from tidings.protocols.http import Request, Response
from tidings.protocols.sse.server import (
    CONTENT_TYPE,
    HEADERS,
    RETRY_LOADED_MS,
    EventsQuery,
    overload_body,
    parse_events,
    refused_response,
    retry_ms,
)
from tidings.server.door import Door, with_headers
from tidings.server.routing import Endpoint, Stream
from tidings.server.visitors import visitor_of

PATH = "/events"


class Events:
    """The endpoint of event streams."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint("GET", PATH, self.answer, abandons=True),
            Endpoint("OPTIONS", PATH, self._door.preflight),
        )

    async def answer(self, request: Request) -> Response | Stream:
        """A stream, or why not. What may succeed later is never told by a status: it would end an EventSource."""
        door = self._door
        cors: dict[str, str] = {}
        try:
            query = parse_events(request)
            app = door.node.apps.named(query.app)
            cors = door.check_origin(app, request)
            visitor = visitor_of(request)
            door.admit(request)
            if door.node.draining:
                raise Refusal("unavailable")
            await door.node.check(app, visitor, query.channels)
        except Refusal as refusal:
            return with_headers(refused_response(refusal, self._busy_ms()), cors)

        def open_session(transport: Transport) -> Session:
            return self._open(query, app, visitor, transport)

        return Stream({**HEADERS, **cors}, CONTENT_TYPE, open_session, self._busy)

    def _open(self, query: EventsQuery, app: App, visitor: Visitor, transport: Transport) -> Session:
        """Raises Disconnect, Refusal."""
        node = self._door.node
        protocol = query.server(retry_ms(self._door.chance(), self._door.load() ** 4))
        session = node.connect(app, protocol, transport, visitor)
        session.submit(Subscribe(channels=query.channels, after=query.after, filter=query.filter))
        return session

    def _busy_ms(self) -> int:
        return int(RETRY_LOADED_MS * (1.0 + self._door.chance()))

    def _busy(self) -> bytes:
        return overload_body(self._busy_ms())
