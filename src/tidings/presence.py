"""Who is present in a channel, as values. Holds no roster: the engine's presence store keeps that."""

from __future__ import annotations

import msgspec

from tidings.ids import UserId


class Member(msgspec.Struct, frozen=True):
    """One user in a channel, however many tabs they have open.

    info: the user's data as raw JSON bytes, signed by the application; `null` when there is none.
    """

    user: UserId
    info: bytes = b"null"


class Joined(msgspec.Struct, frozen=True):
    """What the presence store says of an arrival.

    first: True when this is the user's first session there, so the others must be told.
    members: everybody now in the channel, the newcomer included, oldest first.
    """

    first: bool
    members: tuple[Member, ...]


class Left(msgspec.Struct, frozen=True):
    """What the presence store says of a departure; `last` when no session of the user remains."""

    last: bool
    member: Member
