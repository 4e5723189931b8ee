"""The webhooks of a node, with a sender that is a list, a clock that is a number, and a store that outlives both."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.unit.node.builders import Clock, settings
from tests.unit.node.webhooks.builders import APP, URL, occurred
from tidings.engines.memory import MemoryEngine
from tidings.engines.memory.webhooks import MemoryStore
from tidings.errors import EngineUnavailable
from tidings.ids import AppId
from tidings.node.apps import AppSettings
from tidings.node.node import Node
from tidings.node.webhooks import service as module
from tidings.node.webhooks.hold import HOLD_SECONDS, RESTART_SECONDS
from tidings.node.webhooks.letters import Outcome
from tidings.node.webhooks.queue import RETRY_SECONDS
from tidings.node.webhooks.sender import Mail
from tidings.node.webhooks.service import Webhooks
from tidings.node.webhooks.settings import BatchSettings, WebhookSettings

OTHER = "https://other.example/hook"
PATIENCE = 30.0


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """These waits are of the real clock; what they are for shows with short ones as well."""
    for name, seconds in {"REWRITE_SECONDS": 0.01, "STOP_SECONDS": 0.05, "GATHER_SECONDS": 0.001}.items():
        monkeypatch.setattr(module, name, seconds)


class Post:
    """A sender that keeps what it is given and answers as told."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.answer: Callable[[Mail], Outcome | None] = lambda mail: Outcome(delivered=True)
        self.closed = False

    async def send(self, mail: Mail) -> Outcome:
        self.mails.append(mail)
        outcome = self.answer(mail)
        if outcome is None:
            await asyncio.Event().wait()  # a receiver that hangs
        assert outcome is not None
        return outcome

    async def close(self) -> None:
        self.closed = True

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for mail in self.mails for event in json.loads(mail.body)["events"]]


class Rig:
    """A node with webhooks, not started: the node is needed for its apps and metrics alone."""

    def __init__(
        self, *webhooks: WebhookSettings, store: MemoryStore | None = None, clock: Clock | None = None
    ) -> None:
        self.store = store or MemoryStore()
        self.clock = clock or Clock()
        self.post = Post()
        self.node = make_node(settings(webhooks=webhooks or (WebhookSettings(url=URL),)))
        self.webhooks = Webhooks(
            self.node,
            self.store,
            lambda: self.post,  # type: ignore[arg-type, return-value]
            wall=self.clock,
            clock=self.clock,
        )

        self.turns = 0
        send_ready = self.webhooks._send_ready

        def turn() -> None:
            self.turns += 1
            send_ready()

        self.webhooks._send_ready = turn  # type: ignore[method-assign]

    def tell(self, *args: Any, **given: Any) -> None:
        self.webhooks.observe(occurred(*args, **given))

    def go_on(self, seconds: float) -> None:
        self.clock.now += seconds
        self.webhooks._woken.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                await asyncio.sleep(0.001)

    async def idle(self) -> None:
        """Until all that was told has been dealt with, as far as this moment goes: two whole turns of the task."""
        for _ in range(2):
            turns = self.turns
            self.webhooks._woken.set()
            await self.until(lambda turns=turns: self.turns > turns)  # type: ignore[misc]
        await self.until(lambda: not self.webhooks._intake)

    def dead(self) -> list[dict[str, Any]]:
        return self.webhooks.dead_letters(APP, after=None, limit=1000)[0]

    def metric(self, name: str, app: str = APP) -> float | None:
        return self.node.metrics.registry.get_sample_value(f"tidings_webhook_{name}", {"app": app})


def make_node(*apps: AppSettings) -> Node:
    return Node(apps, MemoryEngine(), by_name=lambda name: None)  # type: ignore[arg-type, return-value]


@asynccontextmanager
async def running(*webhooks: WebhookSettings, **given: Any) -> AsyncIterator[Rig]:
    rig = Rig(*webhooks, **given)
    await rig.webhooks.start()
    try:
        yield rig
    finally:
        await rig.webhooks.stop()


