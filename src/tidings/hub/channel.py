"""What a channel allows and keeps, and who is in it on this node. Names map to options; there is no class per kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from tidings.ids import ChannelName

if TYPE_CHECKING:
    from tidings.hub.fanout import FanoutGroup
    from tidings.hub.filtering import FilteredGroups
    from tidings.hub.subscription import Join


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a channel the log keeps; whichever bound is reached first drops the oldest.

    count: messages. bytes: of data. age: seconds.
    """

    count: int = 10_000
    bytes: int = 64 << 20
    age: float = 24 * 3600.0


class ChannelOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel allows and keeps.

    require_auth: nobody subscribes without a proof. presence: members are known. client_events: members may send
    `client-` events. cache: the last message is kept and given first to each new subscriber. ephemeral: nothing is
    logged, so nothing can be replayed. owner: the user whose signed-in connections alone may subscribe; an
    empty text for nobody at all. cache_seconds: the age above which a kept message is no longer given.
    """

    require_auth: bool = False
    presence: bool = False
    client_events: bool = False
    cache: bool = False
    cache_seconds: float = 1800.0
    ephemeral: bool = False
    owner: str | None = None
    history: Retention = Retention()

    def is_fresh(self, time: int, now: int) -> bool:
        """Whether a kept message of `time` is still given at `now`; both in milliseconds since the Unix epoch."""
        return now - time <= self.cache_seconds * 1000


DEFAULT_OPTIONS: Final = ChannelOptions()


class Channel:
    """One channel's listeners on this node: live ones by fan-out group, and those still joining."""

    __slots__ = ("filtered", "groups", "joining", "name", "subscribers")

    def __init__(self, name: ChannelName) -> None:
        self.name = name
        self.groups: list[FanoutGroup] = []  # a handful: one per wire format in use
        self.filtered: FilteredGroups | None = None  # while somebody here has a row filter
        self.joining: list[Join] = []
        self.subscribers = 0  # live and joining

    def live(self) -> Iterator[FanoutGroup]:
        """Every group, filtered or not."""
        yield from self.groups
        if self.filtered is not None:
            yield from self.filtered.all()
