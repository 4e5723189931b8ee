"""The auth endpoints for Starlette, FastAPI and whatever else mounts Starlette's routes. Decides nothing itself."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tidings.auth.endpoints import (
    HEADERS,
    MAX_FORM,
    Endpoints,
    Identify,
    Rules,
    Steps,
    drive_async,
    is_async,
    wrap,
)
from tidings.auth.signing import Auth


def auth_routes(auth: Auth, *, user: Identify, may: Rules, prefix: str = "/pusher") -> Mount:
    """The endpoints `POST {prefix}/auth` and `POST {prefix}/user-auth`, to stand among an application's routes.

    user: `async (request) -> User | None`; None answers 401. may: `async (user, channel) -> bool | MemberInfo`, or a
    mapping from templates to such functions (`endpoints.Rules`); False answers 403. Plain functions run in a thread.
    Raises ConfigError.

        app = Starlette(routes=[auth_routes(auth, user=current_user, may=may_join)])
        app.router.routes.append(auth_routes(auth, user=current_user, may=may_join))     # FastAPI
    """
    endpoints = Endpoints(auth, user=_awaitable(user), may=wrap(may, _awaitable))
    return Mount(
        prefix,
        routes=[
            Route("/auth", _endpoint(endpoints.channel), methods=["POST"]),
            Route("/user-auth", _endpoint(endpoints.user), methods=["POST"]),
        ],
    )


def _endpoint(steps: Callable[[Any, str, bytes], Steps]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        body = await _read(request)
        again = Request(request.scope, _replay(body))  # the application may want the form too
        answer = await drive_async(steps(again, request.headers.get("content-type", ""), body))
        return Response(answer.body, answer.status, HEADERS, answer.content_type)

    return endpoint


async def _read(request: Request) -> bytes:
    """The body, as far as it is of interest: a byte above the limit is enough to be refused for it."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            break
    return bytes(body)


def _replay(body: bytes) -> Callable[[], Awaitable[MutableMapping[str, Any]]]:
    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _awaitable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function may wait for a database, so it is kept off the event loop."""
    if is_async(function):
        return function
    return functools.partial(run_in_threadpool, function)
