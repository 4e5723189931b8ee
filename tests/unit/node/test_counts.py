"""Counts: who hears how many subscribers a channel has, and when. Time stands still unless a test moves it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.unit.node.builders import Clock, running, settings, settled
from tests.unit.node.pusher_clients import PusherClient
from tidings.node.counts import LARGE, PAUSE_SECONDS
from tidings.node.node import Node
from tidings.node.occurrences import Occurrence

COUNT = "pusher_internal:subscription_count"
ON = settings(subscription_count=True)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def join(node: Node, count: int, channel: str = "a") -> list[PusherClient]:
    clients = [PusherClient(node) for _ in range(count)]
    for client in clients:
        await client.subscribe(channel)
    await turns()
    return clients


def counts(client: PusherClient) -> list[Any]:
    return [frame["data"]["subscription_count"] for frame in client.frames(COUNT)]


async def test_subscribers_hear_how_many_they_are_after_their_success() -> None:
    async with running(ON) as node:
        clients = await join(node, 3)
        assert counts(clients[0])[-1] == 3
        assert clients[2].events("a") == ["pusher_internal:subscription_succeeded", COUNT]
        clients[2].close()
        await turns()
        assert counts(clients[0])[-1] == 2


async def test_a_number_is_told_once_for_a_burst() -> None:
    async with running(ON) as node:
        clients = await join(node, 10)
        before = counts(clients[0])
        for client in clients[5:]:
            client.close()
        await turns()
        assert counts(clients[0])[len(before) :] == [5]


@pytest.mark.parametrize("app", [settings(), ON], ids=["off", "on"])
async def test_presence_channels_and_apps_without_it_tell_none(app: Any) -> None:
    async with running(app) as node:
        client = PusherClient(node)
        await client.subscribe("presence-a", {"user_id": "1"})
        if app is not ON:
            await client.subscribe("a")
        await turns()
        assert counts(client) == []


async def test_a_large_channel_hears_it_seldom_and_the_last_number_always() -> None:
    clock = Clock(100.0)
    async with running(ON, clock=clock) as node:
        first = (await join(node, LARGE))[0]
        assert counts(first)[-1] == LARGE
        more = await join(node, 3)
        assert counts(first)[-1] == LARGE  # told just now, and now it is large
        clock.now += PAUSE_SECONDS - 0.1
        node.keeper.sweep()
        await turns()
        assert counts(first)[-1] == LARGE
        clock.now += 0.1
        node.keeper.sweep()
        await turns()
        assert counts(first)[-1] == LARGE + 3
        more[0].close()
        await turns()
        assert counts(first)[-1] == LARGE + 3
        more[1].close()
        clock.now += PAUSE_SECONDS
        node.keeper.sweep()
        await turns()
        assert counts(first)[-1] == LARGE + 1


async def test_nothing_is_remembered_of_an_empty_channel() -> None:
    async with running(ON) as node:
        for client in await join(node, 3):
            client.close()
        await turns()
        assert not node.counts._told
        assert not node.counts._changed


# ── what observers hear (pusher.md 4)


def seen(node: Node) -> list[Occurrence]:
    told: list[Occurrence] = []
    node.observe(told.append)
    return told


def kinds(told: list[Occurrence]) -> list[tuple[str, str, Any]]:
    return [(one.kind, one.channel, one.user or one.count or one.event) for one in told]


async def test_the_first_subscriber_occupies_and_the_last_vacates() -> None:
    async with running() as node:
        told = seen(node)
        first, second = await join(node, 2)
        await first.subscribe("b")
        first.close()
        second.close()
        assert kinds(told) == [
            ("channel_occupied", "a", None),
            ("channel_occupied", "b", None),
            ("channel_vacated", "b", None),
            ("channel_vacated", "a", None),
        ]


async def test_members_client_events_misses_and_counts_are_told() -> None:
    async with running(ON) as node:
        told = seen(node)
        tabs = [PusherClient(node), PusherClient(node)]
        for tab in tabs:
            await tab.subscribe("presence-a", {"user_id": "7"})
        await tabs[0].send("client-hi", {"a": 1}, channel="presence-a")
        await tabs[0].subscribe("cache-a")
        await turns()
        for tab in tabs:
            tab.close()
            await turns()
        assert sorted(kinds(told), key=str) == sorted(
            [
                ("channel_occupied", "presence-a", None),
                ("member_added", "presence-a", "7"),
                ("client_event", "presence-a", "7"),
                ("channel_occupied", "cache-a", None),
                ("cache_miss", "cache-a", None),
                ("subscription_count", "cache-a", 1),
                ("channel_vacated", "cache-a", None),
                ("member_removed", "presence-a", "7"),
                ("channel_vacated", "presence-a", None),
            ],
            key=str,
        )
        sent = next(one for one in told if one.kind == "client_event")
        assert (sent.event, sent.data, sent.session) == ("client-hi", b'{"a": 1}', tabs[0].session.id)


async def test_a_refused_subscriber_occupies_nothing_and_users_channels_are_not_told() -> None:
    async with running() as node:
        told = seen(node)
        client = PusherClient(node)
        await client.send("pusher:subscribe", {"channel": "private-a", "auth": "key:wrong"})
        await client.sign_in("7")
        await client.subscribe("#server-to-user-7")
        client.close()
        await settled(client.session)
        assert told == []


async def test_an_observer_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as node:

        def fails(occurrence: Occurrence) -> None:
            raise RuntimeError(occurrence.kind)

        node.observe(fails)
        told = seen(node)
        await join(node, 1)
        assert kinds(told) == [("channel_occupied", "a", None)]
        assert "observer_failed" in caplog.text