# ── sending


async def test_what_happens_is_sent_and_forgotten() -> None:
    async with running() as rig:
        rig.tell("channel_occupied", "a")
        await rig.until(lambda: rig.metric("events_sent_total") == 1)
        assert rig.post.events == [{"name": "channel_occupied", "channel": "a"}]
        (mail,) = rig.post.mails
        assert (mail.key, mail.secret, mail.webhook.url) == ("key", "secret", URL)
        await rig.idle()
        assert [key[0] for key, _ in await rig.store.load()] == ["s"]
        assert rig.metric("events_waiting") == 0


async def test_each_webhook_gets_what_it_wants() -> None:
    only = WebhookSettings(url=OTHER, events=("client_event",), channels=("private-*",))
    async with running(WebhookSettings(url=URL), only) as rig:
        rig.tell("client_event", "private-a", event="client-x", data=b"1")
        rig.tell("client_event", "presence-a", event="client-x", data=b"1")
        await rig.until(lambda: len(rig.post.mails) == 3)
        assert sorted(mail.webhook.url for mail in rig.post.mails) == sorted([URL, URL, OTHER])


async def test_an_app_without_webhooks_costs_nothing() -> None:
    rig = Rig()
    rig.node = make_node(settings())
    rig.webhooks._node = rig.node
    rig.tell("channel_occupied")
    assert not rig.webhooks._intake


async def test_the_newest_key_signs() -> None:
    rig = Rig()
    rig.webhooks._node = make_node(
        AppSettings(id=APP, keys={"new": "s2", "old": "s1"}, webhooks=(WebhookSettings(url=URL),))
    )
    await rig.webhooks.start()
    rig.tell("channel_occupied")
    await rig.until(lambda: bool(rig.post.mails))
    await rig.webhooks.stop()
    assert (rig.post.mails[0].key, rig.post.mails[0].secret) == ("new", "s2")


async def test_a_batch_goes_together() -> None:
    batch = WebhookSettings(url=URL, batch=BatchSettings(events=10, seconds=5.0))
    async with running(batch) as rig:
        for at in range(10):
            rig.tell("channel_occupied", f"c{at}")
        await rig.until(lambda: len(rig.post.events) == 10)
        assert len(rig.post.mails) == 1


# ── the hold


async def test_a_page_that_is_left_and_opened_again_is_not_told() -> None:
    async with running() as rig:
        rig.tell("channel_occupied")
        rig.tell("channel_vacated")
        await rig.idle()
        rig.go_on(HOLD_SECONDS - 0.1)
        await rig.idle()
        rig.tell("channel_occupied")
        await rig.idle()
        rig.go_on(HOLD_SECONDS)
        await rig.idle()
        assert [event["name"] for event in rig.post.events] == ["channel_occupied"]
        rig.tell("channel_vacated")
        await rig.idle()
        rig.go_on(HOLD_SECONDS)
        await rig.until(lambda: len(rig.post.events) == 2)
        assert rig.post.events[1]["name"] == "channel_vacated"


# ── failing


async def test_what_fails_is_retried_with_the_same_id_until_it_arrives() -> None:
    async with running() as rig:
        rig.post.answer = lambda mail: Outcome(delivered=len(rig.post.mails) > 3, reason="answered 500")
        rig.tell("channel_occupied")
        for tries in (1, 2, 3, 4):
            await rig.until(lambda tries=tries: len(rig.post.mails) == tries)  # type: ignore[misc]
            await rig.idle()
            rig.go_on(61.0)
        await rig.until(lambda: rig.metric("events_sent_total") == 1)
        assert len({mail.id for mail in rig.post.mails}) == 1
        assert len({mail.body for mail in rig.post.mails}) == 1
        assert len({mail.timestamp for mail in rig.post.mails}) == 4
        assert (rig.metric("attempts_failed_total"), rig.metric("attempts_repeated_total")) == (3, 3)


