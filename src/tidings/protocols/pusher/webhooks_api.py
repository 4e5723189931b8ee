"""The dead letters of the webhooks over HTTP: list and replay, signed as the Pusher HTTP API is. Not Pusher's own.

It holds no list: whoever keeps one is given to `webhook_routes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from tidings.errors import Refusal
from tidings.ids import AppId
from tidings.protocols.http import Response, Route, json_response
from tidings.protocols.pusher.door import Call, endpoint, read_body

MAX_PAGE: Final = 1_000
"""Dead letters in one answer."""

PAGE: Final = 100
"""Dead letters in one answer when the request does not say."""

MAX_IDS: Final = 1_000
"""Dead letters that one request may name."""


class DeadLetters(Protocol):
    """Who keeps the dead letters."""

    def dead_letters(
        self, app: AppId, *, after: str | None, limit: int
    ) -> tuple[Sequence[dict[str, Any]], bool]:
        """Entries as JSON shows them, oldest first, behind the one with the id `after`; and whether there are more."""
        ...

    async def replay(self, app: AppId, ids: Sequence[str] | None) -> int:
        """Send again those named, else the oldest; returns how many."""
        ...


class ReplayBody(msgspec.Struct, frozen=True):
    """Body of the replay. Without `ids`: the oldest, as many as go at once."""

    ids: tuple[str, ...] | None = None


def webhook_routes(letters: DeadLetters) -> tuple[Route, ...]:
    """`GET /apps/{app_id}/webhooks/dead` and `POST /apps/{app_id}/webhooks/dead/replay`."""

    async def list_dead(call: Call) -> Response:
        after = call.signed.parameter("after") or None
        entries, more = letters.dead_letters(call.app.id, after=after, limit=_limit(call))
        return json_response({"dead": entries, "more": more})

    async def replay(call: Call) -> Response:
        body = read_body(call.request, ReplayBody) if call.request.body else ReplayBody()
        if body.ids is not None and len(body.ids) > MAX_IDS:
            raise Refusal("bad_request", field="ids", detail="too many at once", limit=MAX_IDS)
        return json_response({"replayed": await letters.replay(call.app.id, body.ids)})

    return (
        Route("GET", "/apps/{app_id}/webhooks/dead", endpoint(list_dead)),
        Route("POST", "/apps/{app_id}/webhooks/dead/replay", endpoint(replay)),
    )


def _limit(call: Call) -> int:
    given = call.signed.parameter("limit") or str(PAGE)
    if not (given.isascii() and given.isdigit() and len(given) <= 4 and 1 <= int(given) <= MAX_PAGE):
        raise Refusal(
            "bad_request", field="limit", detail="expected a whole number above zero", limit=MAX_PAGE
        )
    return int(given)
