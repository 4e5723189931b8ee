"""Questions that need the parts: what is wrong with a configuration, and what its rules make of a change. Starts
nothing and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from tidings.bootstrap.addresses import is_postgres, sqlite_path
from tidings.bootstrap.feeds import (
    faults_of_strays,
    nothing_to_capture,
    read_tables,
    slot_of,
    tables_for,
    usual,
    usual_table,
)
from tidings.changes import Change
from tidings.config.rows import entry_of
from tidings.config.settings import Config
from tidings.errors import SourceError, TidingsError
from tidings.sources.base import TableInfo
from tidings.sources.router import ChangeRouter, Explained
from tidings.sources.rules import Rule, columns_of_rules, faults_of_old_rows, faults_of_rules
from tidings.sources.sqlite.driver import Driver
from tidings.tenants.table import AppsTable


class Answer(msgspec.Struct, frozen=True):
    """What the rules make of a change. keyed: whether the table's primary key is known."""

    told: list[Explained]
    keyed: bool


def faults_of_sources(config: Config, sqlite: Driver) -> list[str]:
    """Every fault of sources and rules that only their databases can show."""
    rules = [usual(rule) for rule in config.rules]
    strays = faults_of_strays(config, rules)
    faults = [*strays.values(), *_same_slots(config)]
    kept = tuple(rule for number, rule in enumerate(config.rules, 1) if number not in strays)
    captured = msgspec.structs.replace(config, rules=kept)
    infos: dict[str, TableInfo] = {}
    strict: set[str] = set()  # tables of sources whose rules must be told old rows
    for at, source in enumerate(config.sources):
        found: dict[str, TableInfo] = {}
        faults += _faults_of_source(captured, at, found, sqlite)
        infos |= found
        strict |= set(found) if source.old_rows == "required" else set()
    columns = {name: info.columns for name, info in infos.items()}
    for number, rule in enumerate(rules, 1):
        if rule.table in columns:
            own = [
                fault.replace("rules[1]", f"rules[{number}]", 1) for fault in faults_of_rules([rule], columns)
            ]
            if isinstance(rule, Rule) and rule.table in strict:
                own += [f"rules[{number}]{fault}" for fault in faults_of_old_rows(rule, infos[rule.table])]
            faults += own
    return faults


def _faults_of_source(config: Config, at: int, infos: dict[str, TableInfo], sqlite: Driver) -> Iterator[str]:
    """What is wrong with a source, each table by itself; those that are there go into `infos`."""
    settings = config.sources[at]
    try:
        tables = tables_for(config, at)
        if not tables and not read_tables(settings, (), sqlite=sqlite):
            yield nothing_to_capture(at)
    except TidingsError as error:
        yield from str(error).splitlines()
        return
    for table in tables:
        try:
            infos |= read_tables(settings, [table], sqlite=sqlite)
        except SourceError as error:
            places = [
                f"rules[{number}].table: "
                for number, rule in enumerate(config.rules, 1)
                if usual(rule).table == table
            ]
            missing = str(error).startswith("there is no table")
            yield from (f"{place if missing else ''}{error}" for place in places or [""])
        except TidingsError as error:
            yield from str(error).splitlines()
            return


def _same_slots(config: Config) -> Iterator[str]:
    """Sources of Postgres whose names give one slot: it has one reader."""
    seen: dict[str, int] = {}
    for at, source in enumerate(config.sources, 1):
        if is_postgres(source.url):
            slot = slot_of(source)
            if slot in seen:
                yield (
                    f"sources[{at}].name: its slot would be {slot}, as that of sources[{seen[slot]}]; give each"
                    " a name of its own (letters and digits tell them apart)"
                )
            seen.setdefault(slot, at)


def faults_of_apps_table(config: Config, *, rows: bool) -> list[str]:
    """What is wrong with the table of apps and its rows, read once."""
    settings = config.apps_table
    assert settings is not None, "there is no table of apps"
    found: list[str] = []

    def read_all() -> None:
        table = AppsTable(sqlite_path("apps_table.url", settings.url), settings.table)
        try:
            found_rows = table.changed() or ()
            for row in found_rows if rows else ():
                wrong = tried(lambda row=row: entry_of(row, config.limits))  # type: ignore[misc]
                found.extend(f"{settings.table} {row.get('id')!r}: {fault}" for fault in wrong)
        finally:
            table.close()

    return tried(read_all) + found


def explain(config: Config, change: Change) -> Answer:
    """What each rule for its table would make of a change; nothing when there is none.

    The source that captures the table tells its columns and primary key. Where none does, the columns that the change
    and the rules name stand for the table's. Raises ConfigError, SourceError.
    """
    change = msgspec.structs.replace(change, table=usual_table(change.table).rpartition(".")[2])
    numbered = [
        (number, rule)
        for number, rule in enumerate(map(usual, config.rules), 1)
        if rule.table == change.name and isinstance(rule, Rule)
    ]
    rules = [rule for _, rule in numbered]
    columns: Sequence[str] = [*(change.old or {}), *(change.new or {}), *columns_of_rules(rules)]
    for at in range(len(config.sources)):
        if change.name in tables_for(config, at):
            info = read_tables(config.sources[at], [change.name])[change.name]
            columns = info.columns
            change = msgspec.structs.replace(change, key=change.key or info.key)
    told = ChangeRouter(rules, {change.name: columns}).explain(change)
    numbers = [number for number, _ in numbered]
    return Answer(
        [msgspec.structs.replace(one, rule=numbers[one.rule - 1]) for one in told], bool(change.key)
    )


def tried(attempt: Callable[[], Any]) -> list[str]:
    """What goes wrong in an attempt, one line each."""
    try:
        attempt()
    except TidingsError as error:
        return str(error).splitlines()
    return []
