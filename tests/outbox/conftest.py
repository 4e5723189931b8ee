"""Every framework on every database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.fix_postgres import MAJORS, Database, shared_cluster
from tests.outbox.logs import Log, PostgresLog, SqliteLog
from tests.outbox.rigs import RIGS, Rig

SQLITE = "sqlite"


@pytest.fixture(params=[SQLITE, *MAJORS], ids=[SQLITE, *(f"postgres{major}" for major in MAJORS)])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """A database and what its log tells."""
    yield from _log(request.param, tmp_path)


@pytest.fixture(params=MAJORS, ids=[f"postgres{major}" for major in MAJORS])
def postgres_log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    """Where transactions can cross: SQLite has one writer at a time."""
    yield from _log(request.param, tmp_path)


def _log(kind: str, folder: Path) -> Iterator[Log]:
    if kind == SQLITE:
        yield SqliteLog(folder / "app.db")
        return
    database = Database(shared_cluster(kind))
    yield PostgresLog(database)
    database.drop()


@pytest.fixture(params=RIGS)
def framework(request: pytest.FixtureRequest) -> type[Rig]:
    """How the application speaks to its database."""
    found: type[Rig] = RIGS[request.param]
    return found


@pytest.fixture
def rig(framework: type[Rig], log: Log) -> Iterator[Rig]:
    """An application whose outbox is made and whose log is read."""
    yield from _rig(framework, log)


@pytest.fixture
def postgres_rig(framework: type[Rig], postgres_log: Log) -> Iterator[Rig]:
    """The same on Postgres alone."""
    yield from _rig(framework, postgres_log)


def _rig(framework: type[Rig], log: Log) -> Iterator[Rig]:
    rig = framework(log.url)  # type: ignore[call-arg]
    rig.make()
    log.begin()
    yield rig
    rig.close()
