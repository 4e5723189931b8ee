"""How a page of the log is decided and cut: pure, shared by the engines. It reads nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from tidings.engines.base import Page
from tidings.filters import matches
from tidings.ids import ChannelName
from tidings.messages import Message, Position

GAPS_MAX = 64
"""Declared gaps remembered per app: each costs a comparison per channel read. Beyond, the two oldest become one."""


class Gap(msgspec.Struct, frozen=True):
    """A stretch before `offset` that may be incomplete on channels matching `pattern`."""

    offset: int
    pattern: str
    reason: str


def quick_page(channels: Sequence[ChannelName], after: Position, head: Position) -> Page | None:
    """Answer what the cursor alone decides; None when the log must be looked at.

    A cursor at the head needs nothing from the log: what comes later, the listener gets.
    """
    if after.epoch != head.epoch:
        return Page(head=head, resets=dict.fromkeys(channels, "epoch"))
    if after.offset > head.offset:
        return Page(head=head, resets=dict.fromkeys(channels, "ahead"))
    if after.offset == head.offset or not channels:
        return Page(head=head)
    return None


def reset_reason(channel: ChannelName, after: int, floor: int, gaps: Iterable[Gap]) -> str | None:
    """Why a channel cannot be continued after an offset; None when it can."""
    if after < floor:
        return "retention"
    for gap in gaps:
        if after < gap.offset and matches(gap.pattern, channel):
            return gap.reason
    return None


def fill(messages: Iterable[Message], max_messages: int, max_bytes: int) -> tuple[tuple[Message, ...], bool]:
    """Take messages while they fit, at least one; and whether that were all of them."""
    taken: list[Message] = []
    size = 0
    for message in messages:
        size += len(message.data)
        if taken and (len(taken) >= max_messages or size > max_bytes):
            return tuple(taken), False
        taken.append(message)
    return tuple(taken), True


def add_gap(gaps: list[Gap], gap: Gap) -> list[Gap]:
    """Return the gaps with a newer one added, oldest first, never more than `GAPS_MAX`.

    An older gap of the same pattern is covered by the newer. Two that must share a place become one that covers
    both: more is read anew than needed, and never less.
    """
    kept = [old for old in gaps if old.pattern != gap.pattern]
    if len(kept) >= GAPS_MAX:
        kept[:2] = [Gap(kept[1].offset, "*", kept[1].reason)]
    return [*kept, gap]
