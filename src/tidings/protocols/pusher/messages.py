"""What goes over a Pusher connection: frames read and frames made. Holds no state of a conversation.

`data` is JSON twice over (pusher.md 1.2): a frame holds it as a string whose text is usually JSON again. Our messages
hold one JSON value instead, and the two correspond one to one:

    text on the wire, exactly                      value in Message.data
    the JSON of an object, array, number,          that text, byte for byte
    true, false or null
    anything else, `hello` as well as `"hello"`    a JSON string that holds the text

So a Pusher client gets back exactly what was published, and the other protocols hand on a sensible JSON value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from typing import Any, Final, TypeVar

import msgspec

from tidings.errors import Refusal
from tidings.messages import Message
from tidings.protocols.json_values import MAX_DEPTH, refuse_shape

MAX_NUMBER: Final = 64
"""Digits in a row. A number's conversion can cost far more than its length."""

_ENVELOPE: Final = 1
"""Levels that a frame puts around its data."""

_LONG_NUMBER: Final = re.compile(rb"[0-9]{%d}" % (MAX_NUMBER + 1))

# Possessive throughout: an unclosed string must not be scanned again from each of its quotes.
_TOKEN: Final = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]|[0-9]{%d}' % (MAX_NUMBER + 1), re.DOTALL
)

_decode: Final = msgspec.json.Decoder(Any).decode
_literal: Final = msgspec.json.Encoder().encode


class ClientFrame(msgspec.Struct, frozen=True):
    """One frame from a client. `data` is raw JSON."""

    event: str
    channel: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class SubscribeData(msgspec.Struct, frozen=True):
    """`data` of `pusher:subscribe`. `auth` is empty or absent on public channels."""

    channel: str
    auth: str | None = None
    channel_data: str | None = None


class UnsubscribeData(msgspec.Struct, frozen=True):
    """`data` of `pusher:unsubscribe`."""

    channel: str


class MemberData(msgspec.Struct, frozen=True):
    """The text of `channel_data` on a presence channel. A numeric id becomes text (pusher.md 8.1, trap 11)."""

    user_id: str | int
    user_info: msgspec.Raw = msgspec.Raw(b"null")


class SignInData(msgspec.Struct, frozen=True):
    """`data` of `pusher:signin`."""

    auth: str
    user_data: str


class UserData(msgspec.Struct, frozen=True):
    """The text of `user_data`. A numeric id becomes text, in the watchlist too."""

    id: str | int
    user_info: msgspec.Raw = msgspec.Raw(b"null")
    watchlist: tuple[str | int, ...] | None = None


T = TypeVar("T")


# ── reading


def check_bounds(text: bytes, *, max_depth: int = MAX_DEPTH) -> None:
    """Count nesting and digits before anything is built from the text; linear in its length.

    Raises Refusal `too_deep`, or `bad_json` for a number of more than `MAX_NUMBER` digits in a row.
    """
    if text.count(b"[") + text.count(b"{") <= max_depth and _LONG_NUMBER.search(text) is None:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        first = text[token.start()]
        if first in b"[{":
            depth += 1
            if depth > max_depth:
                raise Refusal("too_deep", limit=max_depth)
        elif first in b"]}":
            depth -= 1
        elif first != 0x22:
            raise Refusal("bad_json", detail="a number has too many digits", limit=MAX_NUMBER)


def check_json(text: bytes, *, max_depth: int = MAX_DEPTH) -> None:
    """Make sure that the text is one JSON value within bounds, in UTF-8, without lone surrogates.

    Raises Refusal `bad_json` or `too_deep`.
    """
    check_bounds(text, max_depth=max_depth)
    try:
        _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("bad_json", detail=str(error)) from error


