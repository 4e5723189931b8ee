"""Which pages may connect: an app's list of origins against the Origin header. Holds no connection.

Browsers let any page open a WebSocket to any host and send the user's cookies along (OWASP: cross-site WebSocket
hijacking), so the server must look. Comparison is by scheme, whole host and port; never by part of a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.\-]*)://(?P<host>[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?\Z"
)
_PATTERN: Final = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.\-]*)://)?(?P<wild>\*\.)?(?P<host>[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}|\*))?\Z"
)
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class Origin(NamedTuple):
    """A page's origin (RFC 6454). port: the scheme's own when none was written; 0 for schemes without one."""

    scheme: str
    host: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """Read an Origin header; None for `null` and everything else that names no single host."""
    match = _ORIGIN.match(text.lower())
    if match is None:
        return None
    port = int(match["port"]) if match["port"] else _PORTS.get(match["scheme"], 0)
    return Origin(match["scheme"], match["host"], port) if port <= 65535 else None


def allowed(patterns: Sequence[str], origin: str | None, host: str, *, cookies: bool) -> bool:
    """Whether a page of `origin` may connect.

    patterns: `https://example.com`, `https://*.example.com` (subdomains only), `example.com:*`, `*`. Without any:
    every page where no cookies are sent, else the same host only. No Origin header means that no page asks.
    host: the Host header. cookies: whether the request carries any.
    """
    if origin is None:
        return True
    page = parse_origin(origin)
    if page is None:
        return False
    if patterns:
        return any(_fits(pattern, page) for pattern in patterns)
    return not cookies or same_host(page, host)


def same_host(page: Origin, host: str) -> bool:
    """Whether a Host header names the page's own host and port. A proxy may have taken TLS off."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or not port.isdigit():
        name, port = host.lower(), ""
    return name == page.host and (int(port) if port else _PORTS.get(page.scheme, 0)) == page.port


def _fits(pattern: str, page: Origin) -> bool:
    if pattern == "*":
        return True
    match = _PATTERN.match(pattern.lower())
    if match is None:
        return False
    if match["scheme"] and match["scheme"] != page.scheme:
        return False
    if match["port"] != "*":
        port = int(match["port"]) if match["port"] else _PORTS.get(page.scheme, 0)
        if port != page.port:
            return False
    if match["wild"]:
        return page.host.endswith("." + match["host"])
    return page.host == match["host"]
