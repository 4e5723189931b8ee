"""README's snippets are right: the settings load, the Python runs, the commands exist."""

from __future__ import annotations

import ast
import asyncio
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, StaticPool, String, create_engine, event
from sqlalchemy.orm import Session, declarative_base
from starlette.applications import Starlette

from tests.test_repository import ROOT
from tidings import Tidings
from tidings.bootstrap.addresses import is_postgres
from tidings.cli import make_app
from tidings.outbox.sqlalchemy import metadata
from tidings.sources.rules import check_rules, load_rules

README = (ROOT / "README.md").read_text(encoding="utf-8")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def test_the_rules_of_the_readme_fit_a_table() -> None:
    (text,) = snippets("toml")
    found = tomllib.loads(text)
    assert is_postgres(found["sources"][0]["url"])
    check_rules(load_rules(found["rules"]), {"tasks": ("id", "project_id", "title")})


async def test_the_library_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (_, text) = snippets("python")
    app = Starlette()
    names: dict[str, Any] = {"Tidings": Tidings, "app": app}
    code = compile(text, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, names)  # our own document
    if asyncio.iscoroutine(running):
        await running
    assert (tmp_path / "live.db").exists()
    await names["live"].stop()


def test_the_outbox_snippet_writes_its_message_with_the_row() -> None:
    (text, _) = snippets("python")
    base = declarative_base()
    order_type = type(
        "Order",
        (base,),
        {
            "__tablename__": "orders",
            "id": Column(Integer, primary_key=True),
            "customer": Column(String),
            "total": Column(Integer),
        },
    )
    engine = create_engine("sqlite://", poolclass=StaticPool)
    base.metadata.create_all(engine)
    metadata.create_all(engine)
    seen: list[Any] = []
    event.listen(engine, "before_cursor_execute", lambda *given: seen.append((given[2], given[3])))
    names: dict[str, Any] = {
        "Session": Session,
        "engine": engine,
        "order": order_type(customer="ada", total=7),
    }
    exec(text, names)  # our own document
    (inserted,) = [values for sql, values in seen if "INSERT INTO tidings_outbox" in sql]
    assert "orders-ada" in str(inserted)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"^tidings (\w+)", README, re.M))))
def test_every_command_named_exists(command: str) -> None:
    assert command in make_app([])


def test_no_paragraph_waits_to_be_written() -> None:
    assert re.findall(r"^[A-Z]{4,}$", README, re.M) == []
