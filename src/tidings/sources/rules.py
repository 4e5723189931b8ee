"""The rule language: what a rule may say, and whether it fits the database. Applying rules is the router's matter."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from tidings.changes import Change
from tidings.errors import ConfigError
from tidings.messages import RESERVED_EVENTS, Entity
from tidings.sources.templates import Template

MAX_CHANNEL_NAME: Final = 200
"""Characters; the contract's limit, and what Pusher's libraries accept."""

MAX_EVENT_NAME: Final = 200
"""Characters; the contract's limit."""

MAX_RULES: Final = 1000
"""Each change of a table is matched with all rules of that table."""

CHANNEL_CHARACTERS: Final = re.compile(r"[A-Za-z0-9_\-=@,.;:]*\Z")
"""What a rule's channel may be made of. Not `*`: it would read as a pattern. The colon is for Phoenix topics."""

NOT_FOR_RULES: Final = (*RESERVED_EVENTS, "client-")
"""Beginnings of event names that only the server or a client may say."""

Deliver = Literal["notify", "full", "patch"]


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An update that changed one column gets an event of its own, and its own data if it names any."""

    changed: str
    event: str
    data: dict[str, str] | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the changes of one table become.

    channel: a template. insert, update, delete: event names; absent means nothing is sent.
    when: for updates, the first that fits wins over `update`. data: name in the message to column.
    keys: query keys to invalidate, each a list of templates. entity: type told to clients, the table's name if absent.
    version: the column that rises with each save; `version` if the table has it.
    """

    table: str
    channel: str
    insert: str | None = None
    update: str | None = None
    delete: str | None = None
    when: tuple[When, ...] = ()
    data: dict[str, str] | None = None
    keys: tuple[tuple[str, ...], ...] = ()
    deliver: Deliver = "notify"
    entity: str | None = None
    version: str | None = None


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a rule function makes it; `data` is any value that can be JSON."""

    channel: str
    event: str
    data: Any = None
    keys: tuple[tuple[Any, ...], ...] = ()
    entity: Entity | None = None


class RuleFunction(Protocol):
    """A rule in Python. The same change must give the same drafts, in the same order: a change may come twice."""

    def __call__(self, change: Change, /) -> Iterable[Draft]: ...


class FunctionRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule function and the table it is for. channels: patterns of what it sends to, told `reset` after a gap."""

    table: str
    function: RuleFunction
    channels: tuple[str, ...]


AnyRule = Rule | FunctionRule


def load_rules(tables: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """Read rules as they stand in `[[rules]]`. Raises ConfigError naming the rule, the field and the nearest name."""
    return [_load(at, table) for at, table in enumerate(tables, 1)]


def check_rules(rules: Sequence[AnyRule], columns: Mapping[str, Sequence[str]]) -> None:
    """See that every rule fits the captured tables. Raises ConfigError for the first that does not."""
    if len(rules) > MAX_RULES:
        raise ConfigError(f"rules: {len(rules)} are too many (limit {MAX_RULES})")
    for at, rule in enumerate(rules, 1):
        where = f"rules[{at}]"
        if rule.table not in columns:
            raise ConfigError(f"{where}.table: {_no_such('table', rule.table, columns)}")
        if isinstance(rule, Rule):
            _check(where, rule, columns[rule.table])


def check_channel(channel: str) -> str | None:
    """Why a filled channel name is not allowed; None when it is. The value itself is not repeated: it is data."""
    if not channel:
        return "the channel name is empty"
    if len(channel) > MAX_CHANNEL_NAME:
        return f"the channel name is longer than {MAX_CHANNEL_NAME} characters"
    if not CHANNEL_CHARACTERS.match(channel):
        return (
            "the channel name has characters that are not allowed (letters, digits and _ - = @ , . ; : are)"
        )
    return None


def check_event(event: str) -> str | None:
    """Why an event name is not allowed; None when it is."""
    if not 0 < len(event) <= MAX_EVENT_NAME or not event.isprintable():
        return f"an event name has 1 to {MAX_EVENT_NAME} printable characters"
    if event.startswith(NOT_FOR_RULES):
        return f"an event name may not begin with {', '.join(NOT_FOR_RULES)}"
    return None


def _load(at: int, table: Mapping[str, Any]) -> Rule:
    known = Rule.__struct_fields__
    for field in table:
        if field not in known:
            raise ConfigError(f"rules[{at}]: {_no_such('field', field, known)}")
    try:
        return msgspec.convert(table, Rule)
    except msgspec.ValidationError as error:
        raise ConfigError(f"rules[{at}]: {error}; see the reference of rules") from error


def _check(where: str, rule: Rule, columns: Sequence[str]) -> None:
    _check_events(where, rule)
    _check_fixed_text(where, rule)
    for field, column in _columns_named(rule):
        if column not in columns:
            raise ConfigError(
                f"{where}.{field}: {_no_such('column', column, columns)} in table {rule.table!r}"
            )


def _check_events(where: str, rule: Rule) -> None:
    events = {"insert": rule.insert, "update": rule.update, "delete": rule.delete}
    events |= {f"when[{at}].event": when.event for at, when in enumerate(rule.when, 1)}
    if not any(events.values()):
        raise ConfigError(f"{where}: it sends nothing; name an event for insert, update, delete or when")
    for field, event in events.items():
        wrong = check_event(event) if event is not None else None
        if wrong:
            raise ConfigError(f"{where}.{field}: {event!r}: {wrong}")


def _check_fixed_text(where: str, rule: Rule) -> None:
    """The part of the channel that is written in the rule must be allowed; what rows put in shows later."""
    template = _template(f"{where}.channel", rule.channel)
    wrong = check_channel(template.pattern.replace("*", "x") if "*" not in rule.channel else "*")
    if wrong:
        raise ConfigError(f"{where}.channel: {rule.channel!r}: {wrong}")


def _columns_named(rule: Rule) -> Iterable[tuple[str, str]]:
    """Each column that a rule names, with the field in which it does."""
    yield from (("channel", column) for column in Template(rule.channel).columns)
    yield from (("data", column) for column in (rule.data or {}).values())
    for at, when in enumerate(rule.when, 1):
        yield f"when[{at}].changed", when.changed
        yield from ((f"when[{at}].data", column) for column in (when.data or {}).values())
    for key in rule.keys:
        for part in key:
            yield from (("keys", column) for column in _template("keys", part).columns)
    if rule.version is not None:
        yield "version", rule.version


def _template(where: str, text: str) -> Template:
    try:
        return Template(text)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _no_such(kind: str, name: str, there: Iterable[str]) -> str:
    names = sorted(there)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    fix = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(names[:20]) or 'none'}"
    return f"there is no {kind} {name!r}; {fix}"
