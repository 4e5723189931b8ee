"""`tidings rules try`: what a change would send, or why it would send nothing. Sends nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidings.bootstrap import explain
from tidings.changes import Change
from tidings.cli import WrongUsage
from tidings.cli.options import ConfigFile, Sources, load_settings
from tidings.config.settings import Config
from tidings.errors import ConfigError
from tidings.nearest import no_such
from tidings.sources.router import Explained
from tidings.sources.rules import Draft, columns_needed

_KINDS: Final = ("insert", "update", "delete", "truncate")


def try_rules(
    *,
    table: Annotated[str | None, Parameter(help="Table that the change is in.")] = None,
    insert: Annotated[str | None, Parameter(help="A new row, as JSON.")] = None,
    update: Annotated[
        str | None, Parameter(help="A changed row as it is now; --old as it was before.")
    ] = None,
    delete: Annotated[str | None, Parameter(help="The row that is gone.")] = None,
    old: Annotated[str | None, Parameter(help="The row before the update.")] = None,
    change: Annotated[
        str | None,
        Parameter(help='All in one: {"table", "kind", "new", "old"}.'),
    ] = None,
    json: Annotated[bool, Parameter(help="One JSON object a message.", negative=())] = False,
    config: ConfigFile = None,
    source: Sources = None,
) -> int:
    """Show the messages that a change would send under the rules, or why it would send none.

    ```
    tidings rules try --table tasks --insert '{"id": 7, "project_id": 42, "title": "paint"}'
    tidings rules try --table tasks --update '{"id": 7, "project_id": 43}' --old '{"id": 7, "project_id": 42}'
    ```
    """
    settings = load_settings(config=config, source=source).config
    if not settings.rules:
        raise ConfigError(
            "there are no rules; write [[rules]] in tidings.toml, or name another file with --config"
        )
    tried = _change(table, change, old, insert=insert, update=update, delete=delete)
    _check_row(settings, tried)
    answer = explain(settings, tried)
    if not answer.keyed and any(r.data is None for r in settings.rules if r.table == tried.table):
        print(
            "note: primary key unknown: data shown without it (a source in [[sources]] tells it)",
            file=sys.stderr,
        )
    return _show(answer.told, json=json)


def _show(told: Sequence[Explained], *, json: bool) -> int:
    drafts = [(one.rule, draft) for one in told for draft in one.drafts]
    if json:
        for number, draft in drafts:
            print(msgspec.json.encode({"rule": number, **_as_object(draft)}).decode())
    elif drafts:
        console = Console(highlight=False)
        console.print(_as_table(drafts), soft_wrap=not console.is_terminal)
    for one in told:
        if not one.drafts:
            print(f"rule {one.rule} sends nothing: {one.why}", file=sys.stderr if json else sys.stdout)
    return 1 if any(one.outcome == "parked" for one in told) else 0


def _check_row(settings: Config, tried: Change) -> None:
    """Raises ConfigError for a table without rules, and for a row without a column that its rules cannot do without."""
    rules = [rule for rule in settings.rules if rule.table == tried.table]
    if not rules:
        tables = {rule.table for rule in settings.rules}
        raise ConfigError(f"nothing is sent: no rule is for it: {no_such('table', tried.table, tables)}")
    needed = dict.fromkeys(column for rule in rules for column in columns_needed(rule))
    missing = [column for column in needed if column not in tried.row]
    if missing and tried.kind != "truncate":
        raise ConfigError(f"the row you gave has no {', no '.join(missing)}")


def _change(table: str | None, change: str | None, old: str | None, **rows: str | None) -> Change:
    if change is not None:
        given = _row("--change", change)
    else:
        named = [(kind, row) for kind, row in rows.items() if row is not None]
        if table is None or len(named) != 1:
            raise WrongUsage("give --change, or --table with one of --insert, --update, --delete")
        kind, row = named[0]
        side = "old" if kind == "delete" else "new"
        given = {"table": table, "kind": kind, side: _row(f"--{kind}", row)}
        if old is not None:
            given["old"] = _row("--old", old)
    if given.get("kind") not in _KINDS:
        raise WrongUsage(f"--change needs a kind: {', '.join(_KINDS)}")
    if given["kind"] == "update" and not isinstance(given.get("old"), dict):
        raise WrongUsage("an update needs the row before it too: give --old")
    try:
        return msgspec.convert({"time": int(time.time() * 1000)} | given, Change)
    except msgspec.ValidationError as error:
        raise WrongUsage(f"--change: {error}") from error


def _row(flag: str, text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise WrongUsage(f"{flag} is not a JSON object ({error}); write it as '{{\"id\": 7}}'") from error


def _as_object(draft: Draft) -> dict[str, Any]:
    return {"channel": draft.channel, "event": draft.event, "data": draft.data, "keys": draft.keys}


def _as_table(drafts: Sequence[tuple[int, Draft]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("rule", "channel", "event", "data", "keys"):
        table.add_column(title, overflow="fold")
    for number, draft in drafts:
        keys = _json(draft.keys) if draft.keys else ""
        table.add_row(*(Text(t) for t in (str(number), draft.channel, draft.event, _json(draft.data), keys)))
    return table


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
