"""Which rules and tables belong to which source, and what of them does not fit its database."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures.fix_postgres import Database
from tests.unit.bootstrap.builders import APP, RULE, database, with_source
from tidings.bootstrap.feeds import (
    make_feed,
    read_sqlite,
    refuse_untold,
    rules_for,
    source_name,
    tables_for,
    usual,
)
from tidings.config.settings import Config, SourceSettings
from tidings.errors import ConfigError, SourceError
from tidings.outbox.table import ddl
from tidings.sources.base import TableInfo
from tidings.sources.rules import Rule, When

__all__ = ["database"]  # a fixture


def test_a_source_without_tables_captures_those_of_the_rules(database: Path) -> None:
    config = with_source(database, RULE, Rule(table="notes", channel="n", insert="e"))
    assert tables_for(config, 0) == ("tasks", "notes")


def test_rules_go_to_the_source_that_names_their_table() -> None:
    notes = Rule(table="notes", channel="n", insert="e")
    config = Config(
        apps=(APP,),
        sources=(
            SourceSettings(url="sqlite:///a.db", tables=("tasks",)),
            SourceSettings(url="sqlite:///b.db"),
        ),
        rules=(RULE, notes),
    )
    assert rules_for(config, 0) == [RULE]
    assert rules_for(config, 1) == [notes]


def test_a_rule_whose_table_nobody_captures_is_refused(database: Path) -> None:
    with pytest.raises(ConfigError, match="no source captures table 'tasks'"):
        rules_for(with_source(database, RULE, tables=("notes",)), 0)


def test_a_source_with_nothing_to_capture_is_refused(database: Path) -> None:
    with pytest.raises(ConfigError, match=r"sources\[1\]: nothing to capture"):
        make_feed(with_source(database), 0)


def test_an_outbox_alone_is_enough_to_capture(database: Path) -> None:
    with closing(sqlite3.connect(database)) as db:
        db.executescript(ddl("sqlite"))
    feed = make_feed(with_source(database), 0)
    assert feed.app == "1"


def test_a_source_is_called_as_its_file() -> None:
    assert source_name(SourceSettings(url="sqlite:///d/kanban.db")) == "kanban"
    assert source_name(SourceSettings(url="sqlite:///d/kanban.db", name="n")) == "n"


def test_columns_are_read(database: Path) -> None:
    assert tuple(read_sqlite(str(database), ("tasks",))["tasks"].columns) == ("id", "project_id", "title")


def test_a_missing_database_or_table_is_told(database: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no database .*none\.db"):
        read_sqlite(str(tmp_path / "none.db"), ("tasks",))
    with pytest.raises(SourceError, match="did you mean 'tasks'"):
        read_sqlite(str(database), ("taks",))


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"this is no database, and long enough to be looked at" * 20)
    with pytest.raises(SourceError, match="is it an SQLite database"):
        read_sqlite(str(tmp_path / "x.db"), ("tasks",))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://u:p@h:5432/shop?sslmode=require", "shop"),
        ("postgres://h/my%20shop", "my-20shop"),
        ("postgresql:///", "postgres"),
        ("postgresql://h", "postgres"),
    ],
)
def test_a_postgres_source_is_called_as_its_database(url: str, name: str) -> None:
    assert source_name(SourceSettings(url=url)) == name


def test_a_table_of_the_public_schema_is_named_without_it() -> None:
    rule = usual(Rule(table="public.tasks", channel="c", insert="e"))
    assert rule.table == "tasks"
    assert usual(Rule(table="sales.orders", channel="c", insert="e")).table == "sales.orders"


def test_rules_that_would_be_silent_without_old_rows_are_refused_with_the_fix() -> None:
    info = TableInfo(
        columns=("id", "project_id", "status"), key=("id",), old=("id",), fix="run ALTER TABLE x"
    )
    moved = Rule(table="tasks", channel="p-{id}", update="u", when=(When(changed="status", event="moved"),))
    gone = Rule(table="tasks", channel="p-{id}", delete="gone", data={"project": "project_id"})
    raw = Rule(table="tasks", channel="rows", deliver="change")
    with pytest.raises(ConfigError) as caught:
        refuse_untold(
            [RULE, Rule(table="tasks", channel="p-{project_id}", update="u"), moved, gone, raw],
            {"tasks": info},
        )
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "rules[2].channel", "rules[3].when[1].changed", "rules[4].data", "rules[5].deliver",
    ]  # fmt: skip
    assert all("run ALTER TABLE x" in line and "old_rows" in line for line in lines)


def test_rules_that_need_no_old_row_are_not_refused() -> None:
    info = TableInfo(columns=("id", "project_id"), key=("id",), old=("id",))
    refuse_untold([RULE, Rule(table="tasks", channel="t-{id}", update="u", delete="d")], {"tasks": info})


def test_a_postgres_source_is_made_from_its_settings(newest_postgres: Database) -> None:
    newest_postgres.run("CREATE TABLE tasks (id int PRIMARY KEY, project_id int)")
    source = SourceSettings(url=newest_postgres.url, name="shop")
    made = make_feed(Config(apps=(APP,), sources=(source,), rules=(RULE,)), 0)
    assert made.source.name == "shop"
