"""Answers that belong to whoever asked: what keeps shared caches from them, and how such a request is refused.

Holds no endpoint: polling and snapshots share it.
"""

from __future__ import annotations

from typing import Final

from tidings.errors import Refusal
from tidings.protocols.http import Response
from tidings.protocols.neutral_writing import error_body

RETRY_AFTER: Final = 1
"""Seconds in `Retry-After` for what may succeed later."""

HEADERS: Final = {"Cache-Control": "no-store", "Vary": "Authorization, Cookie, Origin"}
"""Of every answer: it belongs to whoever may read its channels, and shared caches do not know who that is."""


def refused_response(refusal: Refusal) -> Response:
    """Answer no, with the catalogue's status and `{"error": {…}}`."""
    headers = dict(HEADERS)
    if refusal.reason.retry:
        headers["Retry-After"] = str(RETRY_AFTER)
    if refusal.reason.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(status=refusal.reason.status, body=error_body(refusal), headers=headers)
