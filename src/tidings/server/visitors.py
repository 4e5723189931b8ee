"""Who a request comes from: peer behind trusted proxies, token, cookies, stable client id. Holds no rights."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Final

from tidings.errors import Refusal
from tidings.ids import CLIENT_ID_PATTERN, ClientId
from tidings.node.authorizer import Visitor
from tidings.protocols.http import Request

TOKEN_COOKIE: Final = "tidings_token"
"""The cookie that may carry a token, for pages of the same host that cannot set a header."""

CLIENT_PARAMETER: Final = "client_id"
"""The query parameter by which supabase-js and phoenix.js can name a stable client (contract 4)."""

MAX_HOPS: Final = 20
"""Addresses of X-Forwarded-For that are looked at: more is not a chain of proxies."""

_BEARER: Final = re.compile(r"bearer +(\S+) *\Z", re.IGNORECASE)

_HANDSHAKE: Final = frozenset(
    (
        *("connection", "upgrade", "content-length", "pragma", "cache-control", "accept-encoding"),
        *("sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"),
    )
)
"""Headers that say nothing of a client once it is connected. A visitor is kept as long as the connection."""

_SHARED: dict[str, str] = {}
"""Header values that came more than once lie here once: most clients of a server have one host and few browsers."""

MAX_SHARED: Final = 2000
MAX_SHARED_LENGTH: Final = 256

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TrustedProxies:
    """Whose X-Forwarded-For is believed.

    networks: addresses or networks, such as `127.0.0.1` or `10.0.0.0/8`. Raises ValueError for anything else.
    """

    __slots__ = ("_networks",)

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks: tuple[Network, ...] = tuple(
            ipaddress.ip_network(text, strict=False) for text in networks
        )

    def peer(self, address: str, forwarded: str | None) -> str:
        """The client's address: the last hop that is not one of our proxies. A client cannot choose it."""
        if not self._networks or forwarded is None or not self._trusted(address):
            return address
        for hop in reversed(forwarded.split(",")[-MAX_HOPS:]):
            hop = hop.strip()
            try:
                ipaddress.ip_address(hop)
            except ValueError:
                return address
            address = hop
            if not self._trusted(hop):
                break
        return address

    def _trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._networks)


NO_PROXIES: Final = TrustedProxies()


def visitor_of(request: Request, *, client: ClientId | None = None) -> Visitor:
    """What is known of a client before a word was said.

    Raises Refusal `bad_request` for a malformed client id or a second token.

    client: a stable id found elsewhere, in the path; the query's otherwise.
    """
    headers = request.headers
    pairs = request.pairs()
    return Visitor(
        peer=share(request.peer),
        origin=share(headers["origin"]) if "origin" in headers else None,
        host=share(headers.get("host", "")),
        token=token_of(headers, pairs),
        client=client or client_of(pairs),
        headers={sys.intern(name): share(value) for name, value in headers.items() if name not in _HANDSHAKE},
        path=share(request.path),
    )


def share(value: str) -> str:
    """The same text, kept once for all connections where it is short and there is room."""
    known = _SHARED.get(value)
    if known is not None:
        return known
    if len(value) <= MAX_SHARED_LENGTH and len(_SHARED) < MAX_SHARED:
        _SHARED[value] = value
    return value


def token_of(headers: Mapping[str, str], pairs: Sequence[tuple[str, str]]) -> str | None:
    """The token: from `Authorization: Bearer`, else the cookie, else the query. An empty one is none.

    Raises Refusal `bad_request` when the query has two.
    """
    match = _BEARER.match(headers.get("authorization", ""))
    if match is not None:
        return match[1]
    cookie = headers.get("cookie")
    if cookie is not None and TOKEN_COOKIE in cookie:
        found = _cookie(cookie)
        if found:
            return found
    given = [value for name, value in pairs if name == "token"]
    if len(given) > 1:
        raise Refusal("bad_request", field="token", detail="is given twice")
    return given[0] or None if given else None


def _cookie(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(TOKEN_COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None else None


def client_of(pairs: Sequence[tuple[str, str]]) -> ClientId | None:
    """The stable client id of a query. Raises Refusal `bad_request`."""
    found = next((value for name, value in pairs if name == CLIENT_PARAMETER), None)
    return None if found is None else check_client(found)


def check_client(text: str) -> ClientId:
    """Raises Refusal `bad_request` for what cannot be a client id."""
    if CLIENT_ID_PATTERN.match(text) is None:
        raise Refusal("bad_request", field=CLIENT_PARAMETER, detail="use 1 to 64 letters, digits, _ - .")
    return ClientId(text)