async def give_up(rig: Rig, count: int) -> None:
    """Let time pass until so many events are in the dead-letter list."""
    async with asyncio.timeout(PATIENCE):
        while len(rig.dead()) < count:
            await rig.idle()
            rig.go_on(RETRY_SECONDS)


async def test_after_five_minutes_it_lies_in_the_dead_letters_with_its_reason() -> None:
    async with running() as rig:
        rig.post.answer = lambda mail: Outcome(delivered=False, reason="answered 500")
        rig.tell("channel_occupied", "a")
        await give_up(rig, 1)
        (row,) = rig.dead()
        assert (row["url"], row["reason"]) == (URL, "answered 500")
        assert row["tries"] >= 2
        assert json.loads(bytes(row["event"])) == {"name": "channel_occupied", "channel": "a"}
        assert (rig.metric("events_dead_total"), rig.metric("dead_letters")) == (1, 1)
        assert rig.metric("events_waiting") == 0


async def test_dead_letters_are_replayed_with_their_ids() -> None:
    async with running() as rig:
        rig.post.answer = lambda mail: Outcome(delivered=False, reason="answered 500")
        for channel in "abc":
            rig.tell("channel_occupied", channel)
        await give_up(rig, 3)
        ids = [row["id"] for row in rig.dead()]
        rig.post.mails.clear()
        rig.post.answer = lambda mail: Outcome(delivered=True)
        assert await rig.webhooks.replay(APP, [ids[1]]) == 1
        await rig.until(lambda: len(rig.post.mails) == 1)
        assert rig.post.mails[0].id == ids[1]
        assert await rig.webhooks.replay(APP, None) == 2
        await rig.until(lambda: len(rig.post.mails) == 3)
        assert {mail.id for mail in rig.post.mails} == set(ids)
        assert rig.dead() == []
        assert await rig.webhooks.replay(APP, ids) == 0


async def test_a_webhook_that_is_no_longer_configured_ends_in_the_dead_letters() -> None:
    async with running() as rig:
        rig.post.answer = lambda mail: Outcome(delivered=False, reason="answered 500")
        rig.tell("channel_occupied", "a")
        await rig.until(lambda: len(rig.post.mails) == 1)
        rig.webhooks._node = make_node(settings())
        await give_up(rig, 1)
        assert rig.dead()[0]["reason"] == module.UNKNOWN


