"""`tidings source add` and `remove`: a database made ready for capture, and what was done told with its SQL.

Decides which source is meant and what to say; the doing is the sources' own. A password is never printed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from tidings.bootstrap.addresses import POSTGRES, SQLITE, is_postgres, sqlite_path
from tidings.bootstrap.feeds import postgres_room, source_name, tables_for, usual, usual_table
from tidings.cli import FAILED, WELL, WrongUsage
from tidings.cli.options import ConfigFile, load_settings
from tidings.config.references import look_up
from tidings.config.settings import Config, SourceSettings
from tidings.config.urls import without_password
from tidings.nearest import no_such
from tidings.outbox.table import TABLE as OUTBOX
from tidings.sources.rules import Rule, faults_of_old_rows
from tidings.sources.sqlite import SqliteSource, preparation
from tidings.sources.sqlite.doctor import examine

if TYPE_CHECKING:
    from tidings.sources.postgres.preparation import Prepared

LISTED: Final = 40
"""Tables that are listed for choosing."""

SECRET_PARAMETERS: Final = ("password=", "sslpassword=")
"""What may stand in an address's query and is not printed."""

DatabaseUrl = Annotated[
    str, Parameter(help="`postgresql://user@host/database` or `sqlite:///file.db`.", show_default=False)
]
Tables = Annotated[
    list[str] | None,
    Parameter(
        name="--tables",
        negative=(),
        consume_multiple=True,
        help="Tables to capture, with commas or blanks between. Without it: those of the rules in the settings.",
    ),
]
Full = Annotated[
    list[str] | None,
    Parameter(
        name="--full",
        negative=(),
        consume_multiple=True,
        help="Tables whose old rows shall be told whole: ALTER TABLE … REPLICA IDENTITY FULL. Postgres only.",
    ),
]
Name = Annotated[
    str | None,
    Parameter(
        help="The source's name, as in [[sources]]; without it: that of the settings, or the database's."
    ),
]


class Meant(msgspec.Struct, frozen=True):
    """The source that is meant, and its tables as they are to be captured.

    there: whether the settings have this source. captured: the tables that they have it capture now.
    """

    settings: SourceSettings
    tables: tuple[str, ...]
    rules: tuple[tuple[int, Rule], ...]
    there: bool
    captured: tuple[str, ...]

    @property
    def name(self) -> str:
        """The source's name."""
        return source_name(self.settings)

    @property
    def known(self) -> bool:
        """Whether nothing need be written in the settings."""
        return self.there and set(self.tables) <= {*self.captured, OUTBOX}


def add(
    url: DatabaseUrl,
    /,
    *,
    tables: Tables = None,
    name: Name = None,
    full: Full = None,
    config: ConfigFile = None,
) -> int:
    """Make a database ready for capture, and print what was done and the lines for tidings.toml.

    On Postgres: a publication and a replication slot. What the role may not do is printed as SQL for whoever may.
    From then on the database keeps what is committed until a server has read it. On SQLite: triggers.

    ```
    tidings source add postgresql://tidings@db/shop --tables orders,customers
    tidings source add sqlite:///app.db --tables tasks
    ```
    """
    url = _referred(url)
    meant = _meant(load_settings(config=config).config, url, name, _listed(tables))
    whole = _listed(full)
    if not is_postgres(url):
        if whole:
            raise WrongUsage("--full: SQLite tells every old row whole; leave it out")
        return _add_sqlite(meant)
    return _add_postgres(meant, whole)


def remove(url: DatabaseUrl, /, *, name: Name = None, config: ConfigFile = None) -> int:
    """Take out of a database what `source add` or a server made in it. The settings stay as they are.

    Refused while a server reads it. What a table tells of its old rows (REPLICA IDENTITY) is left alone.

    ```
    tidings source remove postgresql://tidings@db/shop --name shop
    ```
    """
    url = _referred(url)
    meant = _meant(load_settings(config=config).config, url, name, ())
    if is_postgres(url):
        room = _postgres()
        for step in room.remove(url, room.Names.of(meant.name)):
            _tell("done" if step.sql else "nothing to do", step.text, step.sql)
        print("note: what tables tell of their old rows is as it was; undo --full with")
        print("    ALTER TABLE … REPLICA IDENTITY DEFAULT;")
        return WELL
    path = Path(sqlite_path("URL", url))
    captured = preparation.remove(path, driver="apsw")
    _tell("done", f"{path}: triggers of {', '.join(captured) or 'no table'} and our tables are gone")
    print(f"note: the empty file {path}-tidings-lock may be deleted while no server runs")
    return WELL


