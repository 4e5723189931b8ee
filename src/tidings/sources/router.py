"""ChangeRouter: from a transaction of row changes to the messages that are published. Decides only; does no I/O.

A change that a rule cannot turn into a message (a value that no channel name can hold, a function that raises) is
parked: counted, told once for each rule and reason, and passed over. It never holds up the others.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec
import structlog

from tidings.changes import Change, Emitted, Gap, Transaction
from tidings.ids import ChannelName
from tidings.messages import Message, check_channel, check_event
from tidings.outbox import table as outbox
from tidings.sources.rulebook import CompiledRule, Undeliverable, Untold, encode_json
from tidings.sources.rules import AnyRule, Draft, FunctionRule, Rule, check_rules

log = structlog.get_logger("tidings.sources.router")

MESSAGE_BYTES: Final = 100_000
"""Data of one message; above it a `full` or `patch` message carries only its ids and `too_large`."""

MAX_DRAFTS: Final = 1000
"""Messages one call of a rule function may make: an endless generator must end somewhere."""

MAX_NOTICES: Final = 1000
"""Different troubles that are told; beyond it they are only counted."""


Encoded = tuple[Draft, bytes]
"""A draft with its data as JSON: encoded once, here."""


class Routed(msgspec.Struct, frozen=True):
    """What a transaction becomes.

    untold: patterns of channels that may miss a message, because the database did not tell a column that says whom a
    change concerns; their clients are told `reset`. ends: how many messages there are after each change.
    """

    messages: tuple[Message, ...]
    untold: tuple[str, ...] = ()
    ends: tuple[int, ...] = ()


class Parked(msgspec.Struct, frozen=True):
    """A change that one rule could not send. rule: its place from 1; 0 for the outbox, which needs none. reason: what
    is wrong, without the row's data."""

    rule: int
    table: str
    reason: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule makes of a change. why: a sentence, when nothing is sent."""

    rule: int
    outcome: Literal["sent", "nothing", "parked"]
    drafts: tuple[Draft, ...] = ()
    why: str = ""


def log_parked(parked: Parked) -> None:
    """Tell a parked change in the log. The router calls it once for each rule and reason."""
    log.warning("change_parked", rule=parked.rule, table=parked.table, reason=parked.reason)


class ChangeRouter:
    """Applies rules to changes, in the rules' order.

    rules: validated here; raises ConfigError. columns: the captured tables and their columns, as `open` of a source
    returns them. message_bytes: limit of a message's data. whole_old: the rules were let in because the database told
    rows before they changed; where it does not after all, the rule's channels are told `reset`. named: the source may
    also tell messages that the application named itself (outbox), for any channel. on_parked: told once for each rule
    and reason.
    """

    def __init__(
        self,
        rules: Sequence[AnyRule],
        columns: Mapping[str, Sequence[str]],
        *,
        message_bytes: int = MESSAGE_BYTES,
        whole_old: bool = False,
        named: bool = False,
        on_parked: Callable[[Parked], None] = log_parked,
    ) -> None:
        check_rules(rules, columns)
        self._rules = [_compiled(rule, columns[rule.table], message_bytes) for rule in rules]
        self._message_bytes = message_bytes
        self._whole_old = whole_old
        self._named = named
        self._on_parked = on_parked
        self._noticed: set[Parked] = set()
        self._by_table: dict[str, list[tuple[int, CompiledRule | FunctionRule]]] = {}
        for at, rule in enumerate(self._rules, 1):
            self._by_table.setdefault(rule.table, []).append((at, rule))
        self.parked: Counter[int] = Counter()
        """Changes that could not be sent, by the rule's place from 1."""

    def route(self, transaction: Transaction, key: str) -> Routed:
        """The messages of a transaction, in the order of its changes.

        key: the source's idempotency key of this transaction. Ids and trail come from it, so a repeat is the same.
        """
        trail = hashlib.blake2b(key.encode(), digest_size=8).hexdigest()
        messages: list[Message] = []
        untold: dict[str, None] = {}
        emitted = list(transaction.emitted)
        ends: list[int] = []
        for at, change in enumerate(transaction.changes):
            while emitted and emitted[0].at <= at:
                messages += self._emitted(emitted.pop(0), f"{key}.{len(messages)}", trail, untold)
            if change.name == outbox.TABLE:
                messages += self._outbox_row(change, f"{key}.{len(messages)}", trail, untold)
            else:
                for draft, data in self._drafts(change, untold):
                    messages.append(_message(draft, data, f"{key}.{len(messages)}", change.time, trail))
            ends.append(len(messages))
        for one in emitted:
            messages += self._emitted(one, f"{key}.{len(messages)}", trail, untold)
        return Routed(tuple(messages), tuple(untold), tuple(ends))

    def explain(self, change: Change) -> list[Explained]:
        """What each rule would do with a change, also those of other tables. Counts nothing."""
        return [self._explained(at, change) for at in range(1, len(self._rules) + 1)]

    def rows_of(self, channel: str) -> list[tuple[CompiledRule, list[dict[str, str]]]]:
        """The rules that tell a channel whole rows, one for each table, and by which values its rows are found."""
        found: dict[str, tuple[CompiledRule, list[dict[str, str]]]] = {}
        for rule in self._rules:
            if (
                isinstance(rule, CompiledRule)
                and rule.table not in found
                and (values := rule.rows_of(channel))
            ):
                found[rule.table] = rule, values
        return list(found.values())

    def patterns(self, gap: Gap) -> list[str]:
        """Channel patterns of everything that the gap's tables send to: their clients must read anew.

        What an application names itself may go to any channel.
        """
        if self._named and not gap.first and (not gap.tables or outbox.TABLE in gap.tables):
            return ["*"]
        found: dict[str, None] = {}
        for rule in self._rules:
            if not gap.tables or rule.table in gap.tables:
                found |= dict.fromkeys(rule.channels if isinstance(rule, FunctionRule) else (rule.pattern,))
        return list(found)

    def gaps(self, transaction: Transaction) -> list[Gap]:
        """The transaction's gap, and one for truncated tables: no message names the rows that went."""
        told = {rule.table for rule in self._rules if isinstance(rule, CompiledRule) and rule.tells_truncate}
        tables = tuple(
            dict.fromkeys(c.name for c in transaction.changes if c.kind == "truncate" and c.name not in told)
        )
        truncated = [Gap("source", tables)] if tables else []
        return ([transaction.gap] if transaction.gap else []) + truncated

    def _drafts(self, change: Change, untold: dict[str, None]) -> Iterator[Encoded]:
        for at, rule in self._by_table.get(change.name, ()):
            if change.kind == "truncate" and not _tells_truncate(rule):
                continue
            if self._whole_old and isinstance(rule, CompiledRule) and rule.misses(change):
                self._park(Parked(at, change.name, "channel: the row before the update is not told"))
                untold[rule.pattern] = None
            try:
                yield from self._checked(rule, change)
            except Undeliverable as error:
                self._park(Parked(at, change.name, str(error)))
                if isinstance(error, Untold) and isinstance(rule, CompiledRule):
                    untold[rule.pattern] = None

    def _outbox_row(self, change: Change, id: str, trail: str, untold: dict[str, None]) -> list[Message]:
        """The message that a row of the outbox holds; where it holds none, its channel misses one. Its sweeping is no
        news."""
        if change.kind != "insert" or change.new is None:
            return []
        try:
            staged = outbox.read_row(change.new, max_bytes=self._message_bytes)
        except outbox.Unreadable as error:
            self._park(Parked(0, change.name, str(error)))
            channel = change.new.get("channel")
            if isinstance(channel, str) and not check_channel(channel):
                untold[channel] = None
            return []
        return [staged.message(id, change.time, trail)]

    def _emitted(self, emitted: Emitted, id: str, trail: str, untold: dict[str, None]) -> list[Message]:
        """The message that was written into the database's log itself."""
        if emitted.prefix != outbox.PREFIX:
            return []
        try:
            staged = outbox.read_emitted(emitted.content, max_bytes=self._message_bytes)
        except outbox.Unreadable as error:
            self._park(Parked(0, "pg_logical_emit_message", str(error)))
            if channel := _channel_in(emitted.content):
                untold[channel] = None
            return []
        return [staged.message(id, emitted.time, trail)]

    def _park(self, parked: Parked) -> None:
        self.parked[parked.rule] += 1
        if parked not in self._noticed and len(self._noticed) < MAX_NOTICES:
            self._noticed.add(parked)
            self._on_parked(parked)

    def _explained(self, at: int, change: Change) -> Explained:
        rule = self._rules[at - 1]
        if rule.table != change.name:
            return Explained(rule=at, outcome="nothing", why=f"it is for table {rule.table!r}")
        if change.kind == "truncate" and not _tells_truncate(rule):
            return Explained(
                rule=at, outcome="nothing", why="a truncated table is told as `reset` to its channels"
            )
        try:
            drafts = self._checked(rule, change)
        except Undeliverable as error:
            return Explained(rule=at, outcome="parked", why=str(error))
        if drafts:
            return Explained(rule=at, outcome="sent", drafts=tuple(draft for draft, _ in drafts))
        why = "the function gave nothing" if isinstance(rule, FunctionRule) else rule.silence(change)
        return Explained(rule=at, outcome="nothing", why=why)

    def _checked(self, rule: CompiledRule | FunctionRule, change: Change) -> list[Encoded]:
        """All drafts of one rule, or Undeliverable: a rule sends all of a change or nothing of it."""
        drafts = rule.drafts(change) if isinstance(rule, CompiledRule) else _called(rule, change)
        encoded = []
        for draft in drafts:
            try:
                wrong = check_channel(draft.channel) or check_event(draft.event)
                data = b"" if wrong else draft.encoded or encode_json(draft.data)
            except (AttributeError, TypeError, ValueError) as error:  # a rule function's draft of wrong types
                raise Undeliverable(f"the draft cannot be read: {type(error).__name__}") from error
            if wrong:
                raise Undeliverable(wrong)
            if len(data) > self._message_bytes:
                raise Undeliverable(f"the message's data is above {self._message_bytes} bytes")
            encoded.append((draft, data))
        return encoded


