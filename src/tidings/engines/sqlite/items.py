"""What waits for the writer, and what comes back from it: values that cross between the loop and the thread."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tidings.changes import Progress
from tidings.engines.base import DeclaredGap, Held, Published
from tidings.ids import AppId, ClientId
from tidings.messages import Message, Position

Cursors = Mapping[tuple[AppId, ClientId], Held]


class Append(msgspec.Struct, eq=False, gc=False):
    """A publish that waits. size: bytes of its data."""

    app: AppId
    messages: Sequence[Message]
    key: str | None
    size: int
    future: asyncio.Future[Any]
    progress: Progress | None = None


class Declare(msgspec.Struct, eq=False, gc=False):
    """A declared gap that waits."""

    app: AppId
    pattern: str
    reason: str
    future: asyncio.Future[Any]
    messages: tuple[Message, ...] = ()
    size: int = 0


Item = Append | Declare

Answer = Published | Position | BaseException


class Group(msgspec.Struct, eq=False):
    """What the loop is told of one transaction, or of one that failed.

    answers: to each item. told: by app, in offset order. cursors: those that were written with it, or were to be.
    """

    answers: list[tuple[Item, Answer]] = []
    told: dict[AppId, list[Message | DeclaredGap]] = {}
    cursors: list[Cursors] = []
    written: bool = True
