"""A standby is promoted: it is read on exactly where that is proved, and anything else is a gap."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.fixtures.fix_postgres import MAJORS, NEWEST, Cluster, own_cluster, programs, until
from tests.sources.rigs import PATIENCE, Follower, PostgresRig
from tidings.sources.postgres import PostgresSource, watch

TASKS = "CREATE TABLE tasks (id int PRIMARY KEY, title text)"
PHYSICAL = "standby"
"""The slot that the standby reads."""


SYNCED: dict[str, Any] = {"sync_replication_slots": "on"}
"""Since Postgres 17 a standby copies slots."""


class Pair:
    """A primary and its standby."""

    def __init__(self, primary: PostgresRig, standby: Cluster) -> None:
        self.primary = primary
        self.standby = standby

    def caught_up(self) -> None:
        """Wait until the standby has all."""
        end = self.primary.one("SELECT pg_current_wal_flush_lsn()::text")
        until(lambda: self.ask(f"SELECT pg_last_wal_replay_lsn() >= '{end}'"))

    async def copy_slot(self, follower: Follower) -> None:
        """Have the standby keep a copy of the slot, which it takes only once the slot has moved on."""
        copied = f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{self.primary.slot}' AND NOT temporary"
        reading = asyncio.create_task(take_all(follower))
        async with asyncio.timeout(PATIENCE):
            while not await asyncio.to_thread(self.ask, copied):
                self.primary.execute("SELECT pg_log_standby_snapshot()")
                self.primary.execute("CREATE TEMP TABLE other AS SELECT 1")
                await asyncio.to_thread(self.caught_up)
        reading.cancel()
        await asyncio.wait([reading])

    def promote(self) -> None:
        """The primary dies, the standby takes over."""
        self.primary.cluster.kill9()
        assert self.ask("SELECT pg_promote()")
        self.primary.database.cluster = self.primary.cluster = self.standby

    def ask(self, sql: str) -> bool:
        with psycopg.connect(self.standby.url(self.primary.database.name), autocommit=True) as connection:
            row = connection.execute(sql).fetchone()
            assert row is not None
            return bool(row[0])


@contextmanager
def pair_of(major: str, folder: Path) -> Iterator[Pair]:
    """Both, with the table, and the standby following."""
    for name in ("a", "b"):
        (folder / name).mkdir()
    with own_cluster(major, folder / "a") as cluster:
        rig = PostgresRig(cluster)
        rig.execute(TASKS)
        conninfo = f"host={cluster.socket} user=postgres dbname={rig.database.name}"
        standby = Cluster(
            major,
            folder / "b",
            primary_conninfo=conninfo,
            primary_slot_name=PHYSICAL,
            hot_standby_feedback="on",
            **(SYNCED if major == NEWEST else {}),
        )
        backup(cluster, standby)
        try:
            standby.start()
            yield Pair(rig, standby)
        finally:
            standby.close()


def backup(cluster: Cluster, standby: Cluster) -> None:
    command = [str(programs(cluster.major) / "pg_basebackup"), "--pgdata", str(standby.data), "--no-sync"]
    command += ["--host", str(cluster.socket), "--username", "postgres", "--checkpoint", "fast"]
    command += ["--create-slot", "--slot", PHYSICAL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (standby.data / "standby.signal").touch()


@pytest.fixture(params=MAJORS)
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    with pair_of(request.param, tmp_path) as made:
        yield made
        await made.primary.let_go()


@pytest.fixture
async def newest_pair(tmp_path: Path) -> AsyncIterator[Pair]:
    with pair_of(NEWEST, tmp_path) as made:
        yield made
        await made.primary.let_go()


async def take_all(follower: Follower) -> None:
    while True:
        await follower.any()


async def begun(rig: PostgresRig, *ids: int) -> Follower:
    follower = await (await rig.follow()).begun()
    await tells(rig, follower, *ids)
    return follower


async def tells(rig: PostgresRig, follower: Follower, *ids: int) -> None:
    for id in ids:
        rig.execute(f"INSERT INTO tasks VALUES ({id})")
        assert [c.row["id"] for c in await follower.changes(1)] == [id]


async def stopped_with_a_copied_slot(pair: Pair) -> Follower:
    """Two rows are told, the standby has a copy of the slot, and nobody reads."""
    follower = await begun(pair.primary, 1, 2)
    await pair.copy_slot(follower)
    await follower.source.close()
    return follower


async def test_a_promoted_standby_without_the_slot_is_a_gap(pair: Pair) -> None:
    follower = await begun(pair.primary, 1, 2)
    before = follower.source.generation
    await follower.source.close()
    await asyncio.to_thread(pair.caught_up)
    await asyncio.to_thread(pair.promote)
    again = await pair.primary.follow()
    assert "slot is gone" in (await again.gap()).reason
    assert again.source.generation != before
    await tells(pair.primary, again, 3)


async def test_a_promoted_standby_that_has_slot_and_commits_is_read_on_without_a_gap(
    newest_pair: Pair,
) -> None:
    rig = newest_pair.primary
    follower = await stopped_with_a_copied_slot(newest_pair)
    rig.execute("INSERT INTO tasks VALUES (3)")
    await asyncio.to_thread(newest_pair.caught_up)
    before = follower.source.generation
    await asyncio.to_thread(newest_pair.promote)
    again = await rig.follow()
    assert [c.row["id"] for c in await again.changes(1)] == [3]
    assert again.source.generation != before  # positions of another timeline are other positions
    await tells(rig, again, 4)
    await again.source.close()
    rig.execute("INSERT INTO tasks VALUES (5)")
    third = await rig.follow()
    assert [c.row["id"] for c in await third.changes(1)] == [5]


async def test_what_a_table_missed_right_before_a_promotion_is_told_by_the_promoted_standby(
    newest_pair: Pair,
) -> None:
    """The slot goes on exactly, and the seals in the log are compared with a catalogue that has lived through it."""
    rig = newest_pair.primary
    await stopped_with_a_copied_slot(newest_pair)
    rig.database.run(f'ALTER PUBLICATION "{rig.slot}" DROP TABLE tasks', "INSERT INTO tasks VALUES (3)")
    rig.database.run(f'ALTER PUBLICATION "{rig.slot}" ADD TABLE tasks', "INSERT INTO tasks VALUES (4)")
    await asyncio.to_thread(newest_pair.caught_up)
    await asyncio.to_thread(newest_pair.promote)
    again = await rig.follow()
    assert [c.row["id"] for c in await again.changes(1)] == [4]
    assert (await again.gap()).tables == ("tasks",)
    await tells(rig, again, 5)
    await again.source.close()
    third = await rig.follow()
    await tells(rig, third, 6)


async def test_an_address_that_moves_takes_the_looks_with_it_though_the_old_primary_lives(
    newest_pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the publication of the old one is looked at for good, and what the new one leaves out is told by nobody."""
    monkeypatch.setattr(watch, "WATCH_SECONDS", 0.05)
    rig, standby = newest_pair.primary, newest_pair.standby
    address = tmp_path / "address"
    address.symlink_to(rig.cluster.socket)
    source = PostgresSource(
        f"postgresql://postgres@/{rig.database.name}?host={address}", ["tasks"], name=rig.name
    )
    await source.open(rig.log.tell)
    follower = await Follower(source, rig.log).begun()
    await tells(rig, follower, 1)
    await newest_pair.copy_slot(follower)
    follower.restart()
    coming = asyncio.create_task(follower.next())
    sender = f"SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{rig.slot}'"
    await asyncio.to_thread(until, lambda: rig.one(sender) is not None)
    await asyncio.to_thread(newest_pair.caught_up)
    newest_pair.ask("SELECT pg_promote()")
    address.unlink()
    address.symlink_to(standby.socket)
    rig.execute(f"SELECT pg_terminate_backend(({sender}))")
    rig.database.cluster = rig.cluster = standby
    rig.execute("INSERT INTO tasks VALUES (2)")
    assert [c.row["id"] for c in (await coming).changes] == [2]
    gap = asyncio.create_task(follower.gap())
    rig.database.run(f'ALTER PUBLICATION "{rig.slot}" DROP TABLE tasks', "INSERT INTO tasks VALUES (3)")
    assert (await gap).tables == ("tasks",)
    await tells(rig, follower, 4)
    await source.close()


