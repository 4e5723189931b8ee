"""Sources with the rules for their tables: which rules belong to which source, what its database looks like, and
whether the two fit. Makes them; starts none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tidings.bootstrap.addresses import is_postgres, sqlite_path
from tidings.changes import table_name
from tidings.config.settings import Config, SourceSettings
from tidings.config.urls import without_password
from tidings.errors import ConfigError, SourceError
from tidings.ids import AppId
from tidings.nearest import nearest
from tidings.outbox.table import TABLE as OUTBOX
from tidings.sources.base import ChangeSource, TableInfo
from tidings.sources.router import ChangeRouter
from tidings.sources.rules import AnyRule, FunctionRule, Rule, faults_of_old_rows
from tidings.sources.sqlite import SqliteSource
from tidings.sources.sqlite.driver import Database, DatabaseError, Driver
from tidings.sources.sqlite.shapes import missing_table, read_shape

READ_MS: Final = 2_000
"""Milliseconds to wait for the application's lock while the columns are read."""

Tables = Mapping[str, TableInfo]


class Feed(msgspec.Struct, frozen=True):
    """A source with the rules for its tables, and the app whose log it writes to."""

    app: AppId
    source: ChangeSource
    router: ChangeRouter


def make_feed(
    config: Config, at: int, functions: Sequence[FunctionRule] = (), *, sqlite: Driver = "auto"
) -> Feed:
    """Source number `at` with its router. Reads the tables' columns. Raises ConfigError, SourceError."""
    settings = config.sources[at]
    tables = tables_for(config, at, functions)
    infos = read_tables(settings, tables, sqlite=sqlite)
    if not infos:
        raise ConfigError(nothing_to_capture(at))
    rules = rules_for(config, at, functions)
    if settings.old_rows == "required":
        refuse_untold(
            config.rules, {name: infos[name] for name in infos if any(r.table == name for r in rules)}
        )
    app = settings.app or config.apps[0].id
    limits = next(entry.limits for entry in config.apps if entry.id == app)
    columns = {name: info.columns for name, info in infos.items()}
    router = ChangeRouter(
        rules,
        columns,
        message_bytes=limits.message_bytes,
        whole_old=settings.old_rows == "required",
        named=OUTBOX in infos or is_postgres(settings.url),  # Postgres can emit without a table
    )
    return Feed(AppId(app), make_source(settings, tuple(infos), sqlite=sqlite), router)


def make_source(settings: SourceSettings, tables: Sequence[str], *, sqlite: Driver = "auto") -> ChangeSource:
    """The source itself, not open. Raises ConfigError, SourceError."""
    name = source_name(settings)
    if not is_postgres(settings.url):
        return SqliteSource(sqlite_path("sources.url", settings.url), tables, name=name, driver=sqlite)
    postgres = postgres_room()
    bounds = postgres.Bounds(behind=settings.max_behind_bytes, retained=settings.max_retained_bytes)
    source: ChangeSource = postgres.PostgresSource(settings.url, tables, name=name, bounds=bounds)
    return source


def postgres_room() -> Any:
    """The Postgres source, which needs a driver of its own. Raises ConfigError when that is not installed."""
    try:
        from tidings.sources import postgres
    except ImportError as error:
        raise ConfigError(
            f"a postgresql:// source needs psycopg ({error}): pip install 'tidings[postgres]'"
        ) from error
    return postgres


def rules_for(config: Config, at: int, functions: Sequence[FunctionRule] = ()) -> list[AnyRule]:
    """The rules of a source: those for its tables; where it names none, those for tables that no other names.

    Raises ConfigError when a rule's table is captured by no source.
    """
    given: list[AnyRule] = [*config.rules, *functions]
    rules = [usual(rule) for rule in given]
    named = {usual_table(table) for source in config.sources for table in source.tables}
    if strays := faults_of_strays(config, rules):
        raise ConfigError("\n".join(strays.values()))
    tables = {usual_table(table) for table in config.sources[at].tables}
    return [rule for rule in rules if (rule.table in tables if tables else rule.table not in named)]


def faults_of_strays(config: Config, rules: Sequence[AnyRule]) -> dict[int, str]:
    """What is wrong with each rule whose table no source captures, by its place from 1. A source that names no tables
    takes what is left."""
    if not config.sources or not all(source.tables for source in config.sources):
        return {}
    named = {usual_table(table) for source in config.sources for table in source.tables}
    strays = ((number, rule.table) for number, rule in enumerate(rules, 1) if rule.table not in named)
    return {number: _uncaptured(number, table, named) for number, table in strays}


