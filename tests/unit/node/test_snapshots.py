"""States at a cursor: rights, bounds, rows by channel and table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from tests.unit.node.builders import APP
from tests.unit.node.test_pump import ListSource
from tidings.changes import Checkpoint, Progress
from tidings.engines.memory import MemoryEngine
from tidings.errors import Refusal, SourceError
from tidings.hub.channel import ChannelOptions
from tidings.ids import ChannelName
from tidings.node import snapshots as module
from tidings.node.apps import AppSettings
from tidings.node.authorizer import Visitor
from tidings.node.node import Node
from tidings.sources.base import Snapshot, Wanted
from tidings.sources.router import ChangeRouter
from tidings.sources.rules import Rule

RULES = [
    Rule(table="t", channel="rows-{id}", deliver="change"),
    Rule(table="t", channel="pair-{id}-{part}", deliver="full", insert="made"),
    Rule(table="t", channel="ids", insert="made"),
]
COLUMNS = {"t": ("id", "part")}


class Table(ListSource):
    """A source whose table is a list."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        super().__init__()
        self.rows = rows
        self.fault: SourceError | None = None

    async def snapshot(self, wanted: Sequence[Wanted], *, most: int) -> Snapshot:
        if self.fault is not None:
            raise self.fault
        found = tuple(
            tuple(
                msgspec.json.encode(row)
                for row in self.rows
                if all(str(row[name]) == value for name, value in each.equal.items())
            )
            for each in wanted
        )
        return Snapshot(generation="g", checkpoint=Checkpoint(5), rows=found)


async def node_over(source: Table) -> Node:
    settings = AppSettings(id=APP, keys={"key": "secret"})
    node = Node(
        [settings],
        MemoryEngine(),
        by_name=lambda name: ChannelOptions(require_auth=name.startswith("private-")),
    )
    node.add_source(APP, source, ChangeRouter(RULES, COLUMNS))
    await node.engine.open()
    (pump,) = node.pumps_of(node.apps.by_id(APP))
    await pump.open()
    progress = Progress(source="list", generation="g", checkpoint=Checkpoint(7))
    pump.landmarks.begin("g", node.head(node.apps.by_id(APP)), progress)
    return node


async def read(node: Node, *channels: str) -> Any:
    names = [ChannelName(channel) for channel in channels]
    return (await node.snapshots.read(node.apps.by_id(APP), Visitor(), names)).rows


async def test_each_channel_gets_the_rows_that_its_messages_would_tell() -> None:
    node = await node_over(Table({"id": 1, "part": "a"}, {"id": 2, "part": "a"}))
    assert await read(node, "rows-1", "rows-9") == {
        "rows-1": {"t": [b'{"id":1,"part":"a"}']},
        "rows-9": {"t": []},
    }


async def test_a_name_that_can_be_read_in_several_ways_finds_each_row_once() -> None:
    node = await node_over(
        Table({"id": "1-2", "part": "3"}, {"id": "1", "part": "2-3"}, {"id": "1", "part": "2"})
    )
    rows = (await read(node, "pair-1-2-3"))["pair-1-2-3"]["t"]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("channel", "reason"), [("ids", "not_found"), ("x", "not_found"), ("private-rows", "not_authenticated")]
)
async def test_what_messages_do_not_tell_a_snapshot_does_not_show(channel: str, reason: str) -> None:
    node = await node_over(Table())
    with pytest.raises(Refusal) as caught:
        await read(node, channel)
    assert caught.value.name == reason


async def test_bounds_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    node = await node_over(Table({"id": 1, "part": "a"}, {"id": 1, "part": "b"}))
    monkeypatch.setattr(module, "MAX_ROWS", 1)
    with pytest.raises(Refusal, match="more rows than the limit") as caught:
        await read(node, "rows-1")
    assert (caught.value.name, caught.value.limit) == ("request_too_large", 1)
    monkeypatch.setattr(module, "MAX_WAITING", 0)
    with pytest.raises(Refusal) as busy:
        await read(node, "rows-1")
    assert busy.value.name == "busy"


async def test_why_a_database_gives_none_is_told_to_the_operator_and_not_to_the_client(
    caplog: pytest.LogCaptureFixture,
) -> None:
    source = Table()
    node = await node_over(source)
    source.fault = SourceError("run GRANT SELECT")
    with pytest.raises(Refusal) as caught:
        await read(node, "rows-1")
    assert caught.value.name == "unavailable"
    assert "GRANT" not in str(caught.value)
    assert caplog.records[-1].error == "run GRANT SELECT"  # type: ignore[attr-defined]
