"""README's snippets are right: the settings load, the Python runs, the commands exist."""

from __future__ import annotations

import ast
import asyncio
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from tests.test_repository import ROOT
from tidings import Tidings
from tidings.cli import make_app
from tidings.sources.rules import check_rules, load_rules

README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_rules_of_the_readme_fit_a_table() -> None:
    (text,) = snippets("toml")
    found = tomllib.loads(text)
    assert found["sources"][0]["url"].startswith("sqlite:///")
    check_rules(load_rules(found["rules"]), {"tasks": ("id", "project_id", "title")})


async def test_the_library_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = snippets("python")
    app = Starlette()
    names: dict[str, Any] = {"Tidings": Tidings, "app": app}
    code = compile(text, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, names)  # our own document
    if asyncio.iscoroutine(running):
        await running
    assert (tmp_path / "live.db").exists()
    await names["live"].stop()


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^tidings (\w+)", README, re.M))))
def test_every_command_named_exists(command: str) -> None:
    assert command in make_app([])


def test_no_paragraph_waits_to_be_written() -> None:
    assert re.findall(r"^[A-Z]{4,}$", README, re.M) == []
