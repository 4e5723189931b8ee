"""pysher, unmodified, against a real server: it needs `data` as a string and signs for itself."""

from __future__ import annotations

import json

import pytest

from tests.clients.agents import Agent
from tests.clients.conftest import Start
from tidings.testing.process import ServerProcess

SUCCEEDED = "pusher_internal:subscription_succeeded"


@pytest.fixture
def client(agent: Start) -> Agent:
    started = agent("python/pysher_client.py", user="py", info={"name": "Py"})
    started.wait_for(state="connected")
    return started


def join(client: Agent, channel: str, *events: str) -> str:
    client.do("subscribe", channel=channel, events=events)
    return str(client.wait_for(channel=channel, event=SUCCEEDED)["data"])


@pytest.mark.parametrize("channel", ["py", "private-py", "presence-py"])
@pytest.mark.parametrize("text", ["hello", '"hello"', '{"a":  1}'])
def test_an_event_arrives_as_the_very_string(
    client: Agent, publisher: Agent, channel: str, text: str
) -> None:
    join(client, channel, "said")
    publisher.ask("trigger", channels=[channel], event="said", data=text)
    assert client.wait_for(channel=channel, event="said")["data"] == text


def test_a_presence_channel_lists_its_members(client: Agent) -> None:
    roster = json.loads(join(client, "presence-members"))
    assert roster == {"presence": {"ids": ["py"], "hash": {"py": {"name": "Py"}}, "count": 1}}


def test_it_meets_pusher_js(client: Agent, agent: Start) -> None:
    browser = agent("node/pusher_js.mjs", user="js")
    browser.do("subscribe", channel="presence-mixed")
    browser.wait_for(channel="presence-mixed", event="pusher:subscription_succeeded")
    join(client, "presence-mixed", "client-said")
    assert browser.wait_for(event="pusher:member_added")["data"] == {"id": "py", "info": {"name": "Py"}}
    browser.do("trigger", channel="presence-mixed", event="client-said", data={"from": "js"})
    assert json.loads(client.wait_for(event="client-said")["data"]) == {"from": "js"}
    client.do("trigger", channel="presence-mixed", event="client-said", data={"from": "py"})
    assert browser.wait_for(event="client-said")["data"] == {"from": "py"}


def test_it_comes_back_after_a_restart(server: ServerProcess, client: Agent, publisher: Agent) -> None:
    join(client, "py-back", "said")
    server.restart()
    client.wait_for(channel="py-back", event=SUCCEEDED)
    publisher.ask("trigger", channels=["py-back"], event="said", data="{}")
    client.wait_for(channel="py-back", event="said")


def test_the_last_event_of_a_cache_channel_greets_a_newcomer(client: Agent, publisher: Agent) -> None:
    publisher.ask("trigger", channels=["cache-py"], event="said", data={"n": 1})
    client.do("subscribe", channel="cache-py", events=["said", "pusher:cache_miss"])
    assert json.loads(client.wait_for(channel="cache-py", event="said")["data"]) == {"n": 1}


def test_a_refused_subscription_leaves_the_connection_and_its_channels(
    client: Agent, publisher: Agent
) -> None:
    client.do("subscribe", channel="#server-to-user-7", events=[])
    join(client, "py-still-there", "said")
    publisher.ask("trigger", channels=["py-still-there"], event="said", data="{}")
    client.wait_for(channel="py-still-there", event="said")
