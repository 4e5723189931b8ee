"""Names in the Pusher protocol: what they may look like and what a prefix means. Holds no channel and no setting."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tidings.errors import Refusal
from tidings.ids import CHANNEL_CHARACTERS, ChannelName
from tidings.messages import RESERVED_EVENTS

MAX_CHANNEL_NAME: Final = 200
"""Characters. The SDKs check 200; Pusher's own documentation says 164, which would refuse what its SDKs let through."""

MAX_EVENT_NAME: Final = 200
"""Characters, as all SDKs check."""

CHANNEL_PATTERN: Final = re.compile(CHANNEL_CHARACTERS + r"+\Z")

CLIENT_PREFIX: Final = "client-"

SERVER_TO_USER: Final = "#server-to-user-"
"""Before a user's id: the channel of that user alone. The only name with `#` that anybody outside may say."""

MAX_USER_ID: Final = 128
"""Characters (pusher.md 1.8)."""

USER_PATTERN: Final = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{MAX_USER_ID}}}\Z")
"""A user's id as part of a channel name: any text on one line."""


class ChannelTraits(msgspec.Struct, frozen=True):
    """What a name alone turns on, by the field names of the hub's `ChannelOptions`, which this room may not know."""

    require_auth: bool = False
    presence: bool = False
    client_events: bool = False
    cache: bool = False
    owner: str | None = None


_PREFIXES: Final = (
    ("private-encrypted-cache-", ChannelTraits(require_auth=True, cache=True)),
    ("private-encrypted-", ChannelTraits(require_auth=True)),
    ("private-cache-", ChannelTraits(require_auth=True, client_events=True, cache=True)),
    ("private-", ChannelTraits(require_auth=True, client_events=True)),
    ("presence-cache-", ChannelTraits(require_auth=True, presence=True, client_events=True, cache=True)),
    ("presence-", ChannelTraits(require_auth=True, presence=True, client_events=True)),
    ("cache-", ChannelTraits(cache=True)),
)
"""The longest prefix first, or `private-` would swallow the others. Encrypted channels carry no client events: the
server cannot see whether the sender encrypted them, and the SDKs have none."""

_PUBLIC: Final = ChannelTraits()


def default_options(name: str) -> ChannelTraits:
    """What a channel of this name allows before any setting is laid over it (pusher.md 1.7)."""
    if name.startswith("#"):
        return ChannelTraits(require_auth=True, owner=user_of(name) or "")
    for prefix, options in _PREFIXES:
        if name.startswith(prefix):
            return options
    return _PUBLIC


def user_of(name: str) -> str | None:
    """The user whose own channel this is (pusher.md 1.11); None for every other name."""
    user = name.removeprefix(SERVER_TO_USER)
    return user if user != name and USER_PATTERN.match(user) is not None else None


def is_cache(name: str) -> bool:
    """True for a channel that keeps its last event."""
    return default_options(name).cache


def is_presence(name: str) -> bool:
    """True for a channel whose members are known."""
    return name.startswith("presence-")


def is_encrypted(name: str) -> bool:
    """True for a channel whose messages the server only relays."""
    return name.startswith("private-encrypted-")


def validate_channel(name: str, *, max_length: int = MAX_CHANNEL_NAME) -> ChannelName:
    """Return the name as a channel's.

    Raises Refusal `bad_channel` when it is empty, longer than `max_length` characters, reserved (`#`, but for a user's
    own channel) or holds another character than the allowed ones (pusher.md 1.6).
    """
    if len(name) > max_length:
        raise Refusal(
            "bad_channel", field="channel", detail="the name has too many characters", limit=max_length
        )
    if user_of(name) is not None:
        return ChannelName(name)
    if name.startswith("#"):
        raise Refusal("bad_channel", field="channel", detail="names that begin with # are reserved")
    if CHANNEL_PATTERN.match(name) is None:
        raise Refusal("bad_channel", field="channel")
    return ChannelName(name)


_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
"""A line break in a name would end a line of an event stream."""


def validate_event(name: str, *, max_length: int = MAX_EVENT_NAME) -> str:
    """Return the name as a published event's.

    Raises Refusal `bad_event` when it is empty, longer than `max_length` characters, reserved or not encodable.
    """
    if not name:
        raise Refusal("bad_event", field="name", detail="the name is empty")
    if len(name) > max_length:
        raise Refusal("bad_event", field="name", detail="the name has too many characters", limit=max_length)
    if name.startswith(RESERVED_EVENTS):
        raise Refusal("bad_event", field="name", detail="the name is reserved for the server")
    if not _encodable(name):
        raise Refusal("bad_event", field="name", detail="the name holds a lone surrogate")
    if _CONTROL.search(name):
        raise Refusal("bad_event", field="name", detail="the name holds a control character")
    return name


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
