"""What came of a capture campaign: the log against what test_decoding read, and a replica against the tables.

Pure but for the reading of the log. test_decoding is Postgres' own reader of the same commits: it says which there
were, in which order, and what each did to which table.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from campaigns.capture_reader import APP, CHANNEL, engine
from tidings.messages import Message, Position

Op = tuple[str, str]
"""Table and kind of one change."""

Row = dict[str, Any]
Tables = dict[str, dict[tuple[Any, ...], Row]]
"""Table to rows by key."""

_LINE: Final = re.compile(r"table ((?:public\.\w+(?:, )?)+): (INSERT|UPDATE|DELETE|TRUNCATE):")
_MARK: Final = re.compile(r"table public\.marks: INSERT: tx\[integer\]:(\d+) ")


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit as somebody told it. number: what its writer called it; None when it had no mark."""

    number: int | None
    ops: tuple[Op, ...]


@dataclass(slots=True)
class Verdict:
    """What was broken. Each fault is one sentence."""

    commits: int = 0
    messages: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    silent: int = 0
    resets: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def counts(self) -> tuple[int, int, int, int]:
        return self.lost, self.duplicated, self.reordered, self.silent


async def read_log(path: str) -> tuple[list[Message], int]:
    """All messages in the log's order, and how often it says that something is missing."""
    log = engine(path)
    log.broker.listen(lambda app, items: None)
    await log.open()
    try:
        messages: list[Message] = []
        after = Position(log.broker.head(APP).epoch, 0)
        while True:
            page = await log.broker.read(APP, [CHANNEL], after)
            messages += page.messages
            if page.resets or page.complete:
                return messages, len(page.resets)
            assert page.messages, "an incomplete page holds messages"
            last = page.messages[-1].position
            assert last is not None, "it was read from the log"
            after = last
    finally:
        await log.close()


def from_lines(lines: Iterable[str]) -> list[Commit]:
    """test_decoding's text as commits; those that touch none of our tables are left out."""
    commits: list[Commit] = []
    ops: list[Op] = []
    number: int | None = None
    for line in lines:
        if line.startswith("BEGIN"):
            ops, number = [], None
        elif line.startswith("COMMIT"):
            if ops:
                commits.append(Commit(number, tuple(ops)))
        elif found := _LINE.match(line):
            ops += [(name.removeprefix("public."), found[2]) for name in found[1].split(", ")]
            if mark := _MARK.match(line):
                number = int(mark[1])
    return commits


def from_messages(told: Sequence[Row]) -> list[Commit]:
    """The log's messages as commits: those that stand together and name the same place in the database's log."""
    commits: list[Commit] = []
    ops: list[Op] = []
    position: str | None = None
    number: int | None = None
    for change in [*told, None]:
        if ops and (change is None or change["position"] != position):
            commits.append(Commit(number, tuple(ops)))
            ops, number = [], None
        if change is not None:
            position = change["position"]
            ops.append((change["table"], change["type"]))
            if change["table"] == "marks" and change["new"] is not None:
                number = int(change["new"]["tx"])
    return commits


def judge(
    messages: Sequence[Message],
    resets: int,
    lines: Iterable[str],
    tables: Tables,
    keys: Mapping[str, tuple[str, ...]],
) -> Verdict:
    """Compare."""
    verdict = Verdict(messages=len(messages), resets=resets)
    told = [parse(message.data) for message in messages]
    expected, found = from_lines(lines), from_messages(told)
    verdict.commits = len(expected)
    _compare(verdict, expected, found)
    twice = [id for id, count in Counter(message.id for message in messages).items() if count > 1]
    if twice:
        verdict.duplicated += len(twice)
        verdict.faults.append(f"{len(twice)} ids twice, first {twice[0]}")
    if resets:
        verdict.silent += resets
        verdict.faults.append("the log says that something is missing, though no slot was lost")
    replica = Replica(keys)
    for change in told:
        replica.take(change)
    verdict.silent += len(replica.faults)
    verdict.faults += replica.faults[:10]
    for table, rows in tables.items():
        kept = replica.tables.get(table, {})
        wrong = [key for key in {*rows, *kept} if rows.get(key) != kept.get(key)]
        if wrong:
            verdict.silent += len(wrong)
            key = wrong[0]
            verdict.faults.append(
                f"{table} {key}: replica {kept.get(key)!r:.500} table {rows.get(key)!r:.500}"
            )
    return verdict


def _compare(verdict: Verdict, expected: Sequence[Commit], found: Sequence[Commit]) -> None:
    there, came = Counter(c.number for c in expected), Counter(c.number for c in found)
    verdict.lost = (there - came).total()
    verdict.duplicated = (came - there).total()
    if verdict.lost or verdict.duplicated:
        verdict.faults.append(
            f"lost {list(there - came)[:5]}, too many {list(came - there)[:5]} of {len(expected)}"
        )
        return
    for a, b in zip(expected, found, strict=True):
        if a != b:
            verdict.reordered += 1
            verdict.faults.append(f"commit {a.number} came as {b.number}: {a.ops[:20]} {b.ops[:20]}")
            return


class Replica:
    """Tables kept from changes alone. faults: changes that did not fit what it had."""

    def __init__(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        self._keys = keys
        self.tables: Tables = {table: {} for table in keys}
        self.faults: list[str] = []

    def take(self, change: Row) -> None:
        table, kind = change["table"], change["type"]
        rows = self.tables[table]
        if kind == "TRUNCATE":
            rows.clear()
            return
        if change.get("too_large") or (
            change.get("unknown") and kind != "DELETE"
        ):  # a key is all of a row that went
            self.faults.append(f"{table}: {sorted(change)} is not told whole")
            return
        before: Row | None = None
        if change["old"] is not None:
            before = rows.pop(self._key(table, change["old"]), None)
            self._check_old(table, change["old"], before)
        if change["new"] is not None:
            new, unchanged = dict(change["new"]), change.get("unchanged", ())
            if unchanged and (before is None or not set(unchanged) <= set(before)):
                self.faults.append(f"{table}: unchanged {unchanged}, but nothing is known of it before")
            new |= {column: (before or {}).get(column) for column in unchanged}
            key = self._key(table, new)
            if key in rows:
                self.faults.append(f"{table} {key}: {kind} of a row that is there already")
            rows[key] = new

    def _check_old(self, table: str, old: Row, before: Row | None) -> None:
        if before is None:
            self.faults.append(f"{table}: a change of a row that is not there: {old!r:.300}")
            return
        # Columns that come and go are as the form made them, which no change tells.
        differ = [name for name in old if not name.startswith("x") and old[name] != before.get(name)]
        if differ:
            self.faults.append(f"{table}: the old row has another {differ}: {old!r:.300} {before!r:.300}")

    def _key(self, table: str, row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in self._keys[table])


def parse(data: bytes | str) -> Row:
    """JSON, numbers with every digit."""
    found: Row = json.loads(data, parse_float=Decimal)
    return found