# ── which source is meant


def _meant(config: Config, url: str, name: str | None, tables: Sequence[str]) -> Meant:
    """The configured source with this address, or this name; else a new one."""
    bare, sources = bare_address(url), list(config.sources)
    places = [at for at, one in enumerate(sources) if bare_address(one.url) == bare]
    places = [at for at in places if name is None or source_name(sources[at]) == name]
    there = bool(places)
    at = places[0] if there else len(sources)
    settings = sources[at] if there else SourceSettings(url=url, name=name)
    sources[at:] = [
        msgspec.structs.replace(settings, url=url, tables=tuple(tables) or settings.tables),
        *sources[at + 1 :],
    ]
    whole = msgspec.structs.replace(config, sources=tuple(sources))
    wanted = tables_for(whole, at)
    rules = tuple(
        (number, rule)
        for number, rule in enumerate(map(usual, config.rules), 1)
        if isinstance(rule, Rule) and rule.table in wanted
    )
    return Meant(sources[at], wanted, rules, there, tables_for(config, at) if there else ())


def _referred(url: str) -> str:
    """The address, or what a reference to one (`env:NAME`, `file:/path`) holds. Raises WrongUsage."""
    try:
        url = look_up(url, os.environ)
    except LookupError as error:
        raise WrongUsage(f"URL: {error.args[0]}") from error
    if not url.startswith((*POSTGRES, SQLITE)):
        raise WrongUsage(
            f"URL: {without_password(url)!r} is not an address that is known; use postgresql://user@host/database,"
            " sqlite:///path, or env:NAME of a variable that holds one"
        )
    return url


def _listed(given: Iterable[str] | None) -> tuple[str, ...]:
    parts = (part for text in given or () for part in text.replace(",", " ").split())
    return tuple(dict.fromkeys(parts))


def _nothing(there: Sequence[str]) -> WrongUsage:
    tables = [table for table in there if table != OUTBOX]
    more = f" and {len(tables) - LISTED} more" if len(tables) > LISTED else ""
    return WrongUsage(
        f"no table is chosen: name some with --tables, or write [[rules]]; there are:"
        f" {', '.join(tables[:LISTED]) or 'none'}{more}"
    )


# ── Postgres


def _postgres() -> Any:
    postgres_room()  # says what to install when the driver is missing
    from tidings.sources.postgres import preparation as room

    return room


def _add_postgres(meant: Meant, full: Sequence[str]) -> int:
    room, url = _postgres(), meant.settings.url
    if not meant.tables and OUTBOX not in (there := room.tables_there(url)):
        raise _nothing(there)
    whole = [usual_table(table) for table in full]
    for table in whole:
        if table not in (*meant.tables, OUTBOX):
            raise WrongUsage(f"--full: {no_such('table', table, meant.tables, ' among those to capture')}")
    prepared: Prepared = room.prepare(url, room.Names.of(meant.name), meant.tables, whole)
    for step in prepared.steps:
        _tell("done" if step.sql else "there already", step.text, step.sql)
    if prepared.missing:
        return _hand_over(prepared)
    _show_settings(meant, meant.tables)
    for note in _notes(meant, prepared):
        print(f"note: {note}")
    return WELL


