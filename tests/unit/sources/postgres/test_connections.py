"""Connecting: what a session is asked for, and what of an address and an error may be told."""

from __future__ import annotations

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.errors import SourceError
from tidings.sources.postgres.connections import (
    connect,
    connect_streaming,
    first_line,
    read_with,
    shown,
)


def test_an_address_is_shown_without_its_password() -> None:
    assert shown("postgresql://me:hunter2@db.example/app") == "postgresql://me@db.example/app"
    assert "hunter2" not in shown("postgresql://me:hunter2@db.example/app?nonsense=1")


def test_an_error_is_told_in_one_line() -> None:
    assert first_line(ValueError("first\nsecond")) == "first"
    assert first_line(ValueError("")) == "ValueError"


def test_a_server_that_does_not_answer_is_told_without_the_password() -> None:
    with pytest.raises(SourceError, match=r"cannot connect to postgresql://me@127\.0\.0\.1:1/app") as caught:
        connect("postgresql://me:hunter2@127.0.0.1:1/app")
    assert "hunter2" not in str(caught.value)


def test_what_the_database_refuses_is_told_and_the_connection_closed(newest_postgres: Database) -> None:
    with pytest.raises(SourceError, match="the database refused"):
        read_with(newest_postgres.url, lambda connection: connection.execute("SELECT nothing_there"))
    assert read_with(newest_postgres.url, lambda connection: connection.execute("SELECT 1").fetchone()) == (
        1,
    )


async def test_a_session_that_reads_values_keeps_the_options_of_the_address(
    newest_postgres: Database,
) -> None:
    url = f"{newest_postgres.url}&options=-c%20work_mem%3D5MB"
    connection = await connect_streaming(url)
    for name, value in (("work_mem", "5MB"), ("TimeZone", "UTC"), ("IntervalStyle", "postgres")):
        cursor = await connection.execute(f"SHOW {name}")
        assert await cursor.fetchone() == (value,)
    await connection.close()
