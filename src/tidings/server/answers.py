"""Refusals as HTTP answers, and answers as HTTP/1.1 bytes. Holds no connection."""

from __future__ import annotations

import http
import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from tidings.errors import Disconnect, Refusal, Unsubscription
from tidings.protocols.http import Response

STATUS_LINES: Final[dict[int, bytes]] = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in http.HTTPStatus
}

_BAD_HEADER: Final = re.compile(r"[\r\n\0]")
_BODILESS: Final = frozenset((204, 304))


def refusal_response(error: Refusal | Disconnect | Unsubscription) -> Response:
    """No, in JSON, with the catalogue's status."""
    told: dict[str, object] = {
        "code": error.reason.code,
        "name": error.name,
        "message": error.text,
        "retry": error.reason.retry,
    }
    if error.field is not None:
        told["field"] = error.field
    if error.limit is not None:
        told["limit"] = error.limit
    headers = {"Retry-After": "1"} if error.reason.retry else {}
    return Response(status=error.reason.status, body=msgspec.json.encode({"error": told}), headers=headers)


def plain_refusal(status: int, text: str) -> Response:
    """No to a request that could not even be read."""
    told = {"name": "bad_request", "message": text}
    return Response(status=status, body=msgspec.json.encode({"error": told}))


FAULT: Final = Response(
    status=500,
    body=b'{"error":{"name":"internal","message":"the server could not answer; the fault is logged"}}',
)
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
