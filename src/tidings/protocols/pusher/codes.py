"""Our catalogue of errors in Pusher's numbers. Holds no text of its own: the words come from `tidings.errors`.

The choice of a close code decides whether a client ever comes back (pusher.md 1.5): 4000-4099 it gives up for good,
4100-4199 it backs off for a second, 4200-4299 it returns at once, 43xx it takes for "refused" and so for good.
"""

from __future__ import annotations

from typing import Final

from tidings.errors import Disconnect, Refusal

MAX_CLOSE_REASON: Final = 123
"""Bytes of UTF-8 in a close frame after its code (RFC 6455 5.5)."""

CLIENT_EVENT_RATE: Final = 4301
"""Told in `pusher:error` only. As a close code the client would never return."""

WATCHLIST_LIMIT: Final = 4302
"""Told in `pusher:error` only, as 4301 is."""

NOT_AUTHORIZED: Final = 4009
"""As a close code it is for good. In the `pusher:error` of a sign-in it is only the reason: the connection stays, so
that a user whose proof failed keeps the public channels, and may sign in again."""

UNSUPPORTED_PROTOCOL: Final = 4007
BAD_VERSION: Final = 4006
NO_PROTOCOL: Final = 4008
BACK_OFF: Final = 4100

CLOSE_CODES: Final[dict[str, int]] = {
    "draining": 4200,  # another node is there at once; the server spreads these, because clients add no jitter
    "slow": 4100,  # at once it would only fall behind again: give its line a second
    "silent": 4201,  # pong not received
    "expired": 4100,  # not 4009: on return the client asks its auth endpoint anew; at once would be a hot loop
    "not_signed_in": 4009,  # documented: coming back without signing in cannot help
    "protocol_error": 1002,  # the WebSocket's own; pusher-js backs off, and a middlebox may have been the culprit
    "flood": 4100,  # slow down, then come back
    "deaf": 4100,  # this node cannot hear its log; a second lets the balancer notice
    "over_capacity": 4100,  # not 4004, which would be for good
    "ended": 4009,  # what terminate_connections does at Pusher
    "frame_too_large": 1009,  # the WebSocket's own; clients return after a second
    "app_gone": 4001,
    "app_off": 4003,
    "app_full": 4100,  # the soft quota: clients come back after a second, and find room when others have left
    "quota_reached": 4004,  # the hard one, by the app's own choice: for good
    "bad_protocol": UNSUPPORTED_PROTOCOL,
}
"""Every entry of the catalogue that ends a connection."""


class BadProtocol(Disconnect):
    """`bad_protocol`, with the one of Pusher's three codes that fits."""

    def __init__(self, close: int, detail: str) -> None:
        super().__init__("bad_protocol", detail=detail, field="protocol")
        self.close = close


def close_code(disconnect: Disconnect) -> tuple[int, str]:
    """The WebSocket close code and a reason of at most `MAX_CLOSE_REASON` bytes."""
    if isinstance(disconnect, BadProtocol):
        code = disconnect.close
    else:
        code = CLOSE_CODES.get(disconnect.name, BACK_OFF)  # what is new must never be for good by accident
    return code, _clip(disconnect.text)


def error_code(refusal: Refusal, command: str) -> int | None:
    """The `code` of a `pusher:error`: 4301 for client events above their rate, 4302 for a watchlist above its length,
    4009 for a sign-in that is refused, else none.

    None is deliberate: pysher takes a number from 4000 to 4299 here for the end of the connection and hangs up. It
    knows no sign-in, so it never sees 4009; those who do (pusher-js, Swift, Java) tell it and stay connected.
    """
    if refusal.name == "watchlist_too_long":
        return WATCHLIST_LIMIT
    if command == "signin":
        return NOT_AUTHORIZED
    if refusal.name == "rate_limited" and command == "publish":
        return CLIENT_EVENT_RATE
    return None


def _clip(text: str) -> str:
    return text.encode()[:MAX_CLOSE_REASON].decode(errors="ignore")
