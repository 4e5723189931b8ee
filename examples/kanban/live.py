"""How the board meets the live server: settings, channel names, signatures, trigger rules.

Opens no connection: publishing comes in as a callable.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from examples.kanban.problems import Problem

Publish = Callable[[str, str, dict[str, Any]], Awaitable[None]]
"""publish(channel, event, data); raises when the live server did not take the event."""

TRIGGER_BURST: Final = 20
TRIGGERS_PER_SECOND: Final = 5.0
"""Nobody edits a board faster by hand; a loop in a page must not become everybody's refetch storm."""
USERS_TRACKED: Final = 1_000
"""Bound of the rate limiter's memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSettings:
    """The live server as the page and the back end reach it.

    key, secret, app_id: the app's credentials; only the key ever reaches a browser.
    host, port, path: where the page connects; no host: the page's own origin. path: prefix of `/app`.
    tls: whether that connection is encrypted; None follows the page.
    channel_prefix: "" for public names, "private-" to have pusher-js ask /api/pusher/auth.
    resume: whether the server holds a cursor for a path that begins with /c/{client id}.
    """

    key: str
    secret: str = ""
    app_id: str = "kanban"
    host: str | None = None
    port: int | None = None
    path: str = ""
    tls: bool | None = None
    channel_prefix: str = ""
    resume: bool = False

    def for_page(self) -> dict[str, Any]:
        """What the page needs to connect; never the secret."""
        return {
            "key": self.key,
            "wsHost": self.host,
            "wsPort": self.port,
            "wsPath": self.path,
            "forceTLS": self.tls,
            "channelPrefix": self.channel_prefix,
            "resume": self.resume,
        }


def project_of(channel: str) -> str:
    """The project that a channel name means: `project-{id}` or `private-project-{id}`.

    The whole name is parsed, not searched: a prefix inside an id means nothing. Raises Problem 422.
    """
    bare = channel.removeprefix("private-")
    project_id = bare.removeprefix("project-")
    if bare == project_id or not project_id:
        raise Problem(
            422,
            "unknown_channel",
            f"{channel!r} is not a channel of this app.",
            field="channel",
            fix="Use project-{id}.",
        )
    return project_id


def channel_signature(live: LiveSettings, socket_id: str, channel: str) -> str:
    """The `auth` string of the Pusher protocol: key and HMAC-SHA256 of socket id and channel."""
    digest = hmac.new(live.secret.encode(), f"{socket_id}:{channel}".encode(), hashlib.sha256).hexdigest()
    return f"{live.key}:{digest}"


class TriggerLimiter:
    """A token bucket for each user. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, user: str) -> None:
        """Spend one token; raises Problem 429 with Retry-After when there is none."""
        now = self._clock()
        tokens, seen = self._buckets.pop(user, (float(TRIGGER_BURST), now))
        tokens = min(float(TRIGGER_BURST), tokens + (now - seen) * TRIGGERS_PER_SECOND)
        allowed = tokens >= 1
        self._buckets[user] = (tokens - 1 if allowed else tokens, now)
        while len(self._buckets) > USERS_TRACKED:
            self._buckets.pop(next(iter(self._buckets)))
        if not allowed:
            raise Problem(
                429,
                "too_many_events",
                f"{user} triggers more than {TRIGGERS_PER_SECOND:g} events a second.",
                limit=TRIGGER_BURST,
                fix="Wait a second and send again.",
                headers={"Retry-After": "1"},
            )
