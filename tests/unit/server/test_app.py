"""The application as a whole: what is ours, what is somebody else's, what is nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.fix_server import make_node
from tidings.protocols.http import Host, Request, Response, Route
from tidings.server.app import TidingsApp, create_app


async def greet(request: Request, host: Host) -> Response:
    return Response(body=b"hello " + request.params["name"].encode())


ROUTES = (Route("POST", "/greet/{name}", greet, max_body=3),)


async def extra(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"extra"})


async def ask(
    app: TidingsApp, method: str, path: str, *, body: bytes = b"", root: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [
        (name.replace("_", "-").encode(), value.encode()) for name, value in {"host": "h", **headers}.items()
    ]
    scope = {"type": "http", "method": method, "path": root + path, "root_path": root, "query_string": b"",
             "headers": raw, "client": ("1.1.1.1", 1), "http_version": "1.1"}  # fmt: skip
    await app(scope, receive, send)
    got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent[1:])


async def test_a_route_is_answered_wherever_we_are_mounted() -> None:
    app = create_app(make_node(), routes=ROUTES)
    for root in ("", "/live"):
        assert (await ask(app, "POST", "/greet/you", root=root))[2] == b"hello you"


async def test_a_body_above_the_limit_is_refused() -> None:
    app = TidingsApp(make_node(), routes=ROUTES)
    assert (await ask(app, "POST", "/greet/you", body=b"abc"))[0] == 200
    assert (await ask(app, "POST", "/greet/you", body=b"abcd"))[0] == 413


async def test_pages_may_use_routes_without_cookies() -> None:
    app = TidingsApp(make_node(), routes=ROUTES)
    _, headers, _ = await ask(app, "POST", "/greet/you", origin="http://p")
    assert headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in headers
    status, headers, _ = await ask(app, "OPTIONS", "/greet/you", origin="http://p")
    assert (status, headers["access-control-allow-methods"]) == (204, "POST")


async def test_what_is_nobodys_is_404_and_405_in_json() -> None:
    app = TidingsApp(make_node(), routes=ROUTES)
    status, headers, body = await ask(app, "GET", "/nowhere")
    assert (status, headers["content-type"]) == (404, "application/json")
    assert b"not_found" in body
    status, headers, _ = await ask(app, "GET", "/greet/you")
    assert (status, headers["allow"]) == (405, "OPTIONS, POST")


async def test_what_is_somebody_elses_is_left_to_him() -> None:
    app = TidingsApp(make_node(), routes=ROUTES, extra=extra)
    assert (await ask(app, "GET", "/nowhere"))[0] == 299
    assert (await ask(app, "GET", "/greet/you"))[0] == 405


async def test_hosts_are_checked_under_any_server() -> None:
    app = TidingsApp(make_node(), hosts=["good"])
    assert (await ask(app, "GET", "/healthz"))[0] == 400
    assert (await ask(app, "GET", "/healthz", host="good"))[0] == 200


async def test_an_unready_node_is_told_by_503() -> None:
    node = make_node()
    node.draining = True
    assert (await ask(TidingsApp(node), "GET", "/readyz"))[0] == 503


@pytest.mark.parametrize("with_extra", [False, True])
async def test_the_lifespan_is_answered_by_whoever_has_one(*, with_extra: bool) -> None:
    seen: list[str] = []

    async def other(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    coming = ["lifespan.startup", "lifespan.shutdown"]

    async def receive() -> Any:
        return {"type": coming.pop(0)}

    async def send(message: Any) -> None:
        seen.append(message["type"])

    app = TidingsApp(make_node(), extra=other if with_extra else None)
    await app({"type": "lifespan"}, receive, send)
    assert seen == (
        ["lifespan"] if with_extra else ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    )
