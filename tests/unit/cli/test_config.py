"""`config show` and `config check`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tidings.cli import main

FILE = """
[engine]
url = "memory:"
[[sources]]
url = "sqlite:///app.db"
[[apps]]
id = "1"
key = "k"
secret = "hidden-secret"
jwks_url = "https://x"
[[rules]]
table = "tasks"
channel = "project-{project_id}"
insert = "task-created"
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tidings.toml").write_text(FILE)


def make_table(columns: str) -> None:
    with closing(sqlite3.connect("app.db")) as db:
        db.execute(f"CREATE TABLE tasks ({columns})")


def test_show_tells_values_and_origins_and_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_SERVER__DRAIN_SECONDS", "3")
    assert main(["config", "show", "--port", "9000"]) == 0
    told = capsys.readouterr().out
    for line in (
        "server.port = 9000  # flag --port",
        "server.drain_seconds = 3.0  # env TIDINGS_SERVER__DRAIN_SECONDS",
        'server.host = "127.0.0.1"  # default',
        'engine.url = "memory:"  # file tidings.toml',
    ):
        assert line in told.splitlines()
    assert "hidden-secret" not in told


def test_show_can_leave_out_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--set-only"]) == 0
    assert "# default" not in capsys.readouterr().out


def test_check_is_content_and_notes_what_has_no_effect(capsys: pytest.CaptureFixture[str]) -> None:
    make_table("id INTEGER PRIMARY KEY, project_id INTEGER")
    assert main(["config", "check"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("note: apps[1].jwks_url")
    assert "well: 1 app(s), 1 source(s), 1 rule(s), engine memory:" in told


def test_check_compares_the_rules_with_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    make_table("id INTEGER PRIMARY KEY, projct_id INTEGER")
    assert main(["config", "check"]) == 1
    assert "did you mean 'projct_id'" in capsys.readouterr().err


def test_check_changes_nothing_in_the_database() -> None:
    make_table("id INTEGER PRIMARY KEY, project_id INTEGER")
    assert main(["config", "check"]) == 0
    with closing(sqlite3.connect("app.db")) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("tasks",)]


def test_check_tells_faults_of_settings_and_of_rules_in_one_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_table("id INTEGER PRIMARY KEY, project_id INTEGER")
    rules = '[[rules]]\ntable = "taks"\nchannel = "p"\ninsert = "e"\n'
    wrong = '[server]\ndran = 1\n[limits]\nbatch = "ten"\n'
    (tmp_path / "tidings.toml").write_text(wrong + FILE.replace("{project_id}", "{projct_id}") + rules)
    assert main(["config", "check"]) == 1
    told = [line.removeprefix("tidings: ") for line in capsys.readouterr().err.splitlines()]
    assert [line.split(":")[0].split(" ")[0] for line in told] == [
        "server.dran",
        "limits.batch",
        "rules[2].table",
        "rules[1].channel",
    ]
