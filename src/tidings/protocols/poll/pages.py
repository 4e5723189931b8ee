"""A page of the log as JSON, its cursor and its entity tag. Pure values; where messages come from is not known here."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tidings.errors import RemoteProtocolError
from tidings.ids import ChannelName
from tidings.messages import Message, Position
from tidings.protocols.neutral_objects import MessageObject
from tidings.protocols.neutral_reading import message_of
from tidings.protocols.neutral_writing import encode_message

TAG_BYTES: Final = 12
"""Of the digest in an entity tag: 96 bits, so two bodies never share one by accident."""

_TAG: Final = re.compile(r'\s*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|\Z)')
"""One entity tag of a list (RFC 9110 8.8.3); commas may stand within the quotes."""


class ResetEntry(msgspec.Struct, frozen=True):
    """Channels that must be read anew, and a reason of `errors.RESET_REASONS`."""

    channels: tuple[ChannelName, ...]
    reason: str


class PollPage(msgspec.Struct, frozen=True):
    """A page as its reader sees it. cursor: what to ask with next."""

    cursor: Position
    messages: tuple[Message, ...]
    resets: tuple[ResetEntry, ...]


class _PageObject(msgspec.Struct):
    cursor: str
    messages: tuple[MessageObject, ...]
    reset: tuple[ResetEntry, ...] | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_PageObject)


def next_cursor(
    messages: Sequence[Message],
    *,
    head: Position,
    complete: bool,
    after: Position | None,
    resets: Mapping[ChannelName, str],
    reached: Position | None = None,
) -> Position:
    """Where the reader goes on: never beyond what the page holds or declares lost, or `reached`, if that is told.

    A quiet page keeps the reader's own cursor although the head may have moved with other channels; so the body stays
    the same, and so does its entity tag.
    """
    if after is None or (resets and complete):
        return head
    if reached is not None:
        return reached
    if messages:
        return messages[-1].position or after
    return after


def page_body(messages: Sequence[Message], *, cursor: Position, resets: Mapping[ChannelName, str]) -> bytes:
    """`{"cursor", "messages": […], "reset": [{"channels", "reason"}] | null}`; each message written once."""
    told = b",".join([encode_message(message) for message in messages])
    return b'{"cursor":"%b","messages":[%b],"reset":%b}' % (
        str(cursor).encode(),
        told,
        _encoder.encode(_entries(resets) or None),
    )


def _entries(resets: Mapping[ChannelName, str]) -> list[ResetEntry]:
    by_reason: dict[str, list[ChannelName]] = {}
    for channel, reason in sorted(resets.items()):
        by_reason.setdefault(reason, []).append(channel)
    return [ResetEntry(tuple(channels), reason) for reason, channels in by_reason.items()]


def read_page(body: bytes) -> PollPage:
    """Read a page. Raises RemoteProtocolError for what no server of ours writes; Refusal `bad_cursor` for a cursor."""
    try:
        page = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RemoteProtocolError(f"the page cannot be read: {error}") from error
    messages = tuple(message_of(message) for message in page.messages)
    return PollPage(Position.parse(page.cursor), messages, page.reset or ())


def etag(body: bytes) -> str:
    """A strong entity tag (RFC 9110 8.8.3): equal bodies have equal tags, other bodies others."""
    return f'"{hashlib.blake2b(body, digest_size=TAG_BYTES).hexdigest()}"'


def matches_etag(if_none_match: str, tag: str) -> bool:
    """Whether `If-None-Match` names the tag (RFC 9110 13.1.2, weak comparison 8.8.3.2). A broken list names nothing."""
    if if_none_match.strip() == "*":
        return True
    at = 0
    found = []
    while at < len(if_none_match):
        match = _TAG.match(if_none_match, at)
        if match is None:
            return False
        found.append(match[1])
        at = match.end()
    return tag in found
