"""What a client may ask, in nobody's wire format. Holds no rights: whether it is granted the node decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from tidings.ids import ChannelName, Ref, SessionId, UserId
from tidings.messages import Position
from tidings.presence import Member
from tidings.row_filters import RowFilter


class Grant(msgspec.Struct, frozen=True):
    """What a credential proves: the user, and on a presence channel the member that the application signed."""

    user: UserId | None = None
    member: Member | None = None
    by_token: bool = False
    """The right hangs on the connection's token, and ends with it."""


class Credential(Protocol):
    """Proof sent along with a command. Opaque to all but the protocol that read it off the wire."""

    def verify(self, secrets: Mapping[str, str], session: SessionId, channel: ChannelName) -> Grant:
        """Check the proof against the app's secrets (key → secret).

        Raises Refusal `bad_signature` (or a nearer one) when it proves nothing.
        """
        ...


class UserGrant(msgspec.Struct, frozen=True):
    """Who a connection is signed in as.

    data: the user's data as the application signed it, raw JSON bytes. info: the part of it that members of presence
    channels may see. watchlist: users whose coming and going the client wants to hear of, at most as many as the
    protocol allows; watchlist_cut when it named more.
    """

    user: UserId
    data: bytes
    info: bytes = b"null"
    watchlist: tuple[UserId, ...] = ()
    watchlist_cut: bool = False


class UserCredential(Protocol):
    """Proof of who a connection is. Opaque to all but the protocol that read it off the wire."""

    def verify(self, secrets: Mapping[str, str], session: SessionId) -> UserGrant:
        """Check the proof against the app's secrets (key → secret). Raises Refusal `bad_signature`."""
        ...


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Sign the connection in as a user, by the application's signature."""

    credential: UserCredential
    ref: Ref = None


class Subscribe(msgspec.Struct, frozen=True, kw_only=True):
    """Join channels. Several at once go live together, so that one cursor covers them all.

    after: what the client has already; None means "from now on". filter: which rows it wants to hear of, on all of
    these channels; messages without a row come in any case.
    """

    channels: tuple[ChannelName, ...]
    after: Position | None = None
    filter: RowFilter | None = None
    credential: Credential | None = None
    ref: Ref = None


class Unsubscribe(msgspec.Struct, frozen=True, kw_only=True):
    channels: tuple[ChannelName, ...]
    ref: Ref = None


class Publish(msgspec.Struct, frozen=True, kw_only=True):
    """A client's own message. `client` ones (Pusher client events) are ephemeral and never echoed to the sender."""

    channel: ChannelName
    event: str
    data: bytes
    client: bool = False
    key: str | None = None
    ref: Ref = None


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """Be present in a channel already subscribed, under the session's user."""

    channel: ChannelName
    info: bytes = b"null"
    ref: Ref = None


class Untrack(msgspec.Struct, frozen=True, kw_only=True):
    channel: ChannelName
    ref: Ref = None


class Authenticate(msgspec.Struct, frozen=True, kw_only=True):
    """Present a new token for the whole connection."""

    token: str
    ref: Ref = None


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    ref: Ref = None


class Pong(msgspec.Struct, frozen=True, kw_only=True):
    """The client's answer to our heartbeat: a sign of life and nothing more."""


Command = SignIn | Subscribe | Unsubscribe | Publish | Track | Untrack | Authenticate | Ping | Pong
