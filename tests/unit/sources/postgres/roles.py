"""Roles with few rights on a test's database; gone when the test is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.fixtures.fix_postgres import Database


@contextmanager
def role(database: Database, *options: str) -> Iterator[str]:
    """A role that may log in; its name. options: such as REPLICATION."""
    name = f"r_{database.name}"
    database.run(f"CREATE ROLE {name} LOGIN {' '.join(options)}")
    try:
        yield name
    finally:
        database.run(f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def as_role(database: Database, name: str) -> str:
    """The address of the database for that role."""
    return database.cluster.url(database.name, user=name)
