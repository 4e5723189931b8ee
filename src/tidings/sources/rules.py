"""The rule language: what a rule may say, and whether it fits the database. Applying rules is the router's matter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from tidings.changes import Change
from tidings.errors import ConfigError
from tidings.ids import CHANNEL_CHARACTERS, MAX_CHANNEL_NAME
from tidings.messages import RESERVED_EVENTS, Entity
from tidings.nearest import no_such
from tidings.sources.templates import Template

MAX_EVENT_NAME: Final = 200
"""Characters; the contract's limit."""

MAX_RULES: Final = 1000
"""Each change of a table is matched with all rules of that table."""

_CHANNEL: Final = re.compile(CHANNEL_CHARACTERS + r"*\Z")

NOT_FOR_RULES: Final = (*RESERVED_EVENTS, "client-")
"""Beginnings of event names that only the server or a client may say."""

Deliver = Literal["notify", "full", "patch"]


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An update that changed one column gets an event of its own, and its own data if it names any."""

    changed: str
    """The column; the first entry whose column has another value than before decides."""
    event: str
    """The event's name."""
    data: dict[str, str] | None = None
    """Name in the message to column; without it: the rule's `data`."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the changes of one table become. All rules of a table see each of its changes, in the order written."""

    table: str
    """The table; a source must capture it."""
    channel: str
    """A template for the channel's name: `project-{project_id}`."""
    insert: str | None = None
    """The event for a new row; without it nothing is sent for one."""
    update: str | None = None
    """The event for a changed row; without it nothing is sent for one."""
    delete: str | None = None
    """The event for a row that is gone; without it nothing is sent for one."""
    when: tuple[When, ...] = ()
    """For updates: the first entry that fits wins over `update`."""
    data: dict[str, str] | None = None
    """Name in the message to column; without it: the primary key and the channel's columns."""
    keys: tuple[tuple[str, ...], ...] = ()
    """Query keys that clients invalidate, each a list of templates: `[["tasks", "{id}"]]`."""
    deliver: Deliver = "notify"
    """`notify`: `data` alone. `full`: every column too. `patch`: the changed columns and the version too."""
    entity: str | None = None
    """The type that clients are told; without it: the table's name."""
    version: str | None = None
    """The column that rises with each save; without it: `version`, if the table has it."""


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
    """See that every rule fits the captured tables. Raises ConfigError with every fault, one line each."""
    if faults := faults_of_rules(rules, columns):
        raise ConfigError("\n".join(faults))


def faults_of_rules(rules: Sequence[AnyRule], columns: Mapping[str, Sequence[str]]) -> list[str]:
    """What does not fit, one line each, beginning with the rule's place from 1."""
    if len(rules) > MAX_RULES:
        return [f"rules: {len(rules)} are too many (limit {MAX_RULES})"]
    return [
        f"rules[{at}]{fault}"
        for at, rule in enumerate(rules, 1)
        for fault in dict.fromkeys(_faults(rule, columns))
    ]


def columns_of_rules(rules: Iterable[Rule]) -> list[str]:
    """Every column that rules name, once."""
    named = (column for rule in rules for _, column in _columns_named(rule))
    return list(dict.fromkeys(column for column in named if isinstance(column, str)))


def columns_needed(rule: Rule) -> list[str]:
    """The columns without which a rule can send nothing: those of its channel and its data."""
    channel = (column for column in _columns_of(rule.channel) if isinstance(column, str))
    return list(dict.fromkeys([*channel, *(rule.data or {}).values()]))


def check_channel(channel: str) -> str | None:
    """Why a filled channel name is not allowed; None when it is. The value itself is not repeated: it is data."""
    if not channel:
        return "the channel name is empty"
    if len(channel) > MAX_CHANNEL_NAME:
        return f"the channel name is longer than {MAX_CHANNEL_NAME} characters"
    if not _CHANNEL.match(channel):
        return "the channel name has characters that are not allowed (letters, digits and _ - = @ , . ; are)"
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
            raise ConfigError(f"rules[{at}]: {no_such('field', field, known)}")
    try:
        return msgspec.convert(table, Rule)
    except msgspec.ValidationError as error:
        raise ConfigError(f"rules[{at}]: {error}; see the reference of rules") from error


def _faults(rule: AnyRule, columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Each fault of one rule, without its place."""
    there = columns.get(rule.table)
    if there is None:
        yield f".table: {no_such('table', rule.table, columns)}"
    if isinstance(rule, Rule):
        yield from _faults_of_events(rule)
        yield from _faults_of_channel(rule)
        for field, column in _columns_named(rule):
            if isinstance(column, ConfigError):
                yield f".{field}: {column}"
            elif there is not None and column not in there:
                yield f".{field}: {no_such('column', column, there, f' in table {rule.table!r}')}"


def _faults_of_events(rule: Rule) -> Iterator[str]:
    events = {"insert": rule.insert, "update": rule.update, "delete": rule.delete}
    events |= {f"when[{at}].event": when.event for at, when in enumerate(rule.when, 1)}
    if not any(events.values()):
        yield ": it sends nothing; name an event for insert, update, delete or when"
    for field, event in events.items():
        wrong = check_event(event) if event is not None else None
        if wrong:
            yield f".{field}: {event!r}: {wrong}"


def _faults_of_channel(rule: Rule) -> Iterator[str]:
    """The part of the channel that is written in the rule must be allowed; what rows put in shows later."""
    try:
        pattern = Template(rule.channel).pattern
    except ConfigError:
        return  # told with the columns
    wrong = check_channel(pattern.replace("*", "x") if "*" not in rule.channel else "*")
    if wrong:
        yield f".channel: {rule.channel!r}: {wrong}"


def _columns_named(rule: Rule) -> Iterator[tuple[str, str | ConfigError]]:
    """Each column that a rule names, with the field in which it does; or what is wrong with a template."""
    yield from (("channel", column) for column in _columns_of(rule.channel))
    yield from (("data", column) for column in (rule.data or {}).values())
    for at, when in enumerate(rule.when, 1):
        yield f"when[{at}].changed", when.changed
        yield from ((f"when[{at}].data", column) for column in (when.data or {}).values())
    for key in rule.keys:
        for part in key:
            yield from (("keys", column) for column in _columns_of(part))
    if rule.version is not None:
        yield "version", rule.version


def _columns_of(template: str) -> Sequence[str | ConfigError]:
    try:
        return Template(template).columns
    except ConfigError as error:
        return (error,)
