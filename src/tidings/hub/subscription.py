"""One session's way into channels: joining → live → leaving. Holds the table of states; the hub does the moving.

    JOINING ──completed──▶ LIVE ──left──▶ LEFT
       └────────────left─────────────────▶ LEFT

While joining, live messages are held back until the log's part has been sent. Several channels joined together go live
together, because one cursor covers them all.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from tidings.errors import LocalProtocolError
from tidings.hub.fanout import Framer
from tidings.hub.filtering import Sift
from tidings.hub.sendqueue import Outlet
from tidings.ids import ChannelName
from tidings.messages import Message, Position
from tidings.pushes import Encoder
from tidings.row_filters import RowFilter

MAX_HELD: Final = 1000
"""Live messages held back for one join. Above it they are dropped and the log is read once more: the log is the truth,
so a busy channel cannot make a slow join hold its memory."""


class State(enum.Enum):
    JOINING = "joining"
    LIVE = "live"
    LEFT = "left"


class Event(enum.Enum):
    COMPLETED = "completed"
    LEFT = "left"


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.JOINING, Event.COMPLETED): State.LIVE,
    (State.JOINING, Event.LEFT): State.LEFT,
    (State.LIVE, Event.LEFT): State.LEFT,
}
"""All legal moves. Any other pair raises and changes nothing."""


class HeldGap(msgspec.Struct, frozen=True):
    """A gap that was declared while a channel was joining: what lies before `position` may be missing."""

    reason: str
    position: Position


class Join:
    """Channels that one session joins together."""

    __slots__ = (
        "channels",
        "encoder",
        "excludes_sender",
        "framer",
        "gaps",
        "held",
        "outlet",
        "overflowed",
        "sift",
        "state",
    )

    def __init__(
        self,
        outlet: Outlet,
        channels: tuple[ChannelName, ...],
        encoder: Encoder,
        framer: Framer,
        *,
        excludes_sender: bool,
        filter: RowFilter | None = None,
    ) -> None:
        self.outlet = outlet
        self.channels = channels
        self.encoder = encoder
        self.framer = framer
        self.excludes_sender = excludes_sender
        self.sift = Sift(filter)  # what of the log's part and of `held` is told
        self.state = State.JOINING
        self.held: list[Message] = []  # in the order they came
        self.gaps: dict[ChannelName, HeldGap] = {}  # declared meanwhile; the newest for each channel
        self.overflowed = False  # logged messages were dropped from `held`; the log must be read once more

    def move(self, event: Event) -> None:
        """Take a step of the table. Raises LocalProtocolError for an illegal one."""
        state = TRANSITIONS.get((self.state, event))
        if state is None:
            raise LocalProtocolError(f"a subscription that is {self.state.value} cannot be {event.value}")
        self.state = state

    def hold(self, message: Message) -> None:
        """Keep a live message back until the log's part has been sent."""
        if len(self.held) >= MAX_HELD:
            self.held.clear()
            self.overflowed = True
        self.held.append(message)

    def read_again(self) -> None:
        """The log is about to be read after what was dropped."""
        self.overflowed = False
