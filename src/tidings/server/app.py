"""The ASGI application: our endpoints, WebSockets and, behind them, somebody else's application if there is one.

On our own server most of it is never called: `http.py` answers before ASGI, by the attribute `fast`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from prometheus_client import generate_latest

from tidings.errors import Refusal
from tidings.node.node import Node
from tidings.protocols.http import Request, Response, Route, json_response
from tidings.server import asgi, welcome
from tidings.server.answers import head_refusal, refusal_response
from tidings.server.asgi import Receive, Scope, Send
from tidings.server.door import WRITE_HEADERS, Door, preflight, with_headers
from tidings.server.fast import Fast
from tidings.server.guard import BadHead, HostRule
from tidings.server.handshake import Handshakes
from tidings.server.poll import Poll
from tidings.server.routing import Answer, Endpoint, Router, Stream, endpoint_of
from tidings.server.snapshot import SnapshotEndpoint
from tidings.server.sockets import SOCKETS, Socket
from tidings.server.sse import Events
from tidings.server.visitors import TrustedProxies

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

ANY_PAGE: Final = {"Access-Control-Allow-Origin": "*"}
"""For endpoints that look at a signature or a bearer token and never at cookies: a page gains nothing by its user."""


class TidingsApp:
    """Everything a node answers, as one ASGI application.

    extra: gets the paths that are not ours. hosts: see `guard.HostRule`. trusted_proxies: see `visitors`.
    """

    def __init__(
        self,
        node: Node,
        *,
        routes: Iterable[Route] = (),
        sockets: Iterable[Socket] = SOCKETS,
        extra: Any = None,
        hosts: Iterable[str] = (),
        trusted_proxies: Iterable[str] = (),
    ) -> None:
        self.node = node
        self.door = Door(node)
        self.extra = extra
        router = Router(_endpoints(self.door, routes))
        if extra is None:
            router.add(welcome.endpoint())
        self.fast = Fast(
            router=router,
            hosts=HostRule(hosts),
            proxies=TrustedProxies(trusted_proxies),
            limits=node.limits,
            handshakes=Handshakes(self.door, sockets),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = asgi.path_of(scope), scope["method"]
        found = self.fast.router.match(method, path)
        if found is None:
            if self.extra is not None and not self.fast.router.methods(path):
                await self.extra(scope, receive, send)
            else:
                await asgi.respond(self._unknown(path), method, send)
            return
        try:
            headers, peer = self.fast.checked(scope)
            body = await asgi.read_body(receive, found.endpoint.max_body)
        except BadHead as refusal:
            await asgi.respond(head_refusal(refusal), method, send)
        except Refusal as refusal:
            await asgi.respond(refusal_response(refusal), method, send)
        except ConnectionError:
            pass
        else:
            request = asgi.request_of(scope, peer, headers, path=path, body=body)
            request = msgspec.structs.replace(request, params=found.params)
            await asgi.answer(found, request, receive, send)

    def _unknown(self, path: str) -> Response:
        """404, or 405 with what the path does know."""
        methods = self.fast.router.methods(path)
        if not methods:
            return refusal_response(Refusal("not_found"))
        return with_headers(refusal_response(Refusal("method_not_allowed")), {"Allow": ", ".join(methods)})

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        handshakes, path = self.fast.handshakes, asgi.path_of(scope)
        assert handshakes is not None
        try:
            place = handshakes.find(path)
            if place is None:
                if self.extra is not None:
                    await self.extra(scope, receive, send)
                    return
                raise Refusal("not_found")
            headers, peer = self.fast.checked(scope)
            request = asgi.request_of(scope, peer, headers, path=path)
            accepted = handshakes.decide(place, request, scope.get("subprotocols") or ())
        except Refusal as refusal:
            await asgi.reject(refusal_response(refusal), scope, receive, send)
        except BadHead as bad:
            await asgi.reject(head_refusal(bad), scope, receive, send)
        else:
            await asgi.accept(accepted, scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The other application's start and end, if there is one; ours are the lifecycle's matter."""
        if self.extra is not None:
            await self.extra(scope, receive, send)
            return
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return


def create_app(node: Node, **options: Any) -> TidingsApp:
    """The application of a node; see `TidingsApp` for the options."""
    return TidingsApp(node, **options)


def _endpoints(door: Door, routes: Iterable[Route]) -> list[Endpoint]:
    node = door.node
    own = [*Events(door).endpoints(), *Poll(door).endpoints(), *SnapshotEndpoint(door).endpoints()]
    own += [Endpoint("GET", path, answer) for path, answer in _status(node).items()]
    patterns: dict[str, list[str]] = {}
    for route in routes:
        endpoint = endpoint_of(route, node.host)
        own.append(endpoint._replace(answer=_for_any_page(endpoint.answer)))
        patterns.setdefault(route.pattern, []).append(route.method)
    own += [
        Endpoint("OPTIONS", pattern, _preflight_of(", ".join(methods)))
        for pattern, methods in patterns.items()
        if "OPTIONS" not in methods
    ]
    return own


def _for_any_page(answer: Answer) -> Answer:
    async def answer_with_cors(request: Request) -> Response | Stream:
        response = await answer(request)
        if isinstance(response, Response) and "origin" in request.headers:
            return with_headers(response, ANY_PAGE)
        return response

    return answer_with_cors


def _preflight_of(methods: str) -> Answer:
    response = preflight(ANY_PAGE, methods, WRITE_HEADERS)

    async def answer(request: Request) -> Response | Stream:
        return response

    return answer


def _status(node: Node) -> Mapping[str, Answer]:
    """/healthz: the process runs. /readyz: it hears its log. /metrics: numbers."""

    async def healthz(request: Request) -> Response | Stream:
        return json_response({"ok": True})

    async def readyz(request: Request) -> Response | Stream:
        ready, particulars = node.ready()
        return json_response(particulars, status=200 if ready else 503)

    async def metrics(request: Request) -> Response | Stream:
        return Response(body=generate_latest(node.metrics.registry), content_type=METRICS_TYPE)

    return {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
