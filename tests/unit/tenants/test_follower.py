"""Following the table: apps come, change, go, and one that is wrong harms nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.unit.node.builders import APP, Line, ask, connect, publish, running, settings
from tidings.config.rows import app_settings, entry_of
from tidings.errors import Disconnect, Refusal, SourceError
from tidings.ids import AppId
from tidings.node.apps import AppSettings
from tidings.node.limits import Limits
from tidings.node.node import Node
from tidings.tenants.follower import Follower, same, settings_of
from tidings.tenants.table import Row


class Rows:
    """A table that is a list. `trouble` makes it unreadable."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.trouble: str | None = None
        self.closed = False

    def put(self, app: str, key: str | None = None, **more: Any) -> None:
        self.rows[app] = {"id": app, "key": key or f"key-{app}", "secret": "s", **more}

    def changed(self) -> list[Row] | None:
        if self.trouble is not None:
            raise SourceError(self.trouble)
        return list(self.rows.values())

    def close(self) -> None:
        self.closed = True


def read(row: Row) -> AppSettings:
    return app_settings(entry_of(row, Limits()), ())


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    async with running(settings()) as node:
        yield node


@pytest.fixture
async def follower(node: Node, rows: Rows) -> AsyncIterator[Follower]:
    made = Follower(node, rows, read, fixed=[APP], poll=0.01)
    yield made
    await made.stop()
    assert rows.closed


def ids(node: Node) -> list[str]:
    return [app.id for app in node.apps]


async def test_apps_come_and_go_with_their_rows(node: Node, rows: Rows, follower: Follower) -> None:
    rows.put("2")
    rows.put("3")
    await follower.look()
    assert ids(node) == [APP, "2", "3"]
    session, line = connect(node, app="2")
    await ask(session, type="subscribe", channel="a")
    await publish(node, 1, app="2")
    del rows.rows["2"]
    await follower.look()
    assert ids(node) == [APP, "3"]
    assert closed_with(line) == "app_gone"
    with pytest.raises(Refusal):
        await publish(node, 2, app="2")


def closed_with(line: Line) -> str | None:
    return line.ended.name if line.ended is not None else None


async def test_an_app_that_is_switched_off_loses_its_clients_and_comes_back(
    node: Node, rows: Rows, follower: Follower
) -> None:
    rows.put("2")
    await follower.look()
    _, line = connect(node, app="2")
    _, other = connect(node)
    rows.put("2", enabled=0)
    await follower.look()
    assert closed_with(line) == "app_off"
    assert closed_with(other) is None
    with pytest.raises(Disconnect) as off:
        node.apps.by_key("key-2")
    assert off.value.name == "app_off"
    rows.put("2")
    await follower.look()
    assert node.apps.by_key("key-2").id == "2"


async def test_a_key_that_is_taken_out_keeps_who_is_there_and_lets_nobody_in(
    node: Node, rows: Rows, follower: Follower
) -> None:
    rows.put("2", "old")
    await follower.look()
    session, line = connect(node, app="2")
    await ask(session, type="subscribe", channel="a")
    rows.put("2", "new")
    await follower.look()
    with pytest.raises(Disconnect):
        node.apps.by_key("old")
    assert node.apps.by_key("new").id == "2"
    await publish(node, 1, app="2")
    assert line.numbers() == [1]


async def test_limits_and_quotas_hold_for_those_who_are_there(
    node: Node, rows: Rows, follower: Follower
) -> None:
    rows.put("2")
    await follower.look()
    rows.put("2", quotas='{"messages_per_day": 1}', limits='{"message_bytes": 50}')
    await follower.look()
    await publish(node, 1, app="2")
    with pytest.raises(Refusal) as over:
        await publish(node, 2, app="2")
    assert over.value.name == "over_quota"


async def test_a_row_that_is_wrong_harms_its_own_app_only(node: Node, rows: Rows, follower: Follower) -> None:
    rows.put("2")
    await follower.look()
    rows.put("2", limits="{")
    rows.put("3", key="key-2")
    rows.put("4")
    rows.put(APP, key="taken-over")
    rows.rows["5"] = {"id": None}
    await follower.look()
    assert ids(node) == [APP, "2", "4"]
    assert dict(node.apps.by_id("2").keys) == {"key-2": "s"}
    assert "taken-over" not in node.apps.by_id(APP).keys
    assert node.metrics.registry.get_sample_value("tidings_apps_table_faulty") == 4


async def test_a_key_passes_from_one_app_to_another(node: Node, rows: Rows, follower: Follower) -> None:
    rows.put("2", "shared")
    rows.put("3", "other")
    await follower.look()
    rows.put("3", "shared")
    rows.put("2", "fresh")
    rows.rows = dict(reversed(rows.rows.items()))
    await follower.look()
    assert node.apps.by_key("shared").id == "3"
    assert node.apps.by_key("fresh").id == "2"


async def test_a_table_that_cannot_be_read_changes_nothing(
    node: Node, rows: Rows, follower: Follower
) -> None:
    rows.put("2")
    await follower.start()
    rows.trouble = "gone"
    async with asyncio.timeout(10):
        while sample(node) != 0:
            await asyncio.sleep(0)
        assert ids(node) == [APP, "2"]
        rows.put("3")
        rows.trouble = None
        while ids(node) != [APP, "2", "3"]:
            await asyncio.sleep(0)
    assert sample(node) == 1


def sample(node: Node) -> float | None:
    return node.metrics.registry.get_sample_value("tidings_apps_table_readable")


async def test_a_table_that_was_never_readable_stops_the_start(rows: Rows, follower: Follower) -> None:
    rows.trouble = "there is no database"
    with pytest.raises(SourceError):
        await follower.start()


def test_the_order_of_keys_is_a_change() -> None:
    one = AppSettings(id=AppId("2"), keys={"a": "1", "b": "2"})
    assert same(one, AppSettings(id=AppId("2"), keys={"a": "1", "b": "2"}))
    assert not same(one, AppSettings(id=AppId("2"), keys={"b": "2", "a": "1"}))
    assert not same(None, one)


def test_an_id_that_stands_twice_is_told() -> None:
    row = {"id": "2", "key": "k", "secret": "s"}
    wanted, faults = settings_of([row, row], read, frozenset())
    assert list(wanted) == ["2"]
    assert "twice" in faults[AppId("2")]


async def test_deep_json_and_odd_bytes_in_a_row_are_faults_of_that_row(
    node: Node, rows: Rows, follower: Follower
) -> None:
    rows.put("1", limits="[" * 30_000)
    rows.put("2", secret=b"\xff")
    rows.put("3")
    await follower.look()
    assert ids(node) == ["1001", "3"]


async def test_following_goes_on_after_a_fault_of_ours(
    node: Node, rows: Rows, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "_poll", 0.001)
    looks = iter([RuntimeError("ours"), None])

    async def look() -> None:
        if (error := next(looks, None)) is not None:
            raise error
        await Follower.look(follower)

    monkeypatch.setattr(follower, "look", look)
    following = asyncio.create_task(follower._follow())
    rows.put("7")
    async with asyncio.timeout(10):
        while "7" not in ids(node):
            await asyncio.sleep(0.001)
    following.cancel()
