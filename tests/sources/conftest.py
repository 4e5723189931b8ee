"""The rigs of the suite over every change source: a database, writers in other processes, a source that follows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import pytest

from tests.fixtures.fix_postgres import MAJORS, NEWEST, own_cluster, shared_cluster
from tests.sources.rigs import PostgresRig, Rig, SqliteRig

RIGS: dict[str, Callable[[Path], Rig]] = {
    "sqlite": partial(SqliteRig, driver="sqlite3"),
    "sqlite-apsw": partial(SqliteRig, driver="apsw"),
    "postgres-15": lambda _: PostgresRig(shared_cluster("15")),
    "postgres-18": lambda _: PostgresRig(shared_cluster("18")),
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
    made = PostgresRig(shared_cluster(request.param))
    yield made
    await made.close()


@pytest.fixture
async def newest_pg() -> AsyncIterator[PostgresRig]:
    """A fresh database on the newest server alone."""
    made = PostgresRig(shared_cluster(NEWEST))
    yield made
    await made.close()


@pytest.fixture(params=MAJORS)
async def own_pg(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PostgresRig]:
    """A server of its own on each age, for a test that kills it."""
    with own_cluster(request.param, tmp_path, max_slot_wal_keep_size="-1", max_wal_size="1GB") as cluster:
        made = PostgresRig(cluster)
        yield made
        await made.let_go()
