"""Occurrences, letters and settings for the tests of the webhooks."""

from __future__ import annotations

from typing import Any

from tidings.ids import AppId, ChannelName, UserId
from tidings.node.occurrences import Occurrence, OccurrenceKind
from tidings.node.webhooks.letters import Letter

APP = AppId("1001")
URL = "https://example.com/hook"


def occurred(
    kind: OccurrenceKind, channel: str = "c", *, user: str | None = None, app: AppId = APP, **given: Any
) -> Occurrence:
    return Occurrence(
        kind=kind,
        app=app,
        channel=ChannelName(channel),
        time=1,
        user=UserId(user) if user is not None else None,
        **given,
    )


def letter(number: int, channel: str = "c", *, url: str = URL, app: AppId = APP, size: int = 2) -> Letter:
    return Letter(
        number=number,
        id=f"id{number}",
        app=app,
        url=url,
        channel=ChannelName(channel),
        event=b'"' + b"x" * (size - 2) + b'"',
        time=1000 + number,
    )
