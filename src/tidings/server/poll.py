"""`GET /poll`: a page of the log, at once or as soon as there is one. Holds no log: the node reads."""

from __future__ import annotations

from tidings.errors import EngineUnavailable, Refusal
from tidings.protocols.http import Request, Response
from tidings.protocols.personal import refused_response
from tidings.protocols.poll.server import page_response, parse_poll
from tidings.server.door import Door, with_headers
from tidings.server.routing import Endpoint, Stream
from tidings.server.visitors import visitor_of

PATH = "/poll"


class Poll:
    """The endpoint of polling. No more polls wait at once than there may be connections."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._waiting = 0

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint("GET", PATH, self.answer, abandons=True),
            Endpoint("OPTIONS", PATH, self._door.preflight),
        )

    async def answer(self, request: Request) -> Response | Stream:
        """A page, or why not."""
        cors: dict[str, str] = {}
        try:
            node = self._door.node
            query = parse_poll(request, max_wait=node.limits.poll_seconds)
            app = node.apps.named(query.app)
            cors = self._door.check_origin(app, request)
            if self._waiting >= node.limits.connections:
                raise Refusal("busy", detail="too many polls are waiting")
            if app.quotas.connections and app.connected >= app.quotas.connections:
                raise Refusal("busy", detail="the app has as many clients as its quota allows")
            self._waiting += 1
            app.waiting += 1
            try:
                visitor = visitor_of(request)
                page = await node.poll(app, visitor, query.channels, query.after, query.wait, query.filter)
            finally:
                self._waiting -= 1
                app.waiting -= 1
        except EngineUnavailable as error:
            return with_headers(refused_response(error.refusal()), cors)
        except Refusal as refusal:
            return with_headers(refused_response(refusal), cors)
        response = page_response(
            request,
            page.messages,
            head=page.head,
            complete=page.complete,
            after=query.after,
            resets=page.resets,
            reached=page.reached,
        )
        return with_headers(response, {**cors, "Vary": response.headers["Vary"]} if cors else {})
