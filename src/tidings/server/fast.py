"""What the application hands to the HTTP protocol class, so that our own endpoints are answered before ASGI."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import msgspec

from tidings.node.limits import Limits
from tidings.server.cycle import join_headers
from tidings.server.guard import Header, HostRule, check_headers
from tidings.server.handshake import Handshakes
from tidings.server.routing import Router
from tidings.server.visitors import NO_PROXIES, TrustedProxies

KEEP_ALIVE_SECONDS = 75.0
"""A quiet connection is kept for so long: above the 60 s of common proxies, so that it is they who close."""

BODY_SECONDS = 30.0
"""For a request's body to come whole: 1 MiB over a poor line."""


class Fast(msgspec.Struct, frozen=True, kw_only=True):
    """Our endpoints and the rules of the door. An ASGI application carries it as its attribute `fast`."""

    router: Router
    hosts: HostRule = HostRule()
    proxies: TrustedProxies = NO_PROXIES
    limits: Limits = Limits()
    handshakes: Handshakes | None = None

    def checked(self, scope: MutableMapping[str, Any]) -> tuple[dict[str, str], str]:
        """Headers and peer of an ASGI scope; another server may have let it in, so the door's rules come first.

        Raises BadHead.
        """
        headers: list[Header] = [(name.lower(), value) for name, value in scope["headers"]]
        single = check_headers(scope.get("http_version", "1.1")[:3], headers)
        self.hosts.check(single.get(b"host", b"").decode("latin-1").lower())
        joined = join_headers(headers)
        client = scope.get("client")
        return joined, self.proxies.peer(client[0] if client else "", joined.get("x-forwarded-for"))


DEFAULT = Fast(router=Router())
"""For an application that carries none: the rules of the door hold all the same."""
