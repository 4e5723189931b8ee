"""Identifiers and how they are made. Holds no registry: who owns an id is somebody else's business.

Every id is a plain string, given a type of its own so that mypy tells an app from a channel.
"""

from __future__ import annotations

import re
import secrets
from typing import Final, NewType

AppId = NewType("AppId", str)
"""A tenant. Pusher's SDKs insist on digits; we accept any text of `APP_ID_PATTERN`."""

ChannelName = NewType("ChannelName", str)
"""What a client subscribes to; Phoenix calls it a topic."""

SessionId = NewType("SessionId", str)
"""One connected client on the server, written `digits.digits` because every Pusher SDK checks that form."""

UserId = NewType("UserId", str)
"""A person or service, as the application names it. Always text on the wire."""

ClientId = NewType("ClientId", str)
"""A stable name that a client keeps over reconnects, so that the server may hold its cursor."""

Ref = str | int | None
"""What a client gave to recognise a reply by; echoed as it came."""

CHANNEL_CHARACTERS: Final = r"[A-Za-z0-9_\-=@,.;]"
"""What a channel's name is made of, on every protocol and in every rule, as a class of a regular expression: what the
official Pusher SDKs accept. Neither `:` nor a newline: both separate fields in signed texts."""

MAX_CHANNEL_NAME: Final = 200
"""Characters; what the official Pusher SDKs check."""

APP_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_\-]{1,64}\Z")
"""No separator may stand in an app id: it becomes part of keys and paths."""

CLIENT_ID_PATTERN: Final = re.compile(r"[A-Za-z0-9_\-.]{1,64}\Z")
"""What a stable client id may be. Short, because the server keeps one record for each."""

SESSION_ID_PATTERN: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}\Z")
"""Checked before any text is built from a session id: a colon or newline smuggled into one would yield a
signature for another channel (a known flaw of Pusher libraries)."""

_HALF: Final = 10**9


def new_session_id() -> SessionId:
    """Return a fresh session id, unguessable within about 60 bits, in Pusher's `digits.digits` form."""
    return SessionId(f"{secrets.randbelow(_HALF)}.{secrets.randbelow(_HALF)}")


def new_message_id() -> str:
    """Return a fresh message id: 22 URL-safe characters, 128 random bits.

    None begins with a hyphen: a command would take it for an option.
    """
    while (made := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return made


def new_epoch() -> str:
    """Return the name of a new life of a log: 8 hexadecimal digits, free of the cursor's separator."""
    return secrets.token_hex(4)


def new_trail() -> str:
    """Return a trail id, by which one change can be followed from commit to screen."""
    return secrets.token_hex(8)
