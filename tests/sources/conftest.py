"""The rigs of the suite over every change source: a database, writers in other processes, a source that follows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from tests.fixtures.fix_postgres import MAJORS, NEWEST
from tests.sources.rigs import PostgresRig, Rig, SqliteRig

RIGS: dict[str, Callable[[Path], Rig]] = {
    "sqlite": partial(SqliteRig, driver="sqlite3"),
    "sqlite-apsw": partial(SqliteRig, driver="apsw"),
    "postgres-15": lambda _: PostgresRig("15"),
    "postgres-18": lambda _: PostgresRig("18"),
}
"""Each source that must pass the general suite, by name. That suite must not open the file with a SQLite of its own:
two copies in one process drop each other's locks."""


@pytest.fixture(params=sorted(RIGS))
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """A fresh database of each kind, with the table `tasks`."""
    made = RIGS[request.param](tmp_path)
    made.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id INTEGER, title TEXT)")
    yield made
    await made.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteRig]:
    """A fresh SQLite file, for what only SQLite does."""
    made = SqliteRig(tmp_path)
    yield made
    await made.close()


@pytest.fixture(params=MAJORS)
async def pg(request: pytest.FixtureRequest) -> AsyncIterator[PostgresRig]:
    """A fresh database on each age of server, for what only Postgres does."""
    made = PostgresRig(request.param)
    yield made
    await made.close()


@pytest.fixture
async def newest_pg() -> AsyncIterator[PostgresRig]:
    """A fresh database on the newest server alone."""
    made = PostgresRig(NEWEST)
    yield made
    await made.close()
