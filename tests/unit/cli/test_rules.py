"""`rules try`: what a change would send, or why it would not."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tidings.cli import main

FILE = """
[[rules]]
table = "tasks"
channel = "project-{project_id}"
insert = "task-created"
update = "task-updated"
when = [{ changed = "status", event = "task-moved" }]
keys = [["tasks", "{id}"]]
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tidings.toml").write_text(FILE)


ROW = '{"id": 7, "project_id": 42, "status": "a"}'


def test_a_change_is_shown_as_messages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "try", "--table", "tasks", "--insert", ROW]) == 0
    told = capsys.readouterr().out
    for part in ("project-42", "task-created", '["tasks",7]'):
        assert part in told


def test_as_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    new = ROW.replace('"a"', '"b"')
    assert main(["rules", "try", "--json", "--table", "tasks", "--update", new, "--old", ROW]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["rule"], told["channel"], told["event"]) == (1, "project-42", "task-moved")


def test_a_whole_change_can_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    change = f'{{"table": "tasks", "kind": "insert", "new": {ROW}}}'
    assert main(["rules", "try", "--change", change]) == 0
    assert "task-created" in capsys.readouterr().out


def test_why_nothing_is_sent_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "try", "--table", "tasks", "--delete", ROW]) == 0
    assert "rule 1 sends nothing: " in capsys.readouterr().out


def test_a_table_without_a_rule_is_a_failure_and_the_nearest_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["rules", "try", "--table", "taks", "--delete", ROW]) == 1
    assert "did you mean 'tasks'?" in capsys.readouterr().err


def test_a_row_without_the_channels_column_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "try", "--table", "tasks", "--insert", '{"id": 7}']) == 1
    assert capsys.readouterr().err == "tidings: the row you gave has no project_id\n"


def test_without_a_source_the_missing_key_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "try", "--json", "--table", "tasks", "--insert", ROW]) == 0
    told = capsys.readouterr()
    assert "primary key unknown: data shown without it" in told.err
    assert json.loads(told.out)["data"] == {"project_id": 42}


def test_the_key_comes_from_the_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(sqlite3.connect("app.db")) as db:
        db.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id INTEGER, status TEXT)")
    (tmp_path / "tidings.toml").write_text(f'[[sources]]\nurl = "sqlite:///app.db"\n{FILE}')
    assert main(["rules", "try", "--json", "--table", "tasks", "--insert", ROW]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out)["data"] == {"id": 7, "project_id": 42}


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--table", "tasks"], "--insert, --update, --delete"),
        (["--table", "tasks", "--insert", ROW, "--delete", ROW], "--table with one of"),
        (["--insert", ROW], "--table with one of"),
        (["--table", "tasks", "--insert", "{"], "--insert is not a JSON object"),
        (["--table", "tasks", "--update", ROW], "give --old"),
        (["--change", "{}"], "--change needs a kind"),
        (["--change", '{"kind": "insert"}'], "--change"),
    ],
)
def test_an_incomplete_change_is_told(
    flags: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rules", "try", *flags]) == 2
    assert hint in capsys.readouterr().err


def test_without_rules_the_place_for_them_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tidings.toml").write_text("")
    assert main(["rules", "try", "--table", "tasks", "--insert", ROW]) == 1
    assert "[[rules]]" in capsys.readouterr().err
