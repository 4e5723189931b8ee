"""One rule made ready to be applied: its templates parsed, its defaults filled in. Pure; asks no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from tidings.changes import Change, Row
from tidings.messages import Entity
from tidings.sources.rules import Draft, Rule, When
from tidings.sources.templates import Template, Unfilled

Move = Literal["insert", "update", "delete", "enter", "leave"]

Written = tuple[dict[str, Any], bytes | None]
"""A message's data, and its JSON where it had to be written to see how long it is."""

_encoder: Final = msgspec.json.Encoder(decimal_format="number")


class Undeliverable(Exception):
    """A change that a rule cannot send. The text tells why and holds nothing of the row."""


class Untold(Undeliverable):
    """The database did not tell a column that is needed to know whom the change concerns."""


class CompiledRule:
    """A rule that turns changes of its table into drafts.

    A row that an update moves to another channel is told to both: the old one gets `delete` (else `update`) with
    change `leave`, the new one `insert` (else `update`) with change `enter`. A NULL in the channel's columns means
    that the row is in no channel.
    """

    def __init__(self, rule: Rule, columns: Sequence[str], message_bytes: int) -> None:
        self.table = rule.table
        self._rule = rule
        self._channel = Template(rule.channel)
        self._keys = [[Template(part) for part in key] for key in rule.keys]
        self._version = rule.version or ("version" if "version" in columns else None)
        self._limit = message_bytes
        self._events = _events_of(rule)
        self.pattern = self._channel.pattern

    def drafts(self, change: Change) -> list[Draft]:
        """What the rule sends for a change. Raises Undeliverable."""
        return list(self._drafts(change))

    def rows_of(self, channel: str) -> list[dict[str, str]]:
        """Which rows belong to a channel: the values, as text, that their columns may have together; none for a rule
        that does not tell rows whole, since a snapshot must not show what messages do not."""
        return [] if self._rule.deliver == "notify" else self._channel.values(channel)

    def is_in(self, row: Row, channel: str) -> bool:
        """Whether a row belongs to a channel."""
        try:
            return self._channel.fill(row) == channel
        except Unfilled:
            return False

    def misses(self, change: Change) -> bool:
        """Whether a row may have left a channel unseen: an update did not tell the columns that say which it was in."""
        old = change.old or {}
        return change.kind == "update" and any(column not in old for column in self._channel.columns)

    def silence(self, change: Change) -> str:
        """Why nothing is sent for a change that gave no drafts."""
        if change.kind != "truncate" and self._channel_of(change.row) is None:
            return "a column of the channel is NULL, so the row is in no channel"
        return f"the rule names no event for {change.kind}"

    def _drafts(self, change: Change) -> Iterator[Draft]:
        if change.kind == "truncate":
            if self.tells_truncate:
                yield self._truncated(change)
            return
        if change.kind == "insert" or change.kind == "delete":
            yield from self._draft(change, change.kind, change.row, self._events[change.kind])
            return
        new = self._channel_of(change.new or {})
        old = self._old_channel(change, new)
        if old == new:
            yield from self._updated(change)
            return
        gone, come, changed = (self._events[kind] for kind in ("delete", "insert", "update"))
        yield from self._draft(change, "leave", change.old or {}, gone or changed)
        yield from self._draft(change, "enter", change.new or {}, come or changed)

    def _updated(self, change: Change) -> Iterator[Draft]:
        when = next((when for when in self._rule.when if change.changed(when.changed)), None)
        event = when.event if when else self._events["update"]
        yield from self._draft(change, "update", change.new or {}, event, when)

    def _draft(
        self, change: Change, move: Move, row: Row, event: str | None, when: When | None = None
    ) -> Iterator[Draft]:
        channel = self._channel_of(row) if event else None
        if event is None or channel is None:
            return
        data, encoded = self._data(change, move, row, when)
        yield Draft(
            channel=channel,
            event=event,
            data=data,
            keys=self._filled_keys(row),
            entity=self._entity(change, move, row),
            encoded=encoded,
        )

    def _old_channel(self, change: Change, new: str | None) -> str | None:
        """The channel before an update; when the database does not tell the old values, the row counts as unmoved."""
        old = change.old
        if old is None or any(column not in old for column in self._channel.columns):
            return new
        return self._channel_of(old)

    def _channel_of(self, row: Row) -> str | None:
        try:
            return self._channel.fill(row)
        except Unfilled as reason:
            if reason.null:
                return None
            untold = any(column not in row for column in self._channel.columns)
            raise (Untold if untold else Undeliverable)(f"channel: {reason}") from reason

    def _filled_keys(self, row: Row) -> tuple[tuple[Any, ...], ...]:
        """A key with a NULL or unknown part names no query: it is left out."""
        filled = []
        for key in self._keys:
            try:
                filled.append(tuple(part.value(row) for part in key))
            except Unfilled:
                continue
        return tuple(filled)

    def _data(self, change: Change, move: Move, row: Row, when: When | None) -> Written:
        if self._rule.deliver == "change":
            return self._raw(change, move)
        ids = self._ids(change, row, when)
        if self._rule.deliver == "notify" or move in ("delete", "leave"):
            return ids, None
        content = self._patch(change, move, row) if self._rule.deliver == "patch" else row
        whole = {**content, **ids}
        if change.unchanged and self._rule.deliver == "full":
            whole["unchanged"] = list(change.unchanged)
        encoded = None if change.unknown else encode_json(whole)
        if encoded is None or len(encoded) > self._limit:
            return {**ids, "too_large": True, "columns": sorted({*content, *change.unknown})}, None
        return whole, encoded

    def _raw(self, change: Change, move: Move) -> Written:
        """The change itself. Who is left sees a row go, who is entered sees one come: neither sees the other's part."""
        old = None if move in ("insert", "enter") else change.old
        new = None if move in ("delete", "leave") else change.new
        kind = {"leave": "delete", "enter": "insert"}.get(move, move)
        whole: dict[str, Any] = {
            "schema": change.schema,
            "table": change.table,
            "type": kind.upper(),
            "new": new,
            "old": old,
            "commit_time": change.time,
            "position": change.position,
        }
        if change.unknown:
            whole["unknown"] = list(change.unknown)
        if change.unchanged and new is not None:
            whole["unchanged"] = list(change.unchanged)
        encoded = encode_json(whole)
        if len(encoded) <= self._limit:
            return whole, encoded
        needed = {*change.key, *self._channel.columns}
        columns = sorted({*(new or {}), *(old or {})})
        for part in ("new", "old"):
            if whole[part] is not None:
                whole[part] = {column: value for column, value in whole[part].items() if column in needed}
        return {**whole, "too_large": True, "columns": columns}, None

    @property
    def tells_truncate(self) -> bool:
        """Whether an emptied table is told by an event; only a channel that is one for the whole table can say it."""
        return self._rule.truncate is not None and not self._channel.columns

    def _truncated(self, change: Change) -> Draft:
        raw = {"schema": change.schema, "table": change.table, "type": "TRUNCATE", "new": None, "old": None}
        data = {**raw, "commit_time": change.time, "position": change.position}
        return Draft(
            channel=self._channel.text,
            event=self._rule.truncate or "",
            data=data if self._rule.deliver == "change" else {"table": change.name},
            keys=self._filled_keys({}),
        )

    def _ids(self, change: Change, row: Row, when: When | None) -> dict[str, Any]:
        named = when.data if when and when.data is not None else self._rule.data
        if named is None:
            named = {column: column for column in dict.fromkeys((*change.key, *self._channel.columns))}
        try:
            return {name: row[column] for name, column in named.items()}
        except KeyError as error:
            raise Untold(f"data: column {error.args[0]} is unknown") from None

    def _patch(self, change: Change, move: Move, row: Row) -> Mapping[str, Any]:
        """The columns an update changed; the whole row for those who see it for the first time."""
        if move != "update" or change.old is None:
            return row
        old = change.old  # a column that was not told of the old row may have changed
        changed = {c: value for c, value in row.items() if c not in old or change.changed(c)}
        if self._version in row:
            changed[str(self._version)] = row[str(self._version)]
        return changed

    def _entity(self, change: Change, move: Move, row: Row) -> Entity | None:
        identity = _identity([row.get(column) for column in change.key])
        if identity is None:
            return None
        version = row.get(self._version) if self._version else None
        if not isinstance(version, int) or isinstance(version, bool):
            version = None
        return Entity(type=self._rule.entity or self.table, id=identity, version=version, change=move)


def _identity(parts: Sequence[Any]) -> str | int | None:
    """A row's primary key as one value; None when a part of it is missing or no plain value."""
    if len(parts) == 1 and type(parts[0]) in (int, str):  # nearly always
        only: str | int = parts[0]
        return only
    if not parts or any(not isinstance(part, str | int | float | Decimal) for part in parts):
        return None
    return parts[0] if len(parts) == 1 and isinstance(parts[0], int) else ",".join(map(str, parts))


def _events_of(rule: Rule) -> dict[str, str | None]:
    """The event of each kind of change. A rule for raw changes that names none has one for each."""
    events = {"insert": rule.insert, "update": rule.update, "delete": rule.delete}
    if rule.deliver == "change" and not any(events.values()):
        return {kind: kind for kind in events}
    return events


def encode_json(value: object) -> bytes:
    """A value as JSON, decimals with every digit. Raises Undeliverable for what JSON cannot hold."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Undeliverable("the data cannot be written as JSON") from error
