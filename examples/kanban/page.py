"""Serving the built page: files, cache and security headers. Knows nothing of boards."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from examples.kanban.problems import Problem, problem_response
from examples.kanban.seed import USERS
from examples.kanban.sessions import remember_user

CONTENT_POLICY: Final = (
    "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; object-src 'none'; frame-ancestors "
)
SECURITY_HEADERS: Final = (
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
"""Everything the page loads is its own; WebSockets may go to a live server on another port."""

NOT_BUILT: Final = "The page is not built yet. Run: npm --prefix web/demos/kanban run build\n"


class Page:
    """The single page and its hashed assets."""

    def __init__(self, static: Path) -> None:
        self._static = static

    def routes(self) -> list[BaseRoute]:
        """The page at the root; assets beneath it."""
        assets = StaticFiles(directory=self._static / "assets", check_dir=False)
        return [
            Route("/", self.index),
            Route("/api/{rest:path}", no_such_route),
            Mount("/assets", _forever(assets)),
        ]

    async def index(self, request: Request) -> Response:
        """GET: the page. `?user=Ada` also signs that user in."""
        index = self._static / "index.html"
        if not index.is_file():
            return Response(NOT_BUILT, status_code=503, media_type="text/plain")
        response = FileResponse(index, headers={"Cache-Control": "no-cache"})
        user = request.query_params.get("user")
        return remember_user(response, user) if user in USERS else response


async def no_such_route(request: Request) -> Response:
    """Any other path below /api."""
    raise Problem(
        404,
        "no_such_route",
        f"There is no {request.url.path}.",
        fix="See the README for the paths that exist.",
    )


async def http_problem(request: Request, error: Exception) -> Response:
    """Starlette's own refusals (404, 405) in the form of all others."""
    assert isinstance(error, HTTPException)
    name = HTTPStatus(error.status_code).phrase
    problem = Problem(
        error.status_code,
        name.lower().replace(" ", "_"),
        f"{request.method} {request.url.path}: {name}.",
        fix="See the README for the paths and methods that exist.",
        headers=dict(error.headers or {}),
    )
    return await problem_response(request, problem)


def _forever(app: ASGIApp) -> ASGIApp:
    """Built assets carry a hash of their content in the name, so a cache may keep them."""
    return _with_headers(app, ((b"cache-control", b"public, max-age=31536000, immutable"),))


def with_security_headers(app: Starlette, *, framed_by: str = "'self'") -> Starlette:
    """Add the headers to every answer of the app. framed_by: who may show the page in a frame (CSP sources)."""
    policy = (b"content-security-policy", (CONTENT_POLICY + framed_by).encode())
    app.add_middleware(_SecurityHeaders, headers=(*SECURITY_HEADERS, policy))
    return app


class _SecurityHeaders:
    def __init__(self, app: ASGIApp, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._app = _with_headers(app, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _with_headers(app: ASGIApp, extra: tuple[tuple[bytes, bytes], ...]) -> ASGIApp:
    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *extra]
            await send(message)

        await app(scope, receive, send_with_headers)

    return wrapped
