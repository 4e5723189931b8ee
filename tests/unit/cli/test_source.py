"""`source add` and `source remove`: what is done, what is said, and that no password is printed."""

from __future__ import annotations

import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures.fix_postgres import Database
from tests.unit.sources.postgres.roles import role
from tidings.cli import main
from tidings.cli.source import bare_address

RULES = """
[[rules]]
table = "tasks"
channel = "project-{project_id}"
insert = "task-created"
delete = "task-deleted"
"""
TASKS = "CREATE TABLE tasks (id int PRIMARY KEY, project_id int)"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def add(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that does well prints."""
    assert main(["source", "add", *arguments]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def settings_in(text: str) -> dict[str, object]:
    """The entry for tidings.toml that was printed."""
    begin = text.index("[[sources]]")
    entry = tomllib.loads(text[begin:].split("\n\n")[0])["sources"][0]
    assert isinstance(entry, dict)
    return entry


# ── Postgres


def test_it_says_what_it_did_and_what_to_write_down(
    newest_postgres: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run(TASKS)
    name = newest_postgres.name
    told = add(capsys, newest_postgres.url, "--tables", "tasks")
    for part in (
        "done: publication",
        "    CREATE PUBLICATION",
        "done: replication slot",
        "only id",
        "--full tasks",
    ):
        assert part in told
    assert settings_in(told) == {"url": newest_postgres.url, "name": name, "tables": ["tasks"]}
    again = add(capsys, newest_postgres.url, "--tables", "tasks,tasks")
    assert again.count("there already: ") == 2
    assert "done: " not in again
    assert main(["source", "remove", newest_postgres.url, "--name", name]) == 0
    assert capsys.readouterr().out.count("done: ") == 2
    assert main(["source", "remove", newest_postgres.url]) == 0
    assert capsys.readouterr().out.count("nothing to do: ") == 2


def test_the_tables_of_the_rules_are_taken_and_what_rules_will_need_is_told(
    newest_postgres: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run(TASKS)
    (tmp_path / "tidings.toml").write_text(RULES)
    told = add(capsys, newest_postgres.url)
    assert settings_in(told)["tables"] == ["tasks"]
    assert "note: rules[1].channel: " in told
    assert "note: rules[" not in add(capsys, newest_postgres.url, "--full", "tasks")


def test_a_source_of_the_settings_is_known_by_its_address(
    newest_postgres: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run(TASKS)
    source = f'[[sources]]\nurl = "{newest_postgres.url}"\nname = "{newest_postgres.name}_x"\n'
    (tmp_path / "tidings.toml").write_text(source + RULES)
    told = add(capsys, newest_postgres.url)
    assert f"tidings_{newest_postgres.name}_x" in told
    assert "The settings name this source already." in told


def test_a_second_table_is_added_to_those_that_the_settings_list(
    newest_postgres: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run(
        TASKS + "; CREATE TABLE notes (id int PRIMARY KEY); CREATE TABLE tags (id int PRIMARY KEY)"
    )
    add(capsys, newest_postgres.url, "--tables", "tags")
    source = f'[[sources]]\nurl = "{newest_postgres.url}"\ntables = ["tasks"]\n'
    (tmp_path / "tidings.toml").write_text(source)
    told = add(capsys, newest_postgres.url, "--tables", "notes")
    assert '\ntables = ["tasks", "notes"]\n' in told
    assert "[[sources]]\n" not in told
    assert "note: the publication also holds tags; " in told


def test_a_table_beside_those_of_the_rules_is_listed_with_them(
    newest_postgres: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables that a source lists are all that it captures, whatever the rules ask for."""
    newest_postgres.run(TASKS + "; CREATE TABLE notes (id int PRIMARY KEY)")
    (tmp_path / "tidings.toml").write_text(f'[[sources]]\nurl = "{newest_postgres.url}"\n' + RULES)
    add(capsys, newest_postgres.url)
    told = add(capsys, newest_postgres.url, "--tables", "notes")
    assert '\ntables = ["tasks", "notes"]\n' in told
    assert "publication also holds" not in told


def test_without_tables_those_there_are_are_listed(
    newest_postgres: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run(TASKS, "CREATE TABLE notes (t text)")
    assert main(["source", "add", newest_postgres.url]) == 2
    assert "there are: notes, tasks" in capsys.readouterr().err
    assert newest_postgres.rows("SELECT * FROM pg_publication") == []


def test_missing_rights_are_told_as_sql_and_no_password_is(
    newest_postgres: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run(TASKS)
    with role(newest_postgres) as name:
        url = newest_postgres.url.replace("postgres@", f"{name}:geheim@")
        assert main(["source", "add", url, "--tables", "tasks"]) == 1
        told = capsys.readouterr()
        sql = [line for line in told.out.splitlines() if line.startswith(("CREATE", "ALTER"))]
        assert len(sql) == 2
        assert "run this command again" in told.out
        newest_postgres.run(*sql)
        well = add(capsys, url, "--tables", "tasks")
        assert "geheim" not in told.out + told.err + well
        assert "env:NAME" in well


def test_a_table_without_identity_is_refused(
    newest_postgres: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run("CREATE TABLE notes (t text)")
    assert main(["source", "add", newest_postgres.url, "--tables", "notes"]) == 1
    assert "give it a primary key, or run ALTER TABLE" in capsys.readouterr().err
    assert "REPLICA IDENTITY FULL" in add(capsys, newest_postgres.url, "--tables", "notes", "--full", "notes")


def test_full_is_for_tables_that_are_captured(
    newest_postgres: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    newest_postgres.run(TASKS)
    assert main(["source", "add", newest_postgres.url, "--tables", "tasks", "--full", "taks"]) == 2
    assert "did you mean 'tasks'?" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_told_without_the_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["source", "add", "postgresql://me:geheim@127.0.0.1:1/x", "--tables", "t"]) == 1
    told = capsys.readouterr().err
    assert "cannot connect to postgresql://me@127.0.0.1:1/x" in told
    assert "geheim" not in told


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:pw@h:5432/db?sslmode=require", "postgresql://me@h:5432/db?sslmode=require"),
        ("postgresql://me:p?w@h/db", "postgresql://me@h/db"),
        ("postgresql://h/db?password=pw&user=me", "postgresql://h/db?user=me"),
        ("postgresql://h/db?password=pw", "postgresql://h/db"),
        ("postgresql://me@/db?host=/tmp/x", "postgresql://me@/db?host=/tmp/x"),
        ("postgresql:///db", "postgresql:///db"),
        ("postgresql://h:5432", "postgresql://h:5432"),
        ("sqlite:///app.db", "sqlite:///app.db"),
    ],
)
def test_an_address_without_its_password(url: str, shown: str) -> None:
    assert bare_address(url) == shown


# ── SQLite


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id INTEGER)")
        db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    return path


def triggers(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        (count,) = db.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'").fetchone()
    return int(count)


def test_triggers_are_installed_kept_and_taken_out(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = add(capsys, "sqlite:///app.db", "--tables", "tasks")
    assert "done: tasks: triggers" in told
    assert settings_in(told) == {"url": "sqlite:///app.db", "name": "app", "tables": ["tasks"]}
    first = triggers(database)
    more = add(capsys, "sqlite:///app.db", "--tables", "notes")
    assert "there already: tasks" in more
    assert "done: notes" in more
    assert triggers(database) > first > 0
    assert main(["source", "remove", "sqlite:///app.db"]) == 0
    assert triggers(database) == 0


def test_sqlite_lists_its_tables_and_knows_no_full(
    database: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["source", "add", "sqlite:///app.db"]) == 2
    assert "there are: notes, tasks" in capsys.readouterr().err
    assert main(["source", "add", "sqlite:///app.db", "--tables", "tasks", "--full", "tasks"]) == 2
    assert main(["source", "add", "sqlite:///none.db", "--tables", "tasks"]) == 1
    assert main(["source", "add", "redis://x", "--tables", "tasks"]) == 2
