"""Refusals as HTTP answers, and answers as HTTP/1.1 bytes. Holds no connection."""

from __future__ import annotations

import http
import re
from collections.abc import Iterable, Mapping
from typing import Final

from tidings.errors import Disconnect, Refusal, Unsubscription
from tidings.protocols.http import Response
from tidings.protocols.neutral_writing import error_body
from tidings.server.guard import BadHead

STATUS_LINES: Final[dict[int, bytes]] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus
}

_BAD_HEADER: Final = re.compile(r"[\r\n\0]")
_BODILESS: Final = frozenset((204, 304))


def refusal_response(error: Refusal | Disconnect | Unsubscription) -> Response:
    """No, in JSON, with the catalogue's status."""
    headers = {"Retry-After": "1"} if error.reason.retry else {}
    return Response(status=error.reason.status, body=error_body(error), headers=headers)


def head_refusal(bad: BadHead) -> Response:
    """No to a request that could not even be read. HTTP has more statuses for that than the catalogue has names."""
    return Response(status=bad.status, body=error_body(Refusal(bad.name, detail=bad.text)))


TOO_SLOW: Final = Response(
    status=408, body=error_body(Disconnect("silent", detail="the request took too long"))
)
"""To a request whose head or body did not come to its end in time."""

FAULT: Final = refusal_response(Refusal("internal"))
"""What a client is told of a fault of ours: that there was one."""


def head_bytes(
    status: int, headers: Iterable[tuple[str, str]], common: Iterable[tuple[bytes, bytes]], *, close: bool
) -> bytes:
    """Status line and headers up to the empty line. common: of every answer, such as the date.

    Raises ValueError for a header that would begin another one.
    """
    parts = [STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
    for raw_name, raw_value in common:
        parts.append(b"%b: %b\r\n" % (raw_name, raw_value))
    for name, value in headers:
        if _BAD_HEADER.search(name) or _BAD_HEADER.search(value):
            raise ValueError("a header holds a line break")
        parts.append(f"{name}: {value}\r\n".encode("latin-1"))
    if close:
        parts.append(b"connection: close\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


def response_bytes(
    response: Response, common: Iterable[tuple[bytes, bytes]], *, head_only: bool, close: bool
) -> bytes:
    """A whole answer. head_only: to a HEAD request. close: the connection ends with it."""
    headers = list(response_headers(response).items())
    head = head_bytes(response.status, headers, common, close=close)
    return head if head_only or response.status in _BODILESS else head + response.body


def response_headers(response: Response) -> Mapping[str, str]:
    """An answer's headers with its type and length."""
    own = dict(response.headers)
    if response.status not in _BODILESS:
        own["content-type"] = response.content_type
        own["content-length"] = str(len(response.body))
    return own
