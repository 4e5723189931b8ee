"""Cache and encrypted channels and subscription counts with pusher-js, unmodified."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.clients import local
from tests.clients.agents import Agent
from tests.clients.conftest import Start

SUCCEEDED = "pusher:subscription_succeeded"
JS = "node/pusher_js.mjs"
MASTER = base64.b64encode(bytes(range(32))).decode()


def join(agent: Agent, channel: str) -> None:
    agent.do("subscribe", channel=channel)
    agent.wait_for(channel=channel, event=SUCCEEDED)


def events(agent: Agent, channel: str) -> list[tuple[str, Any]]:
    return [(seen["event"], seen.get("data")) for seen in agent.seen(channel=channel)][1:]


def trigger(sdk: Agent, channel: str, data: Any) -> None:
    answer = sdk.ask("trigger", channels=[channel], event="said", data=data)
    assert (answer["status"], json.loads(answer["body"])) == (200, {})


@pytest.mark.parametrize("form", ["cache", "private-cache", "presence-cache", "private-encrypted-cache"])
def test_the_last_event_is_given_first_and_none_is_a_miss(agent: Start, form: str) -> None:
    channel = f"{form}-prices"
    sdk, early = agent("node/server_sdk.mjs", master=MASTER), agent(JS, master=MASTER)
    sdk.wait_for(ready=True)
    join(early, channel)
    early.wait_for(channel=channel, event="pusher:cache_miss")
    for number in range(3):
        trigger(sdk, channel, {"n": number})
    early.wait(lambda seen: seen.get("data") == {"n": 2})
    late = agent(JS, user="8", master=MASTER)
    join(late, channel)
    late.wait_for(channel=channel, event="said")
    assert events(late, channel)[:1] == [("said", {"n": 2})]
    answer = sdk.ask("channel", name=channel, params={"info": "cache"})
    cached = json.loads(answer["body"])["cache"]
    assert 1700 < cached["ttl"] <= 1800
    if "encrypted" in form:
        assert json.loads(cached["data"]).keys() == {"nonce", "ciphertext"}
    else:
        assert json.loads(cached["data"]) == {"n": 2}


def test_client_events_are_not_kept(agent: Start) -> None:
    sender, late = agent(JS), agent(JS)
    join(sender, "private-cache-whispers")
    sender.do("trigger", channel="private-cache-whispers", event="client-a", data={})
    sender.wait_for(triggered=True)
    join(late, "private-cache-whispers")
    late.wait_for(channel="private-cache-whispers", event="pusher:cache_miss")


def test_an_encrypted_event_is_relayed_as_it_is(agent: Start) -> None:
    sdk, client = agent("node/server_sdk.mjs", master=MASTER), agent(JS, master=MASTER)
    plain = agent("python/server_sdk.py")
    sdk.wait_for(ready=True)
    plain.wait_for(ready=True)
    join(client, "private-encrypted-room")
    trigger(sdk, "private-encrypted-room", {"secret": "ä"})
    assert client.wait_for(channel="private-encrypted-room", event="said")["data"] == {"secret": "ä"}


def test_subscribers_are_told_how_many_they_are(agent: Start) -> None:
    with local.server(subscription_count=True) as found:
        first, second = (agent(JS, user=user, **local.there(found)) for user in "12")
        join(first, "counted")
        assert first.wait_for(event="pusher:subscription_count")["data"] == {"subscription_count": 1}
        join(second, "counted")
        for client in (first, second):
            assert client.wait_for(event="pusher:subscription_count")["data"] == {"subscription_count": 2}
        second.do("unsubscribe", channel="counted")
        assert first.wait_for(event="pusher:subscription_count")["data"] == {"subscription_count": 1}
        join(first, "presence-counted")
        join(first, "after")
        assert first.seen(channel="presence-counted", event="pusher:subscription_count") == []