def read_json(text: bytes, kind: type[T], *, max_depth: int = MAX_DEPTH) -> T:
    """Read a value of a known shape whose objects name nothing twice.

    Which of two equal names counts differs between parsers; a signature over one reading would vouch for the other.
    Raises Refusal `bad_json`, `too_deep`, or `bad_message` when it is JSON of another shape.
    """
    check_json(text, max_depth=max_depth)
    json.loads(text, object_pairs_hook=_refuse_repeats)
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise refuse_shape(error) from error


def read_frame(text: str, *, max_depth: int = MAX_DEPTH) -> ClientFrame:
    """Read one text frame. `max_depth` is that of its data. Raises Refusal as `read_json` does."""
    return read_json(to_bytes(text), ClientFrame, max_depth=max_depth + _ENVELOPE)


def to_bytes(text: str) -> bytes:
    """UTF-8 of a text from outside. Raises Refusal `bad_json` for a lone surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Refusal("bad_json", detail="the text holds a lone surrogate") from error


def data_from_text(text: str, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Turn published text into a message's data, by the table above.

    Raises Refusal `too_deep` for what looks like JSON below the limit, `bad_json` for a lone surrogate.
    """
    raw = to_bytes(text)
    if raw.lstrip()[:1] in (b"{", b"["):
        check_bounds(raw, max_depth=max_depth)
    elif raw.lstrip()[:1] == b'"' or len(raw) > MAX_NUMBER:
        return _literal(text)
    try:
        _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _literal(text)
    return raw


def data_from_raw(raw: bytes, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Turn a `data` field as it stands, a string or another JSON value, into a message's data.

    Raises Refusal `bad_json` or `too_deep`.
    """
    check_json(raw, max_depth=max_depth)
    if raw[:1] != b'"':
        return raw
    return data_from_text(msgspec.json.decode(raw, type=str), max_depth=max_depth)


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refusal("bad_json", detail="an object names a field twice")


# ── making


def text_of(data: bytes) -> bytes:
    """The wire's `data` for a message's data: a JSON string, quotes included."""
    return data if data[:1] == b'"' else _literal(data.decode())


def make_frame(event: str, data: bytes, channel: str | None = None, *, extra: bytes = b"") -> bytes:
    """One frame. `data` is JSON as it shall stand there; `extra` more fields, each with a comma before it."""
    where = b"" if channel is None else b',"channel":' + _literal(channel)
    return b"".join((b'{"event":', _literal(event), where, b',"data":', data, extra, b"}"))


def stringified(value: Any) -> bytes:
    """S(x) of pusher.md 1.3: the JSON text of a value, as a JSON string."""
    return _literal(_literal(value).decode())


class PusherEncoder:
    """Message → frame; the same bytes for every Pusher session, so all of them share one fan-out group a channel."""

    key: Hashable = "pusher"

    def encode(self, message: Message) -> bytes:
        """Make the frame. Called once a message, whatever the number of receivers."""
        if message.kind == "event":
            return make_frame(message.event, text_of(message.data), message.channel, extra=_place(message))
        if message.kind == "client":
            sender = b"" if message.user is None else b',"user_id":' + _literal(message.user)
            return make_frame(message.event, text_of(message.data), message.channel, extra=sender)
        return _internal_frame(message)


def _place(message: Message) -> bytes:
    """Fields that clients of Tidings know and all others ignore (contract 4)."""
    if message.position is None:
        return b""
    return b',"id":%b,"position":%b,"previous":%b' % (
        _literal(message.id),
        _literal(str(message.position)),
        _literal(message.previous),
    )


def _internal_frame(message: Message) -> bytes:
    if message.kind == "count":
        count = stringified({"subscription_count": msgspec.Raw(message.data)})
        return make_frame("pusher_internal:subscription_count", count, message.channel)
    if message.kind == "joined":
        member = {"user_id": message.user, "user_info": msgspec.Raw(message.data)}
        return make_frame("pusher_internal:member_added", stringified(member), message.channel)
    gone = stringified({"user_id": message.user})
    return make_frame("pusher_internal:member_removed", gone, message.channel)


ENCODER: Final = PusherEncoder()
"""The one encoder; it has no state."""
