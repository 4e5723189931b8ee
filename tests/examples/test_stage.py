"""The demo's stage without a browser: a cable that keeps its port, edits that differ."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from itertools import pairwise
from pathlib import Path

import apsw
import httpx2
import pytest

from examples.demo import DemoPlan
from examples.demo.stage import TITLES, Cable, Card, Edit, edit_a_row, mark
from examples.kanban.schema import open_database, writing
from examples.kanban.store import Store
from tidings.testing.ports import free_port


@asynccontextmanager
async def laid(folder: Path, server: int, host: str = "127.0.0.1") -> AsyncIterator[Cable]:
    cable = Cable(host, server, remembered=folder / "cable-port")
    await cable.lay()
    try:
        yield cable
    finally:
        await cable.take_away()


def two_free_ports() -> int:
    """A port whose successor is free too."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            if port < 65535 and probe.connect_ex(("127.0.0.1", port + 1)) != 0:
                return port


async def test_the_cable_lies_on_the_port_after_the_servers(tmp_path: Path) -> None:
    server = two_free_ports()
    async with laid(tmp_path, server) as cable:
        assert await cable.port() == server + 1


async def test_where_that_is_taken_another_is_found_and_kept(tmp_path: Path) -> None:
    server = two_free_ports()
    with socket.create_server(("127.0.0.1", server + 1)):
        async with laid(tmp_path, server) as cable:
            first = await cable.port()
    assert first != server + 1
    async with laid(tmp_path, server) as cable:
        assert await cable.port() == first


async def test_a_remembered_port_that_is_none_is_passed_over(tmp_path: Path) -> None:
    server = two_free_ports()
    for nonsense in ("", "x", "0", "70000", str(server)):
        (tmp_path / "cable-port").write_text(nonsense)
        async with laid(tmp_path, server) as cable:
            assert await cable.port() == server + 1


async def test_plugged_in_again_it_takes_another_port_when_its_own_is_gone(tmp_path: Path) -> None:
    server = two_free_ports()
    async with laid(tmp_path, server) as cable:
        await cable.pull()
        with socket.create_server(("127.0.0.1", server + 1)):
            await cable.plug_in()
            assert cable.plugged
            assert await cable.port() != server + 1


async def test_for_the_network_the_cable_listens_where_the_server_does(tmp_path: Path) -> None:
    async with laid(tmp_path, two_free_ports(), "0.0.0.0") as cable, cable_listener(cable) as address:
        assert address == "0.0.0.0"


@asynccontextmanager
async def cable_listener(cable: Cable) -> AsyncIterator[str]:
    assert cable._proxy is not None
    assert cable._proxy._server is not None
    yield cable._proxy._server.sockets[0].getsockname()[0]


def test_the_demo_reads_the_examples_own_rules_by_their_plain_names(tmp_path: Path) -> None:
    config = DemoPlan(tmp_path, 1).config
    assert {rule.channel for rule in config.rules} == {"project-{project_id}"}
    assert [(rule.match, rule.require_auth) for rule in config.channels] == [("project-*", True)]
    assert config.apps[0].origins == ()


@pytest.mark.parametrize(("lan", "framed"), [(None, False), ("http://192.168.1.5:8000", True)])
async def test_the_stage_may_frame_the_boards_from_the_networks_address(
    tmp_path: Path, lan: str | None, framed: bool
) -> None:
    plan = DemoPlan(tmp_path, 1, "127.0.0.1", lan)
    transport = httpx2.ASGITransport(app=plan.extra)
    async with httpx2.AsyncClient(transport=transport, base_url="http://demo") as client:
        policy = (await client.get("/kanban/")).headers["content-security-policy"]
    assert ("http://192.168.1.5:8000" in policy) == framed
    assert "http://127.0.0.1:*" in policy


def test_edits_in_a_row_are_told_in_different_words(tmp_path: Path) -> None:
    database = tmp_path / "kanban.db"
    Store(database).close()
    told = [edit_a_row(database, turn) for turn in range(15)]
    assert all(one != other for one, other in pairwise(told))
    for turn, words in enumerate(("renamed to “", "moved to “", "marked ")):
        assert all(words in one for one in told[turn::3])


def test_an_edit_holds_the_write_lock_before_it_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Race: a commit of somebody else between the look and the write would fail the edit at once."""
    database = tmp_path / "kanban.db"
    Store(database).close()

    def meanwhile(connection: apsw.Connection, card: Card, turn: int) -> Edit:
        with closing(open_database(database)) as other:
            other.set_busy_timeout(0)
            with pytest.raises(apsw.BusyError):
                other.execute("UPDATE tasks SET label = 'late'")
        return mark(connection, card, turn)

    monkeypatch.setattr("examples.demo.stage.EDITS", (meanwhile,))
    assert "was marked" in edit_a_row(database, 0)


def test_an_error_that_has_ended_the_transaction_is_told_itself(tmp_path: Path) -> None:
    """As on a full disk, where SQLite rolls back by itself."""
    with closing(open_database(tmp_path / "kanban.db")) as connection:

        def fail() -> None:
            with writing(connection):
                connection.execute("ROLLBACK")
                raise apsw.FullError("no room")

        with pytest.raises(apsw.FullError, match="no room"):
            fail()


def test_when_all_titles_are_on_the_board_a_rename_still_changes_something(tmp_path: Path) -> None:
    database = tmp_path / "kanban.db"
    Store(database).close()
    for turn in range(0, 3 * 3 * len(TITLES), 3):
        before, after = re.findall("“([^”]*)”", edit_a_row(database, turn))
        assert before != after
