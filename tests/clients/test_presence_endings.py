"""Presence with pusher-js when tabs close in any order, a client is cut, or the server dies: one join, one leave."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.clients import local
from tests.clients.agents import Agent
from tests.clients.conftest import Start
from tidings.node.limits import Limits
from tidings.testing.process import ServerProcess

SUCCEEDED, ADDED, REMOVED = "pusher:subscription_succeeded", "pusher:member_added", "pusher:member_removed"
JS = "node/pusher_js.mjs"


def join(agent: Agent, channel: str) -> None:
    agent.do("subscribe", channel=channel)
    agent.wait_for(channel=channel, event=SUCCEEDED)


def members(agent: Agent, channel: str) -> list[str]:
    agent.do("members", channel=channel)
    return sorted(agent.wait(lambda seen: "members" in seen)["members"])


def comings(agent: Agent, channel: str) -> list[tuple[str, Any]]:
    return [
        (seen["event"], seen["data"]["id"])
        for seen in agent.seen(channel=channel)
        if seen["event"] in (ADDED, REMOVED)
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_three_tabs_closed_in_any_order_are_one_join_and_one_leave(
    agent: Start, order: tuple[int, ...]
) -> None:
    channel = "presence-tabs-" + "".join(map(str, order))
    watcher = agent(JS, user="watcher")
    join(watcher, channel)
    tabs = [agent(JS, user="bob") for _ in range(3)]
    for tab in tabs:
        join(tab, channel)
    for at in order:
        assert members(watcher, channel) == ["bob", "watcher"]
        assert comings(watcher, channel) == [(ADDED, "bob")]
        tabs[at].do("disconnect")
        tabs[at].wait_for(state="disconnected")
    watcher.wait_for(channel=channel, event=REMOVED)
    assert members(watcher, channel) == ["watcher"]
    assert comings(watcher, channel) == [(ADDED, "bob"), (REMOVED, "bob")]


def test_a_client_that_dies_without_a_goodbye_leaves_once(agent: Start) -> None:
    watcher, cut = agent(JS, user="watcher"), agent(JS, user="bob")
    for one in (watcher, cut):
        join(one, "presence-cut")
    cut.kill()
    watcher.wait_for(event=REMOVED)
    assert members(watcher, "presence-cut") == ["watcher"]
    assert comings(watcher, "presence-cut") == [(ADDED, "bob"), (REMOVED, "bob")]


def test_a_client_that_falls_silent_leaves_once(agent: Start) -> None:
    limits = Limits(connects_per_second=0.0, activity_seconds=1, pong_seconds=1.0)
    with local.server(limits) as found:
        watcher, frozen = (agent(JS, user=user, **local.there(found)) for user in ("watcher", "bob"))
        for one in (watcher, frozen):
            join(one, "presence-silent")
        frozen.freeze()
        watcher.wait_for(event=REMOVED)
        assert members(watcher, "presence-silent") == ["watcher"]
        assert comings(watcher, "presence-silent") == [(ADDED, "bob"), (REMOVED, "bob")]
        frozen.thaw()
        assert frozen.wait_for(state="connecting")  # 4201: it returns by itself
        frozen.wait_for(channel="presence-silent", event=SUCCEEDED)
        watcher.wait_for(event=ADDED)


def test_after_the_server_was_killed_everybody_is_there_once(server: ServerProcess, agent: Start) -> None:
    channel = "presence-killed"
    users = ["ada", "bob", "bob", "eve"]
    clients = [agent(JS, user=user) for user in users]
    for client in clients:
        join(client, channel)
    server.kill9()
    for client in clients:
        client.wait(lambda seen: seen.get("state") in ("connecting", "unavailable"))
    server.restart()
    for client in clients:
        client.wait_for(channel=channel, event=SUCCEEDED)
    late = agent(JS, user="late")
    join(late, channel)
    for client in clients:
        client.wait(lambda seen: seen.get("event") == ADDED and seen["data"]["id"] == "late")
        assert members(client, channel) == ["ada", "bob", "eve", "late"]
        again = comings(client, channel)
        assert all(again.count((ADDED, user)) <= 2 for user in ("ada", "bob", "eve"))
        assert (REMOVED, "bob") not in again  # nobody left
    sdk = agent("node/server_sdk.mjs")
    sdk.wait_for(ready=True)
    body = sdk.ask("users", name=channel)["body"]
    assert sorted(body.count(f'"{user}"') for user in ("ada", "bob", "eve", "late")) == [1, 1, 1, 1]
