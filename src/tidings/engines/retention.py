"""What retention drops, as a decision over numbers: pure, shared by the engines that trim their own log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tidings.hub.channel import Retention

SLACK_SHARE = 16
"""A log on disk may exceed a bound by one part in so many before it trims: then it trims many rows at once,
instead of one with each publish. Bounds below this number are kept exactly."""

NEVER = 2**62
"""A due time that does not come, for channels without a bound on age."""


class Mark(NamedTuple):
    """A message as retention sees it.

    number, size: messages of the channel, and bytes of their data, from its beginning up to and with this one.
    at: when it was appended, milliseconds since the Unix epoch.
    """

    offset: int
    number: int
    size: int
    at: int = 0


def is_over(newest: Mark, floor: Mark, keep: Retention, *, slack: int = 0) -> bool:
    """True when a channel holds more than it may, by count or bytes.

    slack: one part in so many of each bound that is allowed on top; 0 for none.
    """
    count, size = newest.number - floor.number, newest.size - floor.size
    if slack:
        count, size = count - keep.count // slack, size - keep.bytes // slack
    return count > keep.count or (size > keep.bytes and newest.number - floor.number > 1)


def raise_floor(marks: Iterable[Mark], floor: Mark, newest: Mark, keep: Retention, now: int) -> Mark:
    """Return the newest message that must go, or `floor` when none must.

    marks: the channel's messages above `floor`, oldest first. now: milliseconds. The bound on bytes never drops the
    newest message, because a message larger than the bound would otherwise be told and not be readable.
    """
    expired = now - keep.age * 1000
    for mark in marks:
        if not (
            mark.at <= expired
            or newest.number - mark.number >= keep.count
            or (newest.size - floor.size > keep.bytes and mark.number != newest.number)
        ):
            break
        floor = mark
    return floor


def due(at: int, keep: Retention) -> int:
    """When a message appended at `at` (milliseconds) passes its channel's bound on age."""
    return int(min(at + keep.age * 1000, NEVER))
