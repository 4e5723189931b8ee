"""Subprotocols, and the refusals of a handshake under servers that can and cannot send a body."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.fix_server import make_node
from tidings.server.app import TidingsApp
from tidings.server.handshake import chosen, token_in


@pytest.mark.parametrize(
    ("offered", "confirmed", "token"),
    [
        ([], None, None),
        (["phoenix"], "phoenix", None),
        (["phoenix", "base64url.bearer.phx.YWJj"], "phoenix", "abc"),
        (["base64url.bearer.phx.YWI", "x"], "x", "ab"),
        (["base64url.bearer.phx.YWI"], None, "ab"),
        (["base64url.bearer.phx.A"], None, None),
        (["base64url.bearer.phx._w"], None, None),
    ],
)
def test_subprotocols_are_names_or_credentials(
    offered: list[str], confirmed: str | None, token: str | None
) -> None:
    assert chosen(offered) == confirmed
    assert token_in(offered) == token


@pytest.mark.parametrize(
    ("extensions", "types"),
    [
        ({"websocket.http.response": {}}, ["websocket.http.response.start", "websocket.http.response.body"]),
        ({}, ["websocket.close"]),
        (None, ["websocket.close"]),
    ],
)
async def test_a_refusal_fits_the_server(extensions: Any, types: list[str]) -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/ws", "query_string": b"app=nobody", "headers": [(b"host", b"h")],
        "client": ("1.1.1.1", 1), "extensions": extensions,
    }  # fmt: skip
    await TidingsApp(make_node())(scope, receive, send)
    assert [message["type"] for message in sent] == types
    if len(sent) == 2:
        assert sent[0]["status"] == 404
