"""Whether a slot goes on exactly where the log has us, or what was lost. Decides; asks no server.

Positions in Postgres' log (LSNs) mean something only within one cluster and one timeline: a standby that was promoted
goes its own way from the point where it left the old one.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tidings.changes import WHOLE, Checkpoint, Gap, Progress
from tidings.sources.postgres.pgoutput.frames import parse_lsn

PAGE: Final = 8192
"""Bytes of a page of Postgres' log, as it is usually built."""

PAGE_HEADERS: Final = (24, 40)
"""Bytes at the begin of a page, and of a file's first."""

_GENERATION: Final = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,8})-([0-9a-f]{6})\Z")


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are connected to. switches: (timeline, LSN at which it was left) for each earlier timeline. written: where
    its log ends; None when that was not asked."""

    system: int
    timeline: int
    switches: tuple[tuple[int, int], ...] = ()
    written: int | None = None


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """The replication slot as the server has it. lost: why it can give nothing any more; empty while it can."""

    confirmed: int
    lost: str = ""


class Beginning(msgspec.Struct, frozen=True, kw_only=True):
    """How to begin to read.

    generation: under which checkpoints are told from now on. after: what is published already; None for nothing.
    gap: what must be told first. create: whether a slot must be made; drop: an old one taken away before.
    """

    generation: str
    after: Checkpoint | None = None
    gap: Gap | None = None
    create: bool = False
    drop: bool = False


def generation_of(server: Server, nonce: str) -> str:
    """The name of a generation: cluster, timeline, and what tells two beginnings there apart (6 hexadecimal digits)."""
    return f"{server.system:x}-{server.timeline:x}-{nonce}"


def begin(progress: Progress | None, server: Server, slot: Slot | None, nonce: str) -> Beginning:
    """Compare what the log has with what the server has.

    The slot's confirmed position is only ever moved to what the log holds already, so one that stands further was moved
    by somebody else, or is another slot under the same name.
    """
    fresh = generation_of(server, nonce)
    usable = slot is not None and not slot.lost
    create, drop = not usable, slot is not None and bool(slot.lost)
    if progress is None:
        return Beginning(generation=fresh, gap=Gap("source", first=True), create=create, drop=drop)
    reason = _broken(progress, server, slot)
    if reason:
        return Beginning(generation=fresh, gap=Gap(reason), create=create, drop=drop)
    same = progress.generation.rsplit("-", 1)[0] == fresh.rsplit("-", 1)[0]
    return Beginning(generation=progress.generation if same else fresh, after=progress.checkpoint)


def _broken(progress: Progress, server: Server, slot: Slot | None) -> str:
    """Why what the log has cannot be continued; empty when it can."""
    told = _GENERATION.match(progress.generation)
    if told is None or int(told[1], 16) != server.system:
        return "this is another database cluster"
    timeline, done = int(told[2], 16), reached(progress.checkpoint)
    if timeline != server.timeline:
        left = dict(server.switches).get(timeline)
        if left is None:
            return f"timeline {timeline} is not in this server's history"
        if done > left:
            return "the server that was promoted lacks commits that were told"
    elif server.written is not None and done > server.written:
        return "the server lacks commits that were told: it was restored from an earlier state"
    if slot is None:
        return "the replication slot is gone"
    if slot.lost:
        return f"the replication slot was invalidated: {slot.lost}"
    if slot.confirmed > done:
        return "the replication slot was moved on by somebody else"
    return ""


def reached(checkpoint: Checkpoint) -> int:
    """The position up to which the server may have been told that we have all."""
    return checkpoint.value + 1 if checkpoint.part == WHOLE else checkpoint.value


def end_of_records(position: int) -> int:
    """Where the server would write next, as the end of what it has written.

    The two are the same but at the begin of a page: what is written next comes behind its header.
    """
    within = position % PAGE
    return position - within if within in PAGE_HEADERS else position


def start_position(after: Checkpoint | None) -> int:
    """From where to ask the server; 0 for "from where the slot stands". A commit that was told in part comes again."""
    return after.value + 1 if after is not None and after.part == WHOLE else 0


def parse_history(text: bytes) -> tuple[tuple[int, int], ...]:
    """A timeline history file: the earlier timelines, and where each was left."""
    switches = []
    for line in text.decode(errors="replace").splitlines():
        parts = line.split("#")[0].split()
        if len(parts) >= 2 and parts[0].isdigit():
            switches.append((int(parts[0]), parse_lsn(parts[1])))
    return tuple(switches)
