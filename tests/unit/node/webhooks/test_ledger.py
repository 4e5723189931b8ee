"""What is to be written down, until it is: nothing is written twice, nothing piles up."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter

from tests.unit.node.webhooks.builders import APP, URL, letter
from tidings.engines.memory.webhooks import MemoryStore
from tidings.errors import EngineUnavailable
from tidings.ids import ChannelName
from tidings.node.webhooks.hold import Subject
from tidings.node.webhooks.ledger import Kept, Ledger
from tidings.node.webhooks.letters import Dead

SUBJECTS = [Subject(APP, "channel", ChannelName(name)) for name in "ab"]


class Moody(MemoryStore):
    """A store that refuses when told to, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.refusing = False
        self.writes: list[Mapping[str, bytes | None]] = []

    async def write(self, changes: Mapping[str, bytes | None]) -> None:
        self.writes.append(changes)
        if self.refusing:
            raise EngineUnavailable("the disk is full", full=True)
        await super().write(changes)


def make() -> tuple[Ledger, Moody, Counter]:
    store, failures = Moody(), Counter("failures", "text", registry=CollectorRegistry())
    return Ledger(store, failures), store, failures


def lost(count: int) -> Dead:
    return Dead(number=9, app=APP, url="", reason="full", at=7, lost=count)


async def test_what_was_put_is_loaded_in_order_and_what_was_dropped_is_not() -> None:
    ledger, _, _ = make()
    dead = Dead(number=10, app=APP, url=URL, reason="answered 500", at=7, letter=letter(1))
    for one in (letter(3), letter(2), letter(4), dead, lost(1)):
        ledger.put(one)
    ledger.note(SUBJECTS[0], is_there=True)
    ledger.note(SUBJECTS[1], is_there=True)
    await ledger.write()
    ledger.drop([letter(4)])
    ledger.note(SUBJECTS[1], is_there=False)
    ledger.put(lost(5))
    await ledger.write()
    kept = await ledger.load()
    assert kept == Kept([letter(2), letter(3)], [lost(5), dead], [SUBJECTS[0]])
    assert kept.newest == 10


async def test_what_is_put_and_dropped_before_it_is_written_costs_no_write() -> None:
    ledger, store, _ = make()
    ledger.put(letter(1))
    ledger.drop([letter(1)])
    await ledger.write()
    assert (len(ledger), store.writes) == (0, [])


async def test_what_is_refused_stays_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    ledger, store, failures = make()
    ledger.put(letter(1))
    store.refusing = True
    await ledger.write()
    await ledger.write()
    assert (len(ledger), failures._value.get()) == (1, 2)
    assert [record.getMessage() for record in caplog.records] == ["webhooks_not_kept"]
    store.refusing = False
    await ledger.write()
    assert (await ledger.load()).letters == [letter(1)]


@given(
    st.lists(st.sampled_from(["a in", "a out", "b in", "b out", "refuse", "accept", "write"]), max_size=40)
)
async def test_after_the_last_write_the_store_holds_what_is_so(steps: list[str]) -> None:
    ledger, store, _ = make()
    there: set[Subject] = set()
    for step in steps:
        name, _, way = step.partition(" ")
        if way:
            subject = SUBJECTS["ab".index(name)]
            if (subject in there) == (way == "in"):
                continue
            (there.add if way == "in" else there.discard)(subject)
            ledger.note(subject, is_there=way == "in")
        elif step == "write":
            await ledger.write()
        else:
            store.refusing = step == "refuse"
        assert len(ledger) <= len(SUBJECTS)
    store.refusing = False
    await ledger.write()
    assert set((await ledger.load()).standing) == there
