"""What an app may use of a node: connections at once, messages a day. Decides; is given the time.

Counts live in memory: a restart begins the day's count anew, and each node counts for itself. A quota bounds a tenant's
share of a server; it is not an account to bill by.
"""

from __future__ import annotations

from typing import Final

import msgspec

from tidings.errors import Disconnect, Refusal

DAY_SECONDS: Final = 86_400


class Quotas(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shares of one app on one node. Zero: no quota of its own."""

    connections: int = 0
    """Clients connected at once, of all protocols, waiting polls too."""
    messages_per_day: int = 0
    """Messages taken from publishers and clients in a day (UTC), one for each channel; deliveries are not counted."""
    hard: bool = False
    """Turn connections above the quota away for good (4004, as Pusher documents); else they come back later (4100)."""


class Usage:
    """What an app has used. Days are those of UTC."""

    __slots__ = ("_day", "messages")

    def __init__(self) -> None:
        self._day = -1
        self.messages = 0

    def take(self, quotas: Quotas, count: int, now: float) -> None:
        """Count messages at `now` (seconds since the Unix epoch); all of them or none.

        Raises Refusal `over_quota`.
        """
        self._turn(now)
        limit = quotas.messages_per_day
        if limit and self.messages + count > limit:
            raise Refusal("over_quota", detail="messages a day", limit=limit)
        self.messages += count

    def on(self, now: float) -> int:
        """Messages counted on the day of `now`."""
        self._turn(now)
        return self.messages

    def give_back(self, count: int, now: float) -> None:
        """Messages that were counted and not stored after all. Those of yesterday are forgotten already."""
        self._turn(now)
        self.messages = max(0, self.messages - count)

    def _turn(self, now: float) -> None:
        day = int(now // DAY_SECONDS)
        if day != self._day:
            self._day, self.messages = day, 0


def check_connections(quotas: Quotas, connected: int) -> None:
    """Raises Disconnect `app_full`, or `quota_reached` where the quota is hard, when there is no room for one more."""
    if quotas.connections and connected >= quotas.connections:
        raise Disconnect("quota_reached" if quotas.hard else "app_full")