def _hand_over(prepared: Prepared) -> int:
    """Say what somebody with more rights must run."""
    for missing in prepared.missing:
        _tell("missing", missing.why)
    print("\nWhoever has these rights (the owner of the tables, or a superuser) runs in this database:\n")
    for sql in dict.fromkeys(missing.sql for missing in prepared.missing):
        print(f"{sql};")
    print("\nOn Amazon RDS, GRANT rds_replication TO the role stands for REPLICATION.")
    print("Then run this command again.")
    print("tidings: rights are missing; nothing is captured yet", file=sys.stderr)
    return FAILED


def _notes(meant: Meant, prepared: Prepared) -> Iterator[str]:
    for table in prepared.tables.values():
        if table.full or table.name == OUTBOX:
            continue
        rules = [(number, rule) for number, rule in meant.rules if rule.table == table.name]
        for number, rule in rules:
            yield from (f"rules[{number}]{fault}" for fault in faults_of_old_rows(rule, table.info))
        if not rules:
            yield (
                f"of an old row, {table.name} tells only {', '.join(table.old)}; a rule whose channel, `when` or data"
                f" of a delete needs more asks for --full {table.name}"
            )
    if others := [table for table in prepared.beside if table not in (*meant.captured, OUTBOX)]:
        yield (
            f"the publication also holds {', '.join(others)}; a server captures them only if the settings say so"
        )
    yield (
        "the database now keeps its log for this source: start `tidings serve` soon, or let go of it with"
        f" tidings source remove URL --name {meant.name}"
    )


# ── SQLite


def _add_sqlite(meant: Meant) -> int:
    path = Path(sqlite_path("URL", meant.settings.url))
    before = preparation.captured_tables(path, driver="apsw")
    there = preparation.tables_there(path, driver="apsw")
    if not meant.tables and not before and OUTBOX not in there:
        raise _nothing(there)
    # Those that are captured already stay, or their triggers would go; the outbox is always captured.
    tables = tuple(dict.fromkeys([*meant.tables, *before, *([OUTBOX] if OUTBOX in there else [])]))
    states = examine(path, tables, driver="apsw").tables

    async def install() -> None:
        source = SqliteSource(path, tables, name=meant.name, driver="apsw")
        try:
            await source.open()
        finally:
            await source.close()

    asyncio.run(install())
    for table in tables:
        captured = states.get(table) == "captured"
        _tell("there already" if captured else "done", f"{table}: triggers that note its changes")
    _show_settings(meant, tables)
    print("note: the file now notes every change until `tidings serve` has read it")
    return WELL


# ── what is printed


def _tell(head: str, text: str, sql: str = "") -> None:
    print(f"{head}: {text}")
    if sql:
        print(f"    {sql};")


def _show_settings(meant: Meant, captured: Sequence[str]) -> None:
    """The lines to write. What the settings capture now is listed too: tables that are listed are all there are."""
    if meant.known:
        print("\nThe settings name this source already.")
        return
    # The outbox is found by the source itself.
    tables = [table for table in dict.fromkeys([*meant.captured, *captured]) if table != OUTBOX]
    listed = f"tables = [{', '.join(map(_quoted, tables))}]"
    if meant.there:
        print(
            f"\nFor tidings.toml, in the [[sources]] of {meant.name}, in place of its tables if it has any:\n"
        )
        print(f"{listed}\n")
        return
    url = bare_address(meant.settings.url)
    print("\nFor tidings.toml:\n\n[[sources]]")
    print(f"url    = {_quoted(url)}")
    print(f"name   = {_quoted(meant.name)}")
    if tables:
        print(listed)
    print()
    if url != meant.settings.url:
        print(
            'note: the password is left out; keep the whole address in a variable and write url = "env:NAME",'
            " or let libpq read ~/.pgpass"
        )


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()  # a basic string of TOML


def bare_address(url: str) -> str:
    """The address without what is secret in it."""
    scheme, mark, rest = url.partition("://")
    # In a password a slash is escaped, a question mark need not be.
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    bare, question, query = f"{user.partition(':')[0]}{at}{host}{slash}{path}".partition("?")
    kept = [part for part in query.split("&") if not part.lower().startswith(SECRET_PARAMETERS)]
    return f"{scheme}{mark}{bare}{question if any(kept) else ''}{'&'.join(kept)}"
