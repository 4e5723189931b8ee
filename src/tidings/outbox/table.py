"""The outbox row: checked before it is written, read back from what a source tells. Pure; knows no database driver.

Whoever stages a message learns what is wrong with it in their own code, before they commit. What is read back may
have been written by anybody, so it is checked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

import msgspec

from tidings.errors import Refusal
from tidings.ids import SESSION_ID_PATTERN, ChannelName
from tidings.messages import Entity, Message, Origin, check_channel, check_event, encode_data
from tidings.outbox.ddl import MAX_BYTES, PREFIX, TABLE, Dialect, ddl, drop, drop_statements, statements

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "PREFIX",
    "TABLE",
    "Dialect",
    "Staged",
    "Unreadable",
    "ddl",
    "drop",
    "drop_statements",
    "read_emitted",
    "read_row",
    "stage",
    "statements",
]

MAX_DEPTH: Final = 32
"""Nesting of the data, the contract's limit: every client's parser has a stack."""

MAX_ASIDE: Final = 10_000
"""Bytes of JSON of keys, entity or origin each: they travel beside the data to every subscriber."""

Keys = tuple[tuple[Any, ...], ...]
T = TypeVar("T")


class Unreadable(ValueError):
    """A row or an emitted message that holds no message. The text says what is wrong and repeats none of it."""


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """A message that has been checked and waits for its commit. data: JSON, on one line."""

    channel: str
    event: str
    data: bytes
    keys: Keys = ()
    entity: Entity | None = None
    origin: Origin | None = None

    def row(self) -> dict[str, Any]:
        """What is inserted, by column."""
        return {
            "channel": self.channel,
            "event": self.event,
            "data": self.data.decode(),
            "keys": _text(self.keys) if self.keys else None,
            "entity": _text(self.entity) if self.entity else None,
            "origin": _text(self.origin) if self.origin else None,
        }

    def emitted(self) -> bytes:
        """What is given to `pg_logical_emit_message` under `PREFIX`."""
        sides = {"keys": self.keys, "entity": self.entity, "origin": self.origin}
        content = {"channel": self.channel, "event": self.event, "data": msgspec.Raw(self.data)}
        return msgspec.json.encode(content | {name: side for name, side in sides.items() if side})

    def message(self, id: str, time: int, trail: str | None) -> Message:
        """The message that it becomes. time: of the commit, in milliseconds."""
        return Message(
            id=id,
            channel=ChannelName(self.channel),
            event=self.event,
            data=self.data,
            time=time,
            entity=self.entity,
            keys=self.keys,
            origin=self.origin,
            trail=trail,
        )


def stage(
    channel: str,
    event: str,
    data: Any = None,
    *,
    keys: Iterable[Sequence[Any]] = (),
    entity: Entity | Mapping[str, Any] | None = None,
    mutation: str | None = None,
    skip: str | None = None,
    max_bytes: int = MAX_BYTES,
) -> Staged:
    """Check a message and make it ready to be written.

    data: anything JSON can hold, or a model with `model_dump_json`. keys: query keys that clients invalidate. entity:
    what it is about. mutation: the sender's own id of this write. skip: socket id of the connection that gets nothing.
    Raises Refusal that names the field and the limit; TypeError for data that JSON cannot hold.
    """
    return _checked(
        channel=channel,
        event=event,
        data=_encoded(data, "data"),
        keys=_converted(keys, Keys, "keys", "a list of lists, as [['tasks', 7]]"),
        entity=_entity(entity),
        origin=_origin(mutation, skip),
        max_bytes=max_bytes,
    )


def read_row(row: Mapping[str, Any], *, max_bytes: int = MAX_BYTES) -> Staged:
    """The message in a row as a source tells it; columns that are not ours are passed over. Raises Unreadable."""
    try:
        return _checked(
            channel=_column(row, "channel"),
            event=_column(row, "event"),
            data=_bytes(_column(row, "data"), "data"),
            keys=_decoded(row, "keys", Keys, "a JSON array of arrays") or (),
            entity=_decoded(row, "entity", Entity, "a JSON object with type and id"),
            origin=_decoded(row, "origin", Origin, "a JSON object with mutation or session"),
            max_bytes=max_bytes,
        )
    except Refusal as refusal:
        raise Unreadable(refusal.text) from None


class _Emitted(msgspec.Struct, kw_only=True):
    channel: str
    event: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    keys: Keys | None = None
    entity: Entity | None = None
    origin: Origin | None = None


def read_emitted(content: bytes, *, max_bytes: int = MAX_BYTES) -> Staged:
    """The message that was given to `pg_logical_emit_message`. Raises Unreadable."""
    try:
        found = msgspec.json.decode(content, type=_Emitted)
        return _checked(
            channel=found.channel,
            event=found.event,
            data=bytes(found.data),
            keys=found.keys or (),
            entity=found.entity,
            origin=found.origin,
            max_bytes=max_bytes,
        )
    except Refusal as refusal:
        raise Unreadable(refusal.text) from None
    except msgspec.ValidationError:
        raise Unreadable(
            "it is not a JSON object with the texts channel and event, the value data, and keys, entity, origin"
        ) from None
    except (ValueError, RecursionError):
        raise Unreadable("it is not JSON in UTF-8, or nested too deep") from None


def _checked(
    *,
    channel: Any,
    event: Any,
    data: bytes,
    keys: Keys,
    entity: Entity | None,
    origin: Origin | None,
    max_bytes: int,
) -> Staged:
    if wrong := check_channel(channel) if isinstance(channel, str) else "it is not text":
        raise Refusal("bad_channel", field="channel", detail=wrong)
    if wrong := check_event(event) if isinstance(event, str) else "it is not text":
        raise Refusal("bad_event", field="event", detail=wrong)
    data = _json(data, max_bytes)
    for field, side in (("keys", keys), ("entity", entity), ("origin", origin)):
        if side and len(_encoded(side, field)) > MAX_ASIDE:
            raise Refusal(
                "message_too_large", field=field, detail="its JSON has too many bytes", limit=MAX_ASIDE
            )
    if origin and origin.session is not None and not SESSION_ID_PATTERN.match(origin.session):
        raise Refusal("bad_message", field="skip", detail="a socket id looks like 123.456")
    return Staged(channel=channel, event=event, data=data, keys=keys, entity=entity, origin=origin)


def _json(data: bytes, max_bytes: int) -> bytes:
    """The data once it is known to be JSON within bounds, without line breaks: they end a line of an event stream."""
    if len(data) > max_bytes:
        raise Refusal("message_too_large", field="data", limit=max_bytes)
    try:
        value = msgspec.json.decode(data)
    except RecursionError:
        raise Refusal("too_deep", field="data", limit=MAX_DEPTH) from None
    except ValueError as error:  # its text tells a place, never what stands there
        raise Refusal("bad_json", field="data", detail=str(error)) from None
    if _is_deeper(value, MAX_DEPTH):
        raise Refusal("too_deep", field="data", limit=MAX_DEPTH)
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data


def _is_deeper(value: Any, depth: int) -> bool:
    """True when arrays and objects lie more than `depth` deep; level by level, for want of a deep stack."""
    level = [value]
    for _ in range(depth):
        level = [part for each in level if isinstance(each, dict | list) for part in _parts(each)]
    return any(isinstance(each, dict | list) for each in level)


def _parts(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def _encoded(value: Any, field: str) -> bytes:
    try:
        return encode_data(value)
    except RecursionError:
        raise Refusal("too_deep", field=field, limit=MAX_DEPTH) from None
    except ValueError:
        raise Refusal("bad_json", field=field, detail="it cannot be written as JSON in UTF-8") from None


def _entity(entity: Entity | Mapping[str, Any] | None) -> Entity | None:
    if entity is None or isinstance(entity, Entity):
        return entity
    return _converted(entity, Entity, "entity", "an Entity, or a mapping with type and id")


def _origin(mutation: str | None, skip: str | None) -> Origin | None:
    if mutation is None and skip is None:
        return None
    given = {"mutation": mutation, "session": skip}
    return _converted(given, Origin, "mutation, skip", "text or None")


def _converted(value: Any, kind: type[T], field: str, wanted: str) -> T:
    try:
        return msgspec.convert(list(value) if kind is Keys else value, kind)
    except (msgspec.ValidationError, TypeError):
        raise Refusal("bad_message", field=field, detail=f"it is not {wanted}") from None


def _column(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        raise Unreadable(f"{name}: the database did not tell it; it may be longer than a source records")
    if not isinstance(row[name], str):
        raise Unreadable(f"{name}: it is not text")
    return str(row[name])


def _decoded(row: Mapping[str, Any], name: str, kind: type[T], wanted: str) -> T | None:
    if name in row and row[name] is None:
        return None
    text = _bytes(_column(row, name), name)
    try:
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError):
        raise Unreadable(f"{name}: it is not {wanted}") from None


def _bytes(text: str, name: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Unreadable(f"{name}: it holds a lone surrogate") from None


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
