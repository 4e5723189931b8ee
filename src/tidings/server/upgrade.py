"""The WebSocket handshake of RFC 6455 4.2 over a request's headers: websockets' own judgement, without a connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidMethod, InvalidUpgrade
from websockets.headers import parse_subprotocol
from websockets.http11 import Request
from websockets.server import ServerProtocol

from tidings.server.guard import BadHead, Header

_JUDGE: Final = ServerProtocol()
"""Looks at requests and keeps nothing of them that we read; so one is enough."""


def check_upgrade(method: str, headers: Sequence[Header]) -> tuple[str, list[str]]:
    """Judge a handshake; returns the accept token and the subprotocols that are offered.

    Raises BadHead: 405 for another method, 426 for another upgrade, 400 for everything else.
    """
    if method != "GET":
        raise BadHead(405, "a WebSocket begins with GET")
    found = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])
    try:
        accept, _, _ = _JUDGE.process_request(Request("/", found))
        offered = [
            name for line in found.get_all("sec-websocket-protocol") for name in parse_subprotocol(line)
        ]
    except InvalidMethod as error:
        raise BadHead(405, str(error)) from error
    except InvalidUpgrade as error:
        raise BadHead(426, str(error)) from error
    except InvalidHandshake as error:
        raise BadHead(400, str(error)) from error
    return accept, [str(name) for name in offered]


def switching(accept: str, subprotocol: str | None) -> bytes:
    """The answer that ends the handshake."""
    chosen = f"sec-websocket-protocol: {subprotocol}\r\n" if subprotocol else ""
    return (
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        f"sec-websocket-accept: {accept}\r\n{chosen}\r\n"
    ).encode("latin-1")
