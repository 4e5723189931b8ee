"""Merging history with live messages: without gap, without repeat, in log order. Pure functions over values."""

from __future__ import annotations

from collections.abc import Iterable

from tidings.messages import Message


def merge(history: Iterable[Message], held: Iterable[Message], *, after: int) -> list[Message]:
    """Join a page of history with the messages that were held back meanwhile.

    history: logged messages in offset order. held: live messages in the order they came, ephemeral ones among them.
    after: offset up to which everything was given already.

    Logged messages come out once each, in offset order, and only above `after`. Ephemeral ones keep their place
    between the held messages around them; they cannot be in history.
    """
    merged = [message for message in history if _offset(message) > after]
    last = _offset(merged[-1]) if merged else after
    for message in held:
        if message.position is None:
            merged.append(message)
        elif message.position.offset > last:
            merged.append(message)
            last = message.position.offset
    return merged


def _offset(message: Message) -> int:
    assert message.position is not None, "history holds logged messages only"
    return message.position.offset