async def test_a_fault_while_sending_is_a_failed_attempt(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as rig:

        def broken(mail: Mail) -> Outcome:
            raise RuntimeError("a fault of ours")

        rig.post.answer = broken
        rig.tell("channel_occupied", "a")
        await give_up(rig, 1)
        assert rig.dead()[0]["reason"] == "RuntimeError while sending"


async def test_an_event_that_cannot_be_encoded_is_stated_and_harms_no_other() -> None:
    async with running() as rig:
        rig.tell("client_event", "private-a", event="client-x", data=b"\xff")
        rig.tell("client_event", "private-a", event="client-x", data=b"1")
        await rig.until(lambda: len(rig.post.mails) == 1)
        assert [(row["reason"], row["lost"]) for row in rig.dead()] == [(module.BROKEN, 1)]


async def test_a_receiver_that_is_down_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running(WebhookSettings(url="https://example.com/secret-path?token=canary")) as rig:
        rig.post.answer = lambda mail: Outcome(delivered=False, reason="answered 500")
        for at in range(20):
            rig.tell("channel_occupied", f"c{at}")
        await give_up(rig, 20)
        rig.post.answer = lambda mail: Outcome(delivered=True)
        rig.tell("channel_occupied", "x")
        await rig.until(lambda: rig.metric("events_sent_total") == 1)
    told = [record.getMessage() for record in caplog.records]
    assert [told.count(one) for one in ("webhook_failing", "webhook_given_up", "webhook_recovered")] == [
        1,
        1,
        1,
    ]
    assert "canary" not in repr([record.__dict__ for record in caplog.records])


# ── bounds


async def test_what_comes_faster_than_it_is_taken_is_lost_and_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INTAKE", 10)
    async with running() as rig:
        for at in range(25):
            rig.tell("channel_occupied", f"c{at}")
        await rig.until(lambda: len(rig.post.mails) == 10)
        await rig.idle()
        (row,) = rig.dead()
        assert (row["lost"], row["reason"], row["url"]) == (15, module.OVERFLOW, None)
        assert rig.metric("events_lost_total") == 15
        rig.tell("channel_occupied", "later")
        await rig.until(lambda: len(rig.post.mails) == 11)


async def test_a_flood_of_one_app_does_not_cost_another_its_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INTAKE", 10)
    rig = Rig()
    hook = (WebhookSettings(url=URL),)
    second = AppSettings(id=AppId("2"), keys={"k2": "s"}, webhooks=hook)
    rig.webhooks._node = rig.node = make_node(settings(webhooks=hook), second)
    for at in range(100):
        rig.tell("channel_occupied", f"c{at}")
    rig.tell("channel_occupied", "quiet", app=second.id)
    await rig.webhooks.start()
    await rig.until(lambda: any(mail.app == second.id for mail in rig.post.mails))
    await rig.idle()
    assert rig.webhooks.dead_letters(second.id, after=None, limit=10) == ([], False)
    await rig.webhooks.stop()


async def test_what_waits_for_a_url_is_bounded_and_the_rest_is_stated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tidings.node.webhooks.queue.MAX_WAITING", 5)
    async with running(WebhookSettings(url=URL), WebhookSettings(url=OTHER)) as rig:
        rig.post.answer = lambda mail: None if mail.webhook.url == URL else Outcome(delivered=True)
        for at in range(20):
            rig.tell("client_event", "private-a", event=f"client-{at}", data=b"1")
            await rig.idle()
        assert [(row["lost"], row["url"], row["reason"]) for row in rig.dead()] == [(15, URL, module.FULL)]
        assert sum(mail.webhook.url == OTHER for mail in rig.post.mails) == 20
        assert await rig.webhooks.replay(APP, [rig.dead()[0]["id"]]) == 0
        assert rig.dead() == []


async def test_observing_never_waits_and_never_raises() -> None:
    """Structural: it is a plain function that only appends, whatever the receiver or the store do."""
    async with running() as rig:
        rig.post.answer = lambda mail: None
        assert not asyncio.iscoroutinefunction(rig.webhooks.observe)
        for at in range(3 * module.MAX_INTAKE):
            rig.tell("client_event", "private-a", event=f"client-{at}", data=b"1")
        assert len(rig.webhooks._intake) == module.MAX_INTAKE
        rig.webhooks._intake.clear()


# ── the store


async def test_what_was_not_delivered_is_sent_after_a_restart_with_the_same_id() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        rig.post.answer = lambda mail: Outcome(delivered=False, reason="answered 500")
        for at in range(3):
            rig.tell("client_event", "private-a", event=f"client-{at}", data=b"1")
        await rig.until(lambda: len(rig.post.mails) == 1)
        first = rig.post.mails[0]
    async with running(store=store) as rig:
        await rig.until(lambda: rig.metric("events_sent_total") == 3)
        assert (rig.post.mails[0].id, rig.post.mails[0].body) == (first.id, first.body)
        assert [event["event"] for event in rig.post.events] == ["client-0", "client-1", "client-2"]
        await rig.idle()
    assert await store.load() == []


async def test_dead_letters_and_losses_outlive_a_restart() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        rig.post.answer = lambda mail: Outcome(delivered=False, reason="answered 500")
        rig.tell("channel_occupied", "a")
        rig.tell("client_event", "private-a", event="client-x", data=b"\xff")
        await give_up(rig, 2)
        before = rig.dead()
    async with running(store=store) as rig:
        assert rig.dead() == before
        assert rig.metric("dead_letters") == 2
        assert await rig.webhooks.replay(APP, None) == 1
        await rig.until(lambda: len(rig.post.mails) == 1)
        await rig.idle()
    assert [key[0] for key, _ in await store.load()] == ["l", "s"]


async def test_after_a_crash_who_does_not_come_back_is_told_as_gone() -> None:
    store = MemoryStore()
    async with running(store=store) as rig:
        rig.tell("channel_occupied", "presence-a")
        rig.tell("member_added", "presence-a", user="ann")
        rig.tell("member_added", "presence-a", user="bob")
        await rig.until(lambda: rig.metric("events_sent_total") == 3)
        await rig.idle()
    async with running(store=store) as rig:
        rig.tell("channel_occupied", "presence-a")
        rig.tell("member_added", "presence-a", user="ann")
        await rig.idle()
        rig.go_on(RESTART_SECONDS - 0.1)
        await rig.idle()
        assert rig.post.events == []
        rig.go_on(0.2)
        await rig.until(lambda: len(rig.post.mails) == 1)
        assert rig.post.events == [{"name": "member_removed", "channel": "presence-a", "user_id": "bob"}]


class Refusing(MemoryStore):
    """A store whose disk is full until told otherwise."""

    full = True

    async def write(self, changes: Mapping[str, bytes | None]) -> None:
        if self.full:
            raise EngineUnavailable("the disk is full", full=True)
        await super().write(changes)


async def test_a_store_that_refuses_stops_nothing_and_is_caught_up_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Refusing()
    async with running(store=store) as rig:
        rig.post.answer = lambda mail: None
        rig.tell("channel_occupied", "a")
        await rig.until(lambda: len(rig.post.mails) == 1)
        assert await store.load() == []
        store.full = False
        rig.go_on(2.0)
        await rig.until(lambda: bool(store._kept))
        assert [key[0] for key, _ in await store.load()] == ["s", "w"]
    assert [r.getMessage() for r in caplog.records].count("webhooks_not_kept") == 1


async def test_while_the_store_refuses_what_is_delivered_does_not_pile_up() -> None:
    store = Refusing()
    async with running(store=store) as rig:
        for at in range(200):
            rig.tell("client_event", "private-a", event=f"client-{at}", data=b"1")
            rig.tell("channel_occupied", f"c{at}")
        await rig.until(lambda: rig.metric("events_sent_total") == 400)
        for at in range(200):
            rig.tell("channel_vacated", f"c{at}")
        await rig.idle()
        rig.go_on(HOLD_SECONDS)
        await rig.until(lambda: rig.metric("events_sent_total") == 600)
        await rig.idle()
        assert len(rig.webhooks._ledger) == 0


async def test_a_fault_of_one_turn_does_not_end_the_webhooks(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as rig:
        ready = rig.webhooks._queue.ready
        faults = iter([RuntimeError("a fault of ours")])

        def broken(now: float) -> Any:
            for fault in faults:
                raise fault
            return ready(now)

        monkeypatch.setattr(rig.webhooks._queue, "ready", broken)
        rig.tell("channel_occupied", "a")
        await rig.idle()
        rig.tell("channel_occupied", "b")
        await rig.until(lambda: len(rig.post.events) == 2)


async def test_stopping_writes_down_what_was_just_told_and_cuts_what_hangs() -> None:
    store = MemoryStore()
    rig = Rig(store=store)
    await rig.webhooks.start()
    rig.post.answer = lambda mail: None
    rig.tell("client_event", "private-a", event="client-1", data=b"1")
    await rig.until(lambda: len(rig.post.mails) == 1)
    rig.tell("client_event", "private-a", event="client-2", data=b"1")
    await rig.webhooks.stop()
    await rig.webhooks.stop()
    assert rig.post.closed
    assert len(await store.load()) == 2
