"""`GET /snapshot`: a channel's rows and the cursor to follow them from. Holds no state: the node reads."""

from __future__ import annotations

from tidings.errors import Refusal
from tidings.protocols.http import Request, Response
from tidings.protocols.personal import refused_response
from tidings.protocols.snapshots import parse_snapshot, snapshot_response
from tidings.server.door import Door, with_headers
from tidings.server.routing import Endpoint, Stream
from tidings.server.visitors import visitor_of

PATH = "/snapshot"


class SnapshotEndpoint:
    """The endpoint of snapshots."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def endpoints(self) -> tuple[Endpoint, ...]:
        return (
            Endpoint("GET", PATH, self.answer, abandons=True),
            Endpoint("OPTIONS", PATH, self._door.preflight),
        )

    async def answer(self, request: Request) -> Response | Stream:
        """The rows, or why not."""
        cors: dict[str, str] = {}
        try:
            node = self._door.node
            query = parse_snapshot(request)
            app = node.apps.named(query.app)
            cors = self._door.check_origin(app, request)
            self._door.admit(request)
            state = await node.snapshots.read(app, visitor_of(request), query.channels)
        except Refusal as refusal:
            return with_headers(refused_response(refusal), cors)
        response = snapshot_response(state.cursor, state.rows)
        return with_headers(response, {**cors, "Vary": response.headers["Vary"]} if cors else {})
