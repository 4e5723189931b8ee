"""`tidings doctor`: looks at settings, log, sources and a running server, and says what to fix. Changes nothing.

The sources are examined and judged in their own rooms; here it is decided what to look at, and printed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

import httpx2
import msgspec
from cyclopts import Parameter

from tidings.bootstrap import questions
from tidings.bootstrap.addresses import is_postgres, sqlite_path
from tidings.bootstrap.feeds import (
    faults_of_strays,
    postgres_room,
    read_sqlite,
    source_name,
    tables_for,
    usual,
)
from tidings.cli import FAILED, WELL
from tidings.cli.options import ServerFlags, Url, server_url
from tidings.config.loading import Faults, Loaded
from tidings.config.settings import Config, SourceSettings
from tidings.errors import TidingsError
from tidings.sources.findings import Finding, Level, sized
from tidings.sources.rules import Rule, faults_of_rules
from tidings.sources.sqlite import doctor as sqlite_doctor

FREE_BYTES: Final = 1 << 30
"""Of the disk with the log: below this, a busy day may fill it."""

ANSWER_SECONDS: Final = 10.0
"""How long a running server may take to say how it is."""

Numbered = tuple[tuple[int, Rule], ...]
Columns = Mapping[str, Sequence[str]]

_MARKS: Final = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}


def doctor(
    *,
    flags: ServerFlags | None = None,
    url: Url = None,
    json: Annotated[bool, Parameter(help="One JSON object a line.", negative=())] = False,
) -> int:
    """Check a deployment and say what to fix: settings, log, every source, and with --url a running server.

    One line each: `ok`, `warn` for what will be trouble if nobody minds it, `FAIL` for what is. Exit code 1 when
    something failed. Nothing is changed.

    ```
    tidings doctor --config tidings.toml
    tidings doctor --source postgresql://tidings@db/shop --url http://127.0.0.1:8000
    ```
    """
    failed = False
    for finding in _look(flags or ServerFlags(), url):
        failed = failed or finding.level == "fail"
        print(msgspec.json.encode(finding).decode() if json else line(finding), flush=True)
    return FAILED if failed else WELL


def line(finding: Finding) -> str:
    """A finding as a person reads it."""
    fix = f"; {finding.fix}" if finding.fix else ""
    return f"{_MARKS[finding.level]}  {finding.about}: {finding.what}{fix}"


def _look(flags: ServerFlags, url: str | None) -> Iterator[Finding]:
    try:
        loaded = flags.load()
        yield Finding("ok", "settings", "they can be read")
    except Faults as found:
        yield from (Finding("fail", "settings", line) for line in found.lines)
        if found.readable is None:
            return
        loaded = Loaded(found.readable)
    config = loaded.config
    yield from _log(config)
    if not config.sources:
        yield Finding("ok", "sources", "there is none")
    for at, settings in enumerate(config.sources):
        yield from _source(config, at, settings)
    for fault in faults_of_strays(config, [usual(rule) for rule in config.rules]).values():
        yield Finding("fail", "rules", fault)
    if config.apps_table is not None:
        faults = questions.faults_of_apps_table(config, rows=True)
        yield from (Finding("fail", "apps_table", fault) for fault in faults)
        if not faults:
            yield Finding("ok", "apps_table", "every row of it can be read")
    if url is not None:
        yield from _running(server_url(url, loaded), [source_name(source) for source in config.sources])


# ── the log


def _log(config: Config) -> Iterator[Finding]:
    yield _folder("data folder", Path(config.server.data))
    if config.engine_url == "memory:":
        yield Finding("warn", "log", "it is in memory and ends with the server", 'engine.url = "sqlite:///…"')
        return
    try:
        path = Path(sqlite_path("engine.url", config.engine_url, also="memory:"))
    except TidingsError as error:
        yield Finding("fail", "log", *_split(str(error)))
        return
    yield _folder("log", path.parent)
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        yield Finding("fail", "log", f"{path} cannot be read and written", "give this user the right to")


def _folder(about: str, folder: Path) -> Finding:
    """Whether files can be made in a folder, or the folder itself."""
    there = next((one for one in (folder, *folder.absolute().parents) if one.exists()), Path("/"))
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            "fail", about, f"{folder} cannot be written", "give this user the right to, or choose another"
        )
    free = shutil.disk_usage(there).free
    level: Level = "ok" if free >= FREE_BYTES else "warn"
    later = "" if folder.exists() else ", and is made at the first start"
    fix = "" if level == "ok" else "free space: a full disk refuses messages"
    return Finding(level, about, f"{folder} can be written{later}; {sized(free)} are free", fix)


# ── sources


def _source(config: Config, at: int, settings: SourceSettings) -> Iterator[Finding]:
    name = source_name(settings)
    try:
        tables = tables_for(config, at)
        rules = tuple(
            (number, rule)
            for number, rule in enumerate(map(usual, config.rules), 1)
            if isinstance(rule, Rule) and rule.table in tables
        )
        if is_postgres(settings.url):
            yield from _postgres(settings, tables, rules)
        else:
            yield from _sqlite(settings, tables, rules)
    except TidingsError as error:
        yield from (Finding("fail", name, *_split(fault)) for fault in str(error).splitlines())


def _sqlite(settings: SourceSettings, tables: Sequence[str], rules: Numbered) -> Iterator[Finding]:
    path = sqlite_path("sources.url", settings.url)
    found = sqlite_doctor.judge(
        sqlite_doctor.examine(Path(path), tables, driver="apsw"), source_name(settings)
    )
    yield from found
    if not any(finding.level == "fail" for finding in found):
        infos = read_sqlite(path, tables, sqlite="apsw")
        yield from _rules(settings, rules, {table: info.columns for table, info in infos.items()})


def _postgres(settings: SourceSettings, tables: Sequence[str], rules: Numbered) -> Iterator[Finding]:
    postgres_room()  # says what to install when the driver is missing
    from tidings.sources.postgres.doctor.examination import examine
    from tidings.sources.postgres.doctor.facts import Expected
    from tidings.sources.postgres.doctor.judgement import judge
    from tidings.sources.postgres.setup import Names

    name = source_name(settings)
    expected = Expected(
        name=name,
        names=Names.of(name),
        tables=tuple(tables),
        rules=rules,
        required=settings.old_rows == "required",
        behind=settings.max_behind_bytes,
        retained=settings.max_retained_bytes,
    )
    facts = examine(settings.url, expected)
    yield from judge(facts, expected)
    there = (each.table for each in facts.tables if each.table is not None)
    yield from _rules(settings, rules, {table.name: table.columns for table in there})


def _rules(settings: SourceSettings, rules: Numbered, columns: Columns) -> Iterator[Finding]:
    """What of the rules does not fit the tables' columns. Tables that are missing are told already."""
    for number, rule in rules:
        if rule.table in columns:
            for fault in faults_of_rules([rule], columns):
                told = fault.replace("rules[1]", f"rules[{number}]", 1)
                yield Finding("fail", source_name(settings), *_split(told))


