"""Reads the conversation files of conformance/ and plays them against a protocol's server. Knows no protocol.

The format is described in conformance/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidings import commands, pushes
from tidings.errors import Disconnect, Refusal, Unsubscription
from tidings.ids import SessionId
from tidings.messages import Message, Origin, Position
from tidings.presence import Member
from tidings.protocols.base import WireProtocol
from tidings.row_filters import RowFilter

FOLDER = Path(__file__).parents[2] / "conformance"

ANY_TEXT = {"any": "text"}


class Conversation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One conversation, its steps in order."""

    name: str
    steps: list[dict[str, Any]]
    options: dict[str, Any] = msgspec.field(default_factory=dict)


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of conversations."""

    protocol: str
    clause: str
    conversations: list[Conversation]


def conversations(protocol: str) -> list[Any]:
    """All conversations of a protocol, as parameters of a test, named by file and conversation."""
    return [
        pytest.param(conversation, id=f"{path.stem}: {conversation.name}")
        for path in sorted((FOLDER / protocol).glob("*.json"))
        for conversation in _read(path, protocol).conversations
    ]


def _read(path: Path, protocol: str) -> File:
    file = msgspec.json.decode(path.read_bytes(), type=File)
    assert file.protocol == protocol, path
    return file


def play(conversation: Conversation, make: Callable[..., WireProtocol]) -> None:
    """Play a conversation against a new server; raises AssertionError at the first step that goes another way."""
    server = make(**conversation.options)
    expected: Iterator[Any] = iter(())  # what the server still owes, each as a step of the file
    for number, step in enumerate(conversation.steps):
        (kind,) = step
        where = f"step {number + 1}: {step}"
        if kind in _ACTIONS:
            _nothing_left(expected, where)
            expected = iter(_ACTIONS[kind](server, step[kind]))
        else:
            owed = next(expected, None)
            assert owed is not None, f"{where}: the server made nothing"
            if kind == "refusal":  # it is also told
                told = server.push(pushes.Refused(command="", refusal=owed["raised"]))
                owed, expected = {"refusal": owed["raised"].name}, iter(_frames(told))
            assert _same(owed, step), f"{where}: the server made {owed}"
    _nothing_left(expected, "the end")


def _nothing_left(expected: Iterator[Any], where: str) -> None:
    left = list(expected)
    assert not left, f"{where}: the server made more: {left}"


def _same(owed: dict[str, Any], step: dict[str, Any]) -> bool:
    (kind,) = step
    if kind == "server_text":
        return bool(owed.get("text") == step[kind])
    return kind in owed and fits(owed[kind], step[kind])


def fits(value: Any, wanted: Any) -> bool:
    """Equality, but for texts whose words are free."""
    if wanted == ANY_TEXT:
        return isinstance(value, str) and value != ""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return wanted.keys() == value.keys() and all(fits(value[name], wanted[name]) for name in wanted)
    if isinstance(wanted, list) and isinstance(value, list):
        return len(wanted) == len(value) and all(map(fits, value, wanted))
    return type(value) is type(wanted) and bool(value == wanted)


# ── what happens


def _client(server: WireProtocol, frame: str | bytes) -> list[dict[str, Any]]:
    try:
        return [{"command": command_json(command)} for command in server.receive(frame)]
    except Refusal as refusal:
        return [{"raised": refusal}]


def _close(server: WireProtocol, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    code, reason = server.close_code(Disconnect(wanted["reason"]))
    assert (code, len(reason.encode()) <= 123) == (wanted["code"], True)
    return []


def _frames(payloads: Any) -> list[dict[str, Any]]:
    """Frames as values, and as texts for those who ask for them."""
    return [{"server": json.loads(payload), "text": payload.decode()} for payload in payloads]


_ACTIONS: dict[str, Callable[[WireProtocol, Any], list[dict[str, Any]]]] = {
    "client": lambda server, value: _client(server, json.dumps(value)),
    "client_text": _client,
    "client_binary": lambda server, value: _client(server, bytes.fromhex(value)),
    "push": lambda server, value: _frames(server.push(push_from(value))),
    "message": lambda server, value: _frames([server.encoder.encode(message_from(value))]),
    "close": _close,
}


# ── nouns as JSON


def command_json(command: commands.Command) -> dict[str, Any]:
    """A command as the files write it."""
    return {type(command).__name__.lower(): _fields(command)}


def _fields(noun: msgspec.Struct) -> dict[str, Any]:
    return {
        field.name: _plain(getattr(noun, field.name))
        for field in msgspec.structs.fields(noun)
        if getattr(noun, field.name) != field.default
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Position | RowFilter):
        return str(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return _fields(value) if isinstance(value, msgspec.Struct) else value


def push_from(value: dict[str, Any]) -> pushes.Push:
    """A push as the files write it."""
    ((name, fields),) = value.items()
    noun: Callable[..., pushes.Push] = getattr(pushes, "".join(map(str.capitalize, name.split("_"))))
    read = {field: _READERS.get(field, _same_value)(given) for field, given in fields.items()}
    if name == "unsubscribed" and "reason" in read:
        read["reason"] = _told(Unsubscription, read["reason"])
    return noun(**read)


def message_from(fields: dict[str, Any]) -> Message:
    """A message as the files write it; time and id have defaults."""
    read = {field: _READERS.get(field, _same_value)(given) for field, given in fields.items()}
    return Message(**{"id": "m1", "time": 1_700_000_000_000, **read})


def _told(kind: Callable[..., Any], value: Any) -> Any:
    return kind(value) if isinstance(value, str) else kind(value.pop("name"), **value)


def _same_value(value: Any) -> Any:
    return value


_READERS: dict[str, Callable[[Any], Any]] = {
    "cursor": Position.parse,
    "head": Position.parse,
    "position": Position.parse,
    "data": str.encode,
    "channels": tuple,
    "online": tuple,
    "offline": tuple,
    "members": lambda members: tuple(Member(m["user"], m.get("info", "null").encode()) for m in members),
    "message": message_from,
    "refusal": lambda value: _told(Refusal, value),
    "disconnect": lambda value: _told(Disconnect, value),
    "session": SessionId,
    "origin": lambda fields: Origin(**fields),
}
