"""Writes docs/reference from the code it describes: settings, commands, errors. `--check` writes nothing and compares.

What stands in a struct's field, a command's help or the catalogue of errors is not written down a second time.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import re
import sys
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Final

import msgspec
from rich.console import Console

from tidings.cli import COMMANDS, make_app
from tidings.config.layers import SHORT_NAMES
from tidings.config.settings import (
    AppEntry,
    AppsTable,
    Config,
    EngineSettings,
    KeyPair,
    ServerSettings,
    SourceSettings,
)
from tidings.errors import CATALOGUE, RESET_REASONS, Reason
from tidings.hub.channel import Retention
from tidings.node.apps import ChannelRule
from tidings.node.limits import Limits
from tidings.node.quotas import Quotas
from tidings.node.webhooks.settings import BatchSettings, WebhookSettings
from tidings.sources.rules import Rule, When

FOLDER: Final = Path(__file__).parent.parent / "docs" / "reference"

WIDTH: Final = 100
"""Columns of a help text."""

HEADER: Final = "<!-- Written by scripts/make_reference.py from the code. Do not edit. -->"

TABLES: Final[Sequence[tuple[str, type[msgspec.Struct]]]] = (
    ("[server]", ServerSettings),
    ("[engine]", EngineSettings),
    ("[[sources]]", SourceSettings),
    ("[[apps]]", AppEntry),
    ("keys of [[apps]]", KeyPair),
    ("webhooks of [[apps]]", WebhookSettings),
    ("batch of webhooks", BatchSettings),
    ("quotas of [[apps]]", Quotas),
    ("[apps_table]", AppsTable),
    ("[[channels]]", ChannelRule),
    ("history of [[channels]]", Retention),
    ("[[rules]]", Rule),
    ("when of [[rules]]", When),
    ("[limits]", Limits),
)

MEANINGS: Final[Mapping[type[msgspec.Struct], Mapping[str, str]]] = {
    ChannelRule: {
        "match": "Which channels: a name, with `*` as wildcard.",
        "require_auth": "Nobody subscribes without a proof: a signature, a token, or a yes of the application.",
        "cache": "The last message is kept and given first to each new subscriber.",
        "cache_seconds": "For how long that message is given to newcomers.",
        "ephemeral": "Nothing is logged, so nothing can be replayed.",
        "history": "How much the log keeps of each such channel.",
    },
    Retention: {
        "count": "Messages.",
        "bytes": "Of their data.",
        "age": "Seconds.",
    },
}
"""Of structs that serve more rooms than the configuration. A docstring below a field comes before it."""

CONFIGURATION: Final = """\
# Configuration

`tidings serve` needs none. What is set comes from three places, the later over the earlier: the file
(`--config`, else `TIDINGS_CONFIG`, else `./tidings.toml` where it exists), the environment, the flags. Tables are
laid over one another key by key; a list (`sources`, `apps` …) is taken whole from the last place that has it.

- Every setting has an environment variable: `TIDINGS_` and its name in capitals, with `__` for the dot, such as
  `TIDINGS_SERVER__DRAIN_SECONDS`. A list of texts is written with commas. Short names: {short}.
  `TIDINGS_APP` and `TIDINGS_SOURCE` hold several with commas between.
- An unknown setting is an error that names the nearest one. `tidings config check` tells every fault at once;
  `tidings config show` prints each value and where it came from.
- `secret`, `jwt_secret` and each of a webhook's `headers` may be references: `env:NAME` reads a variable,
  `file:/path` a file.
