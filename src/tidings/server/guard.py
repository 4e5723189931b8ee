"""Checks of an HTTP request's head, stricter than any parser's: what is doubtful is refused. Holds no connection.

A request that two programs in a row may read differently is how requests are smuggled past the first of them
(RFC 9112 11.2), so whatever allows two readings is refused with 400.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

MAX_HEADERS: Final = 100
"""Browsers send about 20; each costs memory before anybody is authenticated."""

MAX_TARGET: Final = 8 << 10
"""Bytes of path and query: what proxies commonly let through, and 100 channel names of a usual length."""

_SINGLE: Final = frozenset(
    b"host content-length transfer-encoding authorization origin content-type expect upgrade sec-websocket-key "
    b"sec-websocket-version last-event-id idempotency-key".split()
)
"""Headers that decide something: two of them have two readings."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(
    rf"(?P<name>{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:.]{{2,45}}\])(?::(?P<port>[0-9]{{1,5}}))?\Z"
)
_ABSOLUTE: Final = re.compile(r"https?://([^/?#@]*)(/[^?]*)?(?:\?(.*))?\Z", re.IGNORECASE | re.DOTALL)
_BAD_TARGET: Final = re.compile(rb"[^\x21\x22\x24-\x7e]")  # controls, space, '#', everything beyond ASCII
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BAD_PATH: Final = re.compile(r"[\x00-\x1f\x7f]")

_NAMES: Final = {405: "method_not_allowed", 414: "request_too_large", 431: "request_too_large"}

Header = tuple[bytes, bytes]


class BadHead(Exception):
    """The request's head is refused. status: the HTTP status to answer with. name: the catalogue's, by default what
    the status says."""

    def __init__(self, status: int, text: str, *, name: str | None = None) -> None:
        self.status = status
        self.text = text
        self.name = name or _NAMES.get(status, "bad_request")
        super().__init__(text)


class Head(NamedTuple):
    """What a checked head says. path: decoded once. query: raw. host: lower case, with its port if one was given."""

    path: str
    query: str
    host: str


class HostRule:
    """Which hosts this server answers to; without a list any that is well formed.

    allowed: names with or without port; `*.example.com` allows each subdomain.
    """

    __slots__ = ("_exact", "_known", "_suffixes")

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        names = [name.lower() for name in allowed]
        self._exact = frozenset(name for name in names if not name.startswith("*."))
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self._known: str | None = None  # the last host found good: a server usually has one

    def check(self, host: str) -> None:
        """Raises BadHead for a host that is malformed or not one of ours."""
        if host == self._known:
            return
        match = _HOST.match(host)
        if match is None or (match["port"] and int(match["port"]) > 65535):
            raise BadHead(400, "the Host header is malformed", name="bad_host")
        if self._exact or self._suffixes:
            name = match["name"]
            if not ({host, name} & self._exact or name.endswith(self._suffixes or ("\0",))):
                raise BadHead(400, "the Host header is not allowed", name="bad_host")
        self._known = host


def check_head(
    method: bytes, target: bytes, version: str, headers: Sequence[Header], hosts: HostRule
) -> Head:
    """Check a whole head. Header names in lower case. Raises BadHead."""
    if version not in ("1.1", "1.0"):
        raise BadHead(400, "only versions 1.0 and 1.1 of HTTP are spoken here")
    if method == b"CONNECT":
        raise BadHead(400, "this is not a proxy")
    single = check_headers(version, headers)
    host = single.get(b"host", b"").decode("latin-1").lower()
    if b"host" in single:
        hosts.check(host)
    elif version == "1.1":
        raise BadHead(400, "a Host header is needed", name="bad_host")
    path, query, authority = split_target(target)
    if authority is not None:
        hosts.check(authority)
        if authority != host:
            raise BadHead(400, "the target and the Host header name different hosts")
    return Head(path, query, host)


def check_headers(version: str, headers: Sequence[Header]) -> dict[bytes, bytes]:
    """Check number, repetition and framing of headers; returns those that may stand once. Raises BadHead."""
    if len(headers) > MAX_HEADERS:
        raise BadHead(431, f"more than {MAX_HEADERS} headers")
    single: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _SINGLE:
            if name in single:
                raise BadHead(400, f"more than one {name.decode('latin-1')} header")
            single[name] = value
    if b"transfer-encoding" in single:
        _check_chunked(version, single)
    length = single.get(b"content-length")
    if length is not None and not (length.isdigit() and len(length) <= 18):
        raise BadHead(400, "the Content-Length is malformed")
    if single.get(b"upgrade", b"").lower() == b"websocket" and length not in (None, b"0"):
        raise BadHead(400, "a WebSocket handshake has no body")
    if single.get(b"expect", b"100-continue").lower() != b"100-continue":
        raise BadHead(417, "only 100-continue can be expected")
    return single


def _check_chunked(version: str, single: dict[bytes, bytes]) -> None:
    if b"content-length" in single:
        raise BadHead(400, "Content-Length and Transfer-Encoding together")
    if version == "1.0":
        raise BadHead(400, "version 1.0 has no Transfer-Encoding")
    if single[b"transfer-encoding"].lower() != b"chunked":
        raise BadHead(400, "the only Transfer-Encoding is chunked")
    if b"upgrade" in single:
        raise BadHead(400, "an upgrade has no body")


def split_target(target: bytes) -> tuple[str, str, str | None]:
    """Path (decoded once), query (raw) and, for the absolute form, authority. Raises BadHead."""
    if len(target) > MAX_TARGET:
        raise BadHead(414, f"the target is longer than {MAX_TARGET} bytes")
    if _BAD_TARGET.search(target):
        raise BadHead(400, "the target is malformed")
    text = target.decode("ascii")
    if text.startswith("/"):
        path, _, query = text.partition("?")
        return decode_path(path), query, None
    match = _ABSOLUTE.match(text)
    if match is None:
        if text == "*":
            return "*", "", None
        raise BadHead(400, "the target is malformed")
    return decode_path(match[2] or "/"), match[3] or "", match[1].lower()


def decode_path(path: str) -> str:
    """Percent-decode a path, once. Raises BadHead for what is not UTF-8, or hides control characters."""
    if "%" not in path:
        return path
    if _BAD_PERCENT.search(path):
        raise BadHead(400, "the path's percent-encoding is malformed")
    try:
        decoded = unquote_to_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise BadHead(400, "the path is not UTF-8") from error
    if _BAD_PATH.search(decoded):
        raise BadHead(400, "the path holds a control character")
    return decoded
