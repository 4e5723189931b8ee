"""The server's side of polling: what a request asks, and the answer to it. It waits for nothing and reads no log."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.messages import Message, Position
from tidings.protocols.http import Request, Response
from tidings.protocols.personal import HEADERS
from tidings.protocols.poll.pages import etag, matches_etag, next_cursor, page_body
from tidings.protocols.queries import Parameters
from tidings.row_filters import RowFilter

MAX_WAIT: Final = 60.0
"""Seconds: below the idle limits of common proxies."""

_SECONDS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?\Z", re.ASCII)


class PollQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a poll asks. after: None for the present cursor and no messages. wait: seconds, 0 answers at once."""

    channels: tuple[ChannelName, ...]
    after: Position | None = None
    wait: float = 0.0
    filter: RowFilter | None = None
    app: str | None = None


def parse_poll(request: Request, *, max_wait: float = MAX_WAIT) -> PollQuery:
    """Read `GET /poll`. Raises Refusal with the parameter's name."""
    parameters = Parameters(request.pairs())
    return PollQuery(
        channels=parameters.channels(),
        after=parameters.cursor(),
        wait=_wait(parameters.one("wait"), max_wait),
        filter=parameters.filter(),
        app=parameters.app(),
    )


def _wait(text: str | None, limit: float) -> float:
    if text is None:
        return 0.0
    if _SECONDS.match(text) is None or float(text) > limit:
        raise Refusal("bad_request", field="wait", detail="must be seconds, such as 25", limit=int(limit))
    return float(text)


def page_response(
    request: Request,
    messages: Sequence[Message],
    *,
    head: Position,
    complete: bool,
    after: Position | None,
    resets: Mapping[ChannelName, str],
    reached: Position | None = None,
) -> Response:
    """Answer with a page (the fields of `engines.base.Page` and the query's cursor): 200, or 304 for the known one.

    reached: where reading ended, when a filter kept messages back.
    """
    cursor = next_cursor(messages, head=head, complete=complete, after=after, resets=resets, reached=reached)
    body = page_body(messages, cursor=cursor, resets=resets)
    tag = etag(body)
    headers = {**HEADERS, "ETag": tag}
    known = request.headers.get("if-none-match")
    if known is not None and matches_etag(known, tag):
        return Response(status=304, headers=headers)
    return Response(body=body, headers=headers)
