"""`tidings outbox sql`: what it prints can be run."""

from __future__ import annotations

import sqlite3

import pytest

from tidings.cli import main
from tidings.outbox.table import ddl, drop


def test_it_prints_the_sql_of_each_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "sql"]) == 0
    assert capsys.readouterr().out == ddl("postgresql")
    assert main(["outbox", "sql", "--dialect", "sqlite", "--drop"]) == 0
    assert capsys.readouterr().out == drop("sqlite")


def test_it_runs_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    main(["outbox", "sql", "--dialect", "sqlite"])
    connection = sqlite3.connect(":memory:")
    connection.executescript(capsys.readouterr().out)
    connection.close()


def test_another_dialect_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "sql", "--dialect", "mysql"]) == 2
    assert "postgresql" in capsys.readouterr().err
