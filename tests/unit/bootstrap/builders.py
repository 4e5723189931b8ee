"""A database and configurations over it, for the tests of bootstrap. Holds no test."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tidings.config.settings import AppEntry, Config, EngineSettings, SourceSettings
from tidings.sources.rules import Rule

APP = AppEntry(id="1", key="k", secret="s")
MEMORY = EngineSettings(url="memory:")
RULE = Rule(table="tasks", channel="project-{project_id}", insert="task-created")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id INTEGER, title TEXT)")
        db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    return path


def with_source(database: Path, *rules: Rule, tables: tuple[str, ...] = ()) -> Config:
    source = SourceSettings(url=f"sqlite:///{database}", tables=tables)
    return Config(apps=(APP,), engine=MEMORY, sources=(source,), rules=rules)
