"""`tidings outbox sql`: what it prints can be run."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tidings.cli import main
from tidings.outbox.table import ddl, drop


def test_it_prints_the_sql_of_each_database(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "sql"]) == 0
    assert capsys.readouterr().out == ddl("postgresql")
    assert main(["outbox", "sql", "--dialect", "sqlite", "--drop"]) == 0
    assert capsys.readouterr().out == drop("sqlite")


def test_it_runs_as_it_is_and_the_table_it_makes_sweeps_itself(capsys: pytest.CaptureFixture[str]) -> None:
    main(["outbox", "sql", "--dialect", "sqlite"])
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(capsys.readouterr().out)
        connection.execute("INSERT INTO tidings_outbox (channel, event, data) VALUES ('c', 'e', '1')")
        assert connection.execute("SELECT count(*) FROM tidings_outbox").fetchone() == (0,)


def test_another_dialect_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outbox", "sql", "--dialect", "mysql"]) == 2
    assert "postgresql" in capsys.readouterr().err