def _compiled(rule: AnyRule, columns: Sequence[str], message_bytes: int) -> CompiledRule | FunctionRule:
    return CompiledRule(rule, columns, message_bytes) if isinstance(rule, Rule) else rule


def _called(rule: FunctionRule, change: Change) -> list[Draft]:
    try:
        return list(_bounded(rule.function(change)))
    except Undeliverable:
        raise
    except Exception as error:
        # Somebody else's code: whatever it raises is its own matter and parks this change.
        raise Undeliverable(f"the rule function raised {type(error).__name__}") from error


def _bounded(drafts: Iterable[Draft]) -> Iterator[Draft]:
    for count, draft in enumerate(drafts):
        if count >= MAX_DRAFTS:
            raise Undeliverable(f"the rule function gave more than {MAX_DRAFTS} messages")
        if not isinstance(draft, Draft):
            raise Undeliverable(f"the rule function gave a {type(draft).__name__} where a Draft belongs")
        yield draft


def _tells_truncate(rule: CompiledRule | FunctionRule) -> bool:
    return isinstance(rule, CompiledRule) and rule.tells_truncate


def _message(draft: Draft, data: bytes, id: str, time: int, trail: str) -> Message:
    return Message(
        id=id,
        channel=ChannelName(draft.channel),
        event=draft.event,
        data=data,
        time=time,
        entity=draft.entity,
        keys=draft.keys,
        trail=trail,
    )


class _Addressed(msgspec.Struct):
    channel: str


def _channel_in(content: bytes) -> str | None:
    """The channel that an emission names, though the rest of it is no message."""
    try:
        channel = msgspec.json.decode(content, type=_Addressed).channel
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if check_channel(channel) else channel