async def test_a_standby_is_waited_for_until_it_is_promoted(newest_pair: Pair) -> None:
    """Its slot cannot be read yet, which says nothing about the slot."""
    rig = newest_pair.primary
    await stopped_with_a_copied_slot(newest_pair)
    rig.execute("INSERT INTO tasks VALUES (3)")
    await asyncio.to_thread(newest_pair.caught_up)
    await asyncio.to_thread(rig.cluster.kill9)
    rig.database.cluster = rig.cluster = newest_pair.standby
    early = rig.source("tasks")
    await early.open(rig.log.tell)
    coming = asyncio.create_task(Follower(early, rig.log).changes(1))
    async with asyncio.timeout(PATIENCE):
        while "standby" not in early.health().detail:
            await asyncio.sleep(0.05)
    newest_pair.ask("SELECT pg_promote()")
    assert [c.row["id"] for c in await coming] == [3]


async def test_a_promoted_standby_that_lacks_commits_that_were_told_is_a_gap(newest_pair: Pair) -> None:
    rig, standby = newest_pair.primary, newest_pair.standby
    follower = await begun(rig, 1)
    await asyncio.to_thread(newest_pair.caught_up)
    await newest_pair.copy_slot(follower)
    await asyncio.to_thread(standby.stop)  # from here on it gets nothing
    follower.restart()
    await tells(rig, follower, 2, 3)
    await follower.source.close()
    await asyncio.to_thread(rig.cluster.kill9)
    await asyncio.to_thread(standby.start)
    newest_pair.ask("SELECT pg_promote()")
    rig.database.cluster = rig.cluster = standby
    again = await rig.follow()
    assert "lacks commits that were told" in (await again.gap()).reason
    await tells(rig, again, 4)


async def test_an_address_of_two_servers_leads_to_the_promoted_one(newest_pair: Pair) -> None:
    rig, standby = newest_pair.primary, newest_pair.standby
    hosts = f"{rig.cluster.socket},{standby.socket}"
    url = f"postgresql://postgres@/{rig.database.name}?host={hosts}&port=5432,5432&target_session_attrs=read-write"
    source = PostgresSource(url, ["tasks"], name=rig.name)
    await source.open(rig.log.tell)
    follower = await Follower(source, rig.log).begun()
    await tells(rig, follower, 1)
    await newest_pair.copy_slot(follower)
    follower.restart()
    coming = asyncio.create_task(follower.next())
    await asyncio.to_thread(newest_pair.caught_up)
    await asyncio.to_thread(newest_pair.promote)
    rig.execute("INSERT INTO tasks VALUES (2)")
    assert [c.row["id"] for c in (await coming).changes] == [2]
    await source.close()
