"""One rule made ready to be applied: its templates parsed, its defaults filled in. Pure; asks no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import msgspec

from tidings.changes import Change, Row
from tidings.messages import Entity
from tidings.sources.rules import Draft, Rule, When
from tidings.sources.templates import Template, Unfilled

Move = Literal["insert", "update", "delete", "enter", "leave"]


class Undeliverable(Exception):
    """A change that a rule cannot send. The text tells why and holds nothing of the row."""


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
        self.pattern = self._channel.pattern

    def drafts(self, change: Change) -> list[Draft]:
        """What the rule sends for a change. Raises Undeliverable."""
        return list(self._drafts(change))

    def silence(self, change: Change) -> str:
        """Why nothing is sent for a change that gave no drafts."""
        if self._channel_of(change.row) is None:
            return "a column of the channel is NULL, so the row is in no channel"
        return f"the rule names no event for {change.kind}"

    def _drafts(self, change: Change) -> Iterator[Draft]:
        if change.kind == "insert" or change.kind == "delete":
            event = self._rule.insert if change.kind == "insert" else self._rule.delete
            yield from self._draft(change, change.kind, change.row, event)
            return
        new = self._channel_of(change.new or {})
        old = self._old_channel(change, new)
        if old == new:
            yield from self._updated(change)
            return
        yield from self._draft(change, "leave", change.old or {}, self._rule.delete or self._rule.update)
        yield from self._draft(change, "enter", change.new or {}, self._rule.insert or self._rule.update)

    def _updated(self, change: Change) -> Iterator[Draft]:
        when = next((when for when in self._rule.when if change.changed(when.changed)), None)
        event = when.event if when else self._rule.update
        yield from self._draft(change, "update", change.new or {}, event, when)

    def _draft(
        self, change: Change, move: Move, row: Row, event: str | None, when: When | None = None
    ) -> Iterator[Draft]:
        channel = self._channel_of(row) if event else None
        if event is None or channel is None:
            return
        yield Draft(
            channel=channel,
            event=event,
            data=self._data(change, move, row, when),
            keys=self._filled_keys(row),
            entity=self._entity(change, move, row),
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
            raise Undeliverable(f"channel: {reason}") from reason

    def _filled_keys(self, row: Row) -> tuple[tuple[Any, ...], ...]:
        """A key with a NULL or unknown part names no query: it is left out."""
        filled = []
        for key in self._keys:
            try:
                filled.append(tuple(part.value(row) for part in key))
            except Unfilled:
                continue
        return tuple(filled)

    def _data(self, change: Change, move: Move, row: Row, when: When | None) -> dict[str, Any]:
        ids = self._ids(change, row, when)
        if self._rule.deliver == "notify" or move in ("delete", "leave"):
            return ids
        content = self._patch(change, move, row) if self._rule.deliver == "patch" else row
        whole = {**content, **ids}
        if change.unknown or len(_json(whole)) > self._limit:
            return {**ids, "too_large": True, "columns": sorted({*content, *change.unknown})}
        return whole

    def _ids(self, change: Change, row: Row, when: When | None) -> dict[str, Any]:
        named = when.data if when and when.data is not None else self._rule.data
        if named is None:
            named = {column: column for column in dict.fromkeys((*change.key, *self._channel.columns))}
        missing = [column for column in named.values() if column not in row]
        if missing:
            raise Undeliverable(f"data: column {missing[0]} is unknown")
        return {name: row[column] for name, column in named.items()}

    def _patch(self, change: Change, move: Move, row: Row) -> Mapping[str, Any]:
        """The columns an update changed; the whole row for those who see it for the first time."""
        if move != "update" or change.old is None:
            return row
        changed = {column: value for column, value in row.items() if change.changed(column)}
        if self._version in row:
            changed[str(self._version)] = row[str(self._version)]
        return changed

    def _entity(self, change: Change, move: Move, row: Row) -> Entity | None:
        parts = [row.get(column) for column in change.key]
        if not parts or any(not isinstance(part, str | int | float) for part in parts):
            return None
        identity = (
            parts[0] if len(parts) == 1 and isinstance(parts[0], str | int) else ",".join(map(str, parts))
        )
        version = row.get(self._version) if self._version else None
        if not isinstance(version, int) or isinstance(version, bool):
            version = None
        return Entity(type=self._rule.entity or self.table, id=identity, version=version, change=move)


def _json(value: object) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise Undeliverable("the data cannot be written as JSON") from error
