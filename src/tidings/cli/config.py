"""`tidings config show` and `tidings config check`: what is set and by whom; what is wrong with it."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tidings.bootstrap import check as check_parts
from tidings.cli.options import ServerFlags, with_kept_app
from tidings.config.checks import notices_of
from tidings.config.loading import Faults, Loaded
from tidings.config.showing import DEFAULT, rows_of

All = Annotated[bool, Parameter(name="--set-only", help="Leave out what is at its default.", negative=())]


def show(
    *,
    flags: ServerFlags | None = None,
    set_only: All = False,
) -> int:
    """Print every setting, its value and where it came from: default, file, environment or flag. Secrets are masked.

    ```
    tidings config show --config tidings.toml
    ```
    """
    loaded = with_kept_app((flags or ServerFlags()).load())
    rows = [row for row in rows_of(loaded.config, loaded.origins) if not set_only or row.origin != DEFAULT]
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:  # for grep and diff: no frame, no wrapping
        for row in rows:
            print(f"{row.setting} = {row.value}  # {row.origin}")
        return 0
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("setting", "value", "origin"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(
            Text(row.setting),
            Text(row.value),
            Text(row.origin, style="dim" if row.origin == DEFAULT else "cyan"),
        )
    console.print(table)
    return 0


def check(
    *,
    flags: ServerFlags | None = None,
) -> int:
    """Look for faults and tell all of them at once; exit code 1 when there are any. Nothing is changed.

    Sources are opened read-only to compare the rules with their tables.

    ```
    tidings config check --config tidings.toml
    ```
    """
    try:
        loaded = with_kept_app((flags or ServerFlags()).load())
    except Faults as found:
        further = check_parts(found.readable) if found.readable is not None else []
        raise Faults([*found.lines, *further]) from None
    faults = check_parts(loaded.config)
    if faults:
        raise Faults(faults)
    for notice in notices_of(loaded.config):
        print(f"note: {notice}")
    print(_summary(loaded))
    return 0


def _summary(loaded: Loaded) -> str:
    config = loaded.config
    apps = f"{len(config.apps)} app(s)" if config.apps else "no app (serve makes one)"
    return f"well: {apps}, {len(config.sources)} source(s), {len(config.rules)} rule(s), engine {config.engine_url}"