def _uncaptured(number: int, table: str, named: Collection[str]) -> str:
    """What is wrong with a rule whose table no source captures."""
    fix = (
        f"did you mean {near!r}?"
        if (near := nearest(table, named))
        else f"there are: {', '.join(sorted(named))}"
    )
    return (
        f"rules[{number}].table: no source captures table {table!r}; {fix} (or add it to a source's tables)"
    )


def usual_table(table: str) -> str:
    """A table's name as changes have it: `public.tasks` is `tasks`."""
    schema, dot, rest = table.partition(".")
    return table_name(schema, rest) if dot else table


def usual(rule: AnyRule) -> AnyRule:
    """A rule with its table's usual name."""
    name = usual_table(rule.table)
    if name == rule.table:
        return rule
    if isinstance(rule, Rule):
        return msgspec.structs.replace(rule, table=name, entity=rule.entity or rule.table.rpartition(".")[2])
    return msgspec.structs.replace(rule, table=name)


def tables_for(config: Config, at: int, functions: Sequence[FunctionRule] = ()) -> tuple[str, ...]:
    """The tables that a source captures beside the outbox: those it names, else those of its rules."""
    named = tuple(usual_table(table) for table in config.sources[at].tables)
    return named or tuple(dict.fromkeys(rule.table for rule in rules_for(config, at, functions)))


def nothing_to_capture(at: int) -> str:
    """What is wrong with a source that has no table and no outbox."""
    fix = "add [[rules]], name its tables, or make the outbox (tidings outbox sql)"
    return f"sources[{at + 1}]: nothing to capture; {fix}"


def refuse_untold(rules: Sequence[AnyRule], infos: Tables) -> None:
    """Raise ConfigError for rules that would be silent, because the database does not tell the rows before a change.

    rules: all of the configuration, so that each has its number there. infos: the tables of one source.
    """
    faults = [
        f"rules[{number}]{fault}"
        for number, rule in enumerate(map(usual, rules), 1)
        if isinstance(rule, Rule) and rule.table in infos
        for fault in faults_of_old_rows(rule, infos[rule.table])
    ]
    if faults:
        raise ConfigError("\n".join(faults))


def source_name(settings: SourceSettings) -> str:
    """The name of a source: the one set, else that of its file or database."""
    if settings.name or not is_postgres(settings.url):
        return settings.name or Path(settings.url).stem or "sqlite"
    database = without_password(settings.url).partition("?")[0].partition("://")[2].partition("/")[2]
    return re.sub(r"[^A-Za-z0-9_.\-]", "-", database)[:48] or "postgres"


def slot_of(settings: SourceSettings) -> str:
    """What the replication slot of a Postgres source is called. Raises ConfigError without the driver."""
    return str(postgres_room().Names.of(source_name(settings)).slot)


# ── what a database looks like


def read_tables(settings: SourceSettings, tables: Sequence[str], *, sqlite: Driver = "auto") -> Tables:
    """Each table, and the outbox where there is one, read without changing the database.

    Raises SourceError that says what is missing, ConfigError for an address.
    """
    if is_postgres(settings.url):
        found: Tables = postgres_room().read_infos(settings.url, tables)
        return found
    return read_sqlite(sqlite_path("sources.url", settings.url), tables, sqlite=sqlite)


def read_sqlite(path: str, tables: Sequence[str], *, sqlite: Driver = "auto") -> Tables:
    """The tables of an SQLite file, and its outbox. Raises SourceError."""
    if not Path(path).exists():
        raise SourceError(
            f"there is no database {path}; correct the source's url, or create the database first"
        )
    try:
        # By the source's own driver: two SQLite libraries in one process would drop each other's locks on the file.
        db = Database(Path(path), create=False, busy_ms=READ_MS, driver=sqlite)
        try:
            db.run("PRAGMA query_only = 1")
            return _infos(db, tables)
        finally:
            db.close()
    except DatabaseError as error:
        raise SourceError(f"{path} cannot be read: {error}; is it an SQLite database?") from error


def _infos(db: Database, tables: Sequence[str]) -> Tables:
    infos: dict[str, TableInfo] = {}
    for table in dict.fromkeys((*tables, OUTBOX)):
        shape = read_shape(db, table)
        if shape is not None:
            infos[table] = TableInfo(columns=shape.told, key=tuple(shape.key), old=shape.told)
        elif table in tables:
            raise missing_table(db, table)
    return infos