def _split(fault: str) -> tuple[str, str]:
    what, _, fix = fault.partition("; ")
    return what, fix


# ── a running server


class _Source(msgspec.Struct):
    ok: bool
    detail: str = ""
    behind_bytes: int | None = None
    retained_bytes: int | None = None


class _Engine(msgspec.Struct):
    name: str
    ok: bool
    detail: str = ""


class _Ready(msgspec.Struct):
    ready: bool
    engine: _Engine
    draining: bool = False
    sources: dict[str, _Source] = {}


def _running(url: str, expected: Sequence[str]) -> Iterator[Finding]:
    """How the server at an address is. expected: the sources that the settings name, and so must it."""
    try:
        answer = httpx2.get(f"{url}/readyz", timeout=ANSWER_SECONDS)
        told = msgspec.json.decode(answer.content, type=_Ready)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        why = str(error) or type(error).__name__
        yield Finding("fail", url, f"no answer ({why})", "is `tidings serve` running there?")
        return
    except msgspec.MsgspecError:
        yield Finding(
            "fail", url, "what answers at /readyz is no Tidings server", "check the address and its path"
        )
        return
    level: Level = "ok" if told.ready else "fail"
    yield Finding(level, url, f"/readyz says {'ready' if told.ready else 'not ready'}{_draining(told)}")
    if not told.engine.ok:
        yield Finding("fail", url, f"log {told.engine.name}: {told.engine.detail}")
    for name, source in told.sources.items():
        behind = "" if source.behind_bytes is None else f"{sized(source.behind_bytes)} behind"
        detail = ", ".join(filter(None, (source.detail, behind))) or "well"
        yield Finding("ok" if source.ok else "fail", url, f"source {name}: {detail}")
    for name in expected:
        if name not in told.sources:
            fix = "is it the server of these settings? restart it after a change of them"
            yield Finding("fail", url, f"source {name} is not there", fix)


def _draining(told: _Ready) -> str:
    return ": it is draining" if told.draining else ""
