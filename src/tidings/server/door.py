"""What every endpoint asks before it lets somebody in: the node, how often an address comes, which page it is."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from tidings.errors import Refusal
from tidings.node.apps import App
from tidings.node.node import Node
from tidings.protocols.http import Request, Response
from tidings.server.admission import Admission
from tidings.server.origins import allowed, parse_origin

log = logging.getLogger(__name__)

PREFLIGHT_SECONDS: Final = 600
"""For which a browser may remember what it may ask."""

MAX_TOLD: Final = 100
"""Refused origins that are logged, each once for an app: it is the operator who can allow them, and strangers must not
fill the log."""

READ_HEADERS: Final = "Authorization, Cache-Control, If-None-Match, Last-Event-ID"
WRITE_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, X-Client-Info, X-Socket-Id, apikey"


class Door:
    """One node's entrance.

    chance: 0 to 1, for the jitter of `retry:`. clock: monotonic seconds.
    """

    def __init__(
        self,
        node: Node,
        *,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.node = node
        self.chance = chance
        self._clock = clock
        self._admission = Admission(node.limits.connects_per_second)
        self._told: set[tuple[str, str]] = set()  # app and origin of refusals that were logged

    def admit(self, request: Request) -> None:
        """Count a connect. Raises Refusal `rate_limited`."""
        if not self._admission.allow(request.peer, self._clock()):
            limit = int(self.node.limits.connects_per_second)
            raise Refusal("rate_limited", detail="too many connects from this address", limit=limit)

    def load(self) -> float:
        """How full the node is, 0 to 1."""
        return min(1.0, self.node.connections / max(1, self.node.limits.connections))

    def check_origin(self, app: App, request: Request) -> dict[str, str]:
        """CORS headers for the page that asks, none when no page does. Raises Refusal `bad_origin`."""
        origin = request.headers.get("origin")
        if origin is None:
            return {}
        cookies = "cookie" in request.headers
        if not allowed(app.origins, origin, request.headers.get("host", ""), cookies=cookies):
            self._tell(app, origin)
            raise Refusal("bad_origin", field="Origin")
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": "ETag, Retry-After",
            "Vary": "Origin",
        }

    async def preflight(self, request: Request) -> Response:
        """Answer a browser that asks before it reads. Raises Refusal `bad_origin`, `unknown_app`."""
        app = self.node.apps.named(next((value for name, value in request.pairs() if name == "app"), None))
        return preflight(self.check_origin(app, request), "GET, HEAD", READ_HEADERS)

    def _tell(self, app: App, origin: str) -> None:
        """Log a refused page once, with the line that would let it in."""
        known = (app.id, origin)
        if parse_origin(origin) is None or known in self._told or len(self._told) >= MAX_TOLD:
            return
        self._told.add(known)
        line = f"origins = {json.dumps([*app.origins, origin])}"
        log.warning(
            "origin %s is refused by app %s; to let it in, and no origin that is not listed: [[apps]] %s",
            *(origin, app.id, line),
            extra={"app": app.id, "origin": origin, "line": line},
        )


def preflight(cors: Mapping[str, str], methods: str, headers: str) -> Response:
    """The answer to a browser that asks before it asks (Fetch 4.8)."""
    own = {
        **cors,
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": headers,
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }
    return Response(status=204, headers=own)


def with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    """The same answer with more headers."""
    return msgspec.structs.replace(response, headers={**response.headers, **headers}) if headers else response
