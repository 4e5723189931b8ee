"""docs/how-to/capture-postgres.md is right: its five minutes run, its settings load, its SQL is taken by a server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.fixtures.fix_postgres import NEWEST, Database, programs
from tests.test_repository import ROOT
from tidings.sources.rules import check_rules, load_rules
from tidings.testing.ports import free_port

PAGE = (ROOT / "docs/how-to/capture-postgres.md").read_text(encoding="utf-8")
RULES = (ROOT / "docs/reference/rules.md").read_text(encoding="utf-8")

ADDRESS = "postgresql://localhost/shop"
"""The page's own database; the tests put theirs in its place."""

SOON = 60.0
"""Seconds for anything here to happen on a busy machine."""


def section(page: str, title: str) -> str:
    """What stands below a heading, up to the next of its kind."""
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


class Shell:
    """A terminal in an empty folder, with `tidings` and `psql` on its path. servers end with it."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder = folder
        self.database = database
        path = os.pathsep.join([str(Path(sys.executable).parent), str(programs(NEWEST)), os.environ["PATH"]])
        self._environment: Mapping[str, str] = {
            **os.environ,
            "PATH": path,
            "TIDINGS_PORT": str(free_port()),
            "DATABASE_URL": database.url,
        }

    def run(self, script: str) -> str:
        """Run it to its end; returns what it printed."""
        done = subprocess.run(
            ["sh", "-ec", script.replace(ADDRESS, self.database.url)],
            capture_output=True,
            text=True,
            timeout=SOON,
            cwd=self.folder,
            env=self._environment,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def beside(self, command: str, out: str) -> Iterator[Path]:
        """Run a command of the page in another terminal; the file with what it prints."""
        said = self.folder / out
        # What is started in the background of a script ignores interrupts; this child must not inherit that.
        hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        with said.open("w") as file:
            child = subprocess.Popen(
                command.split(),
                stdout=file,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=self._environment,
                preexec_fn=hears,
            )
        try:
            yield said
        finally:
            child.send_signal(signal.SIGINT)
            child.wait(SOON)


def wait_for(said: Path, *parts: str) -> None:
    until = time.monotonic() + SOON
    while not all(part in said.read_text() for part in parts):
        assert time.monotonic() < until, f"no {parts} in:\n{said.read_text()}"
        time.sleep(0.05)


def test_five_minutes_with_psql(newest_postgres: Database, tmp_path: Path) -> None:
    shell, page = Shell(tmp_path, newest_postgres), section(PAGE, "Try it")
    made, asked, listening, written, taken_out = blocks(page, "sh")
    (settings,) = blocks(page, "toml")
    told = shell.run(made)
    assert "REPLICA IDENTITY FULL" in told
    wanted = f"tidings_{newest_postgres.name}"
    assert f"replication slot {wanted}" in told
    shell.run(f"tidings source remove $DATABASE_URL --name {newest_postgres.name}")  # the page calls it shop
    name = newest_postgres.name  # slots are the cluster's, and other tests run beside this one
    (tmp_path / "tidings.toml").write_text(
        settings.replace(ADDRESS, newest_postgres.url).replace('"shop"', f'"{name}"')
    )
    *questions, serve = [line.split("  #")[0] for line in asked.strip().splitlines()]
    assert "task-created" in shell.run("\n".join(questions))
    with shell.beside(serve, "serve.out") as served:
        wait_for(served, "Ctrl-C")
        with shell.beside(listening.strip(), "listen.out") as heard:
            wait_for(heard, "connected")
            shell.run(written)
            wait_for(heard, "task-created", "task-updated", "task-deleted")
    assert shell.run(taken_out.replace("--name shop", f"--name {name}")).count("done: ") == 2


@pytest.mark.parametrize("page", [PAGE, RULES], ids=["capture-postgres.md", "rules.md"])
def test_the_settings_of_the_pages_are_settings(page: str) -> None:
    columns = {"tasks": ("id", "project_id", "title", "status_id")}
    for text in blocks(page, "toml"):
        check_rules(load_rules(tomllib.loads(text)["rules"]), columns)


def test_the_rights_of_the_page_are_enough(newest_postgres: Database, tmp_path: Path) -> None:
    """As the page has it: a role that replicates, and a publication that the owner of the tables makes."""
    name = newest_postgres.name
    role = f"r_{name}"
    newest_postgres.run("CREATE TABLE tasks (id bigint PRIMARY KEY)")
    (text,) = blocks(section(PAGE, "The rights it needs"), "sql")
    sql = text.replace("ROLE tidings ", f"ROLE {role} ").replace("tidings_shop", f"tidings_{name}")
    try:
        newest_postgres.run(*filter(str.strip, sql.split(";")))
        url = newest_postgres.url.replace("postgres@", f"{role}@")
        told = Shell(tmp_path, newest_postgres).run(
            f"tidings source add '{url}' --tables tasks --name {name}"
        )
        assert "there already: publication" in told
        assert "done: replication slot" in told
    finally:
        newest_postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_the_settings_of_the_server_that_the_page_names_are_there(newest_postgres: Database) -> None:
    for title in ("What you need", "Failover"):
        (text,) = blocks(section(PAGE, title), "sql")
        for name in re.findall(r"ALTER SYSTEM SET (\w+)", text):
            assert newest_postgres.rows(f"SELECT 1 FROM pg_settings WHERE name = '{name}'"), name
