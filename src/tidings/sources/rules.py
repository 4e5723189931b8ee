"""The rule language: what a rule may say, and whether it fits the database. Applying rules is the router's matter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from tidings.changes import Change
from tidings.errors import ConfigError
from tidings.messages import Entity, check_channel, check_event
from tidings.nearest import no_such
from tidings.sources.base import TableInfo
from tidings.sources.templates import Template

MAX_RULES: Final = 1000
"""Each change of a table is matched with all rules of that table."""

Deliver = Literal["notify", "full", "patch", "change"]


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
    truncate: str | None = None
    """The event for an emptied table, where the channel names no column; without it the channels get `reset`."""
    when: tuple[When, ...] = ()
    """For updates: the first entry that fits wins over `update`."""
    data: dict[str, str] | None = None
    """Name in the message to column; without it: the primary key and the channel's columns."""
    keys: tuple[tuple[str, ...], ...] = ()
    """Query keys that clients invalidate, each a list of templates: `[["tasks", "{id}"]]`."""
    deliver: Deliver = "notify"
    """`notify`: `data` alone. `full`: every column too. `patch`: the changed columns and the version too. `change`: the
    change itself, with table, type, new and old row; its events are `insert`, `update`, `delete` if none is named."""
    entity: str | None = None
    """The type that clients are told; without it: the table's name."""
    version: str | None = None
    """The column that rises with each save; without it: `version`, if the table has it."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A message as a rule function makes it; `data` is any value that can be JSON. encoded: that JSON, where it was
    written already; nothing for a rule function to give."""

    channel: str
    event: str
    data: Any = None
    keys: tuple[tuple[Any, ...], ...] = ()
    entity: Entity | None = None
    encoded: bytes | None = None


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


def faults_of_old_rows(rule: Rule, info: TableInfo) -> list[str]:
    """Why a rule would be silent at times, because the database does not tell the row before a change."""
    if set(info.columns) <= set(info.old):
        return []
    known = set(info.old)
    channel = [column for column in _columns_of(rule.channel) if isinstance(column, str)]
    faults = []
    raw = rule.deliver == "change"
    goes = raw or rule.update or rule.when or rule.delete
    if goes and (untold := [column for column in channel if column not in known]):
        faults.append(f".channel: who was told of a row before it changed or went needs its old {untold[0]}")
    if rule.delete and (untold := [column for column in (rule.data or {}).values() if column not in known]):
        faults.append(f".data: a deleted row's {untold[0]} is needed")
    for at, when in enumerate(rule.when, 1):
        if when.changed not in known:
            faults.append(f".when[{at}].changed: whether {when.changed} changed needs its old value")
    if raw and not faults:
        faults.append(".deliver: the old row is part of a raw change")
    told = f"of an old row table {rule.table!r} tells only {', '.join(info.old)}"
    return [f'{fault}, but {told}; {info.fix}, or set old_rows = "known" for the source' for fault in faults]


def columns_of_rules(rules: Iterable[Rule]) -> list[str]:
    """Every column that rules name, once."""
    named = (column for rule in rules for _, column in _columns_named(rule))
    return list(dict.fromkeys(column for column in named if isinstance(column, str)))


def columns_needed(rule: Rule) -> list[str]:
    """The columns without which a rule can send nothing: those of its channel and its data."""
    channel = (column for column in _columns_of(rule.channel) if isinstance(column, str))
    return list(dict.fromkeys([*channel, *(rule.data or {}).values()]))


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
    events["truncate"] = rule.truncate
    events |= {f"when[{at}].event": when.event for at, when in enumerate(rule.when, 1)}
    if not any(events.values()) and rule.deliver != "change":
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