- Errors and `config show` count the entries of a list from 1: `apps[1]` is the first `[[apps]]`.
"""

KINDS: Final = (
    ("Refusals", "No to a command or a request; the connection lives on.", range(100, 200)),
    ("Ends of a subscription", "The connection lives on.", range(200, 300)),
    ("Ends of a connection", "“Retry” says whether clients come back by themselves.", range(300, 400)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or with `--check` say which are not current; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a page is not current")
    check = parser.parse_args(arguments).check
    stale = []
    for name, text in pages().items():
        path = FOLDER / name
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            FOLDER.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not current: {', '.join(stale)}; run scripts/make_reference.py", file=sys.stderr)
    return 1 if stale else 0


def pages() -> dict[str, str]:
    """Each page by its file name."""
    return {"configuration.md": configuration(), "cli.md": commands(), "errors.md": errors()}


# ── settings


def configuration() -> str:
    """The page of settings."""
    short = ", ".join(f"`TIDINGS_{name}` ({setting})" for name, setting in SHORT_NAMES.items())
    parts = [HEADER, "", CONFIGURATION.format(short=short)]
    for title, struct in TABLES:
        parts += [f"## {title}", "", _escaped(_first_paragraph(struct)), "", *_settings(struct), ""]
    missing = {field.name for field in msgspec.structs.fields(Config)} - _roots()
    if missing:
        raise SystemExit(f"TABLES lacks {missing}")
    return "\n".join(parts).rstrip() + "\n"


def _roots() -> set[str]:
    return {title.strip("[]") for title, _ in TABLES if title.startswith("[")}


def _settings(struct: type[msgspec.Struct]) -> list[str]:
    meanings = {**MEANINGS.get(struct, {}), **field_docs(struct)}
    rows = []
    for field in msgspec.structs.fields(struct):
        if field.name not in meanings:
            raise SystemExit(f"{struct.__name__}.{field.name} has no meaning: write a docstring below it")
        rows.append([f"`{field.encode_name}`", type_text(field.type), _default(field), meanings[field.name]])
    return table(["setting", "type", "default", "meaning"], rows)


def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """The docstrings that stand below a struct's fields."""
    tree = ast.parse(inspect.getsource(struct)).body[0]
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, doc in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(doc, ast.Expr)
        ):
            found[field.target.id] = " ".join(str(ast.literal_eval(doc.value)).split())
    return found


def type_text(kind: Any) -> str:
    """A type as a person who writes TOML names it."""
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind in names:
        return names[kind]
    if origin is typing.Annotated:
        return type_text(inner[0])
    if origin is typing.Literal:
        return ", ".join(f"`{choice}`" for choice in inner)
    if origin in (typing.Union, UnionType):
        return type_text(next(option for option in inner if option is not type(None)))
    if origin in (tuple, list):
        return f"list of {plural(type_text(inner[0]))}"
    return "table"


def plural(kind: str) -> str:
    """`text` → `texts`, `list of texts` → `lists of texts`."""
    head, blank, rest = kind.partition(" of ")
    return f"{head}s{blank}{rest}"


def _default(field: Any) -> str:
    if field.required:
        return "required"
    default = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if default is None or isinstance(default, msgspec.Struct):
        return "none"
    return f"`{msgspec.json.encode(default).decode()}`"


def _first_paragraph(struct: type[msgspec.Struct]) -> str:
    """What the table is; the fields tell of themselves below."""
    return inspect.cleandoc(struct.__doc__ or "").split("\n\n")[0]


# ── commands


def commands() -> str:
    """The page of the command line."""
    parts = [HEADER, "", "# Command line", "", "Exit codes: 0 well, 1 failed, 2 wrong usage.", ""]
    for name in ("", *COMMANDS):
        parts += [f"## {f'tidings {name}'.strip()}", "", "```text", help_of(name.split()), "```", ""]
    return "\n".join(parts).rstrip() + "\n"


def help_of(command: Sequence[str]) -> str:
    """The help of one command as plain text."""
    written = io.StringIO()
    console = Console(
        file=written, width=WIDTH, color_system=None, force_terminal=False, legacy_windows=False
    )
    make_app(command).help_print([*command], console=console)
    return "\n".join(line.rstrip() for line in written.getvalue().strip().splitlines())


# ── errors


def errors() -> str:
    """The page of errors."""
    parts = [
        HEADER,
        "",
        "# Errors",
        "",
        "One catalogue for all protocols; each spells an entry in its own words, and says name or code where its",
        "format has room for them.",
        "",
    ]
    for title, text, codes in KINDS:
        rows = [_reason(reason) for reason in CATALOGUE.values() if reason.code in codes]
        heads = ["code", "name", "HTTP", "meaning", "what to do", "retry"]
        parts += [f"## {title}", "", text, "", *table(heads, rows), ""]
    rows = [[f"`{name}`", meaning] for name, meaning in RESET_REASONS.items()]
    parts += [
        "## Reasons of a reset",
        "",
        "Why a channel must be read anew.",
        "",
        *table(["reason", "meaning"], rows),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _reason(reason: Reason) -> list[str]:
    retry = "yes" if reason.retry else ""
    return [str(reason.code), f"`{reason.name}`", str(reason.status), reason.meaning, reason.fix, retry]


# ── Markdown


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table, its columns aligned as prettier would."""
    cells = [[re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row] for row in rows]
    widths = [max(len(row[at]) for row in [list(heads), *cells]) for at in range(len(heads))]
    lines = [list(heads), ["-" * max(3, width) for width in widths], *cells]
    return ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]


def _escaped(text: str) -> str:
    """Prose from a docstring: a star stands for itself."""
    return re.sub(r"(?<!`)\*(?!`)", r"\\*", text)


if __name__ == "__main__":
    sys.exit(main())
