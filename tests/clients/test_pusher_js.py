"""pusher-js, unmodified, against a real server: channels of each kind, client events, presence, coming back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.agents import Agent
from tests.clients.conftest import Start
from tidings.testing.process import ServerProcess

SUCCEEDED = "pusher:subscription_succeeded"


def join(agent: Agent, channel: str) -> None:
    agent.do("subscribe", channel=channel)
    agent.wait_for(channel=channel, event=SUCCEEDED)


def publish(publisher: Agent, channel: str, event: str = "said", data: Any = "{}", **params: Any) -> None:
    answer = publisher.ask("trigger", channels=[channel], event=event, data=data, params=params)
    assert (answer["status"], json.loads(answer["body"])) == (200, {}), answer


@pytest.fixture
def client(agent: Start) -> Agent:
    return agent("node/pusher_js.mjs")


@pytest.mark.parametrize(
    "channel", ["orders", "cache-orders", "private-orders", "private-cache-orders", "presence-orders"]
)
def test_an_event_reaches_a_subscriber(client: Agent, publisher: Agent, channel: str) -> None:
    join(client, channel)
    publish(publisher, channel, "order-shipped", {"id": 7})
    assert client.wait_for(channel=channel, event="order-shipped")["data"] == {"id": 7}


@pytest.mark.parametrize("event", ["orders.shipped", "App\\Events\\OrderShipped", ".dotted", "ä ö"])
def test_event_names_arrive_as_they_are(client: Agent, publisher: Agent, event: str) -> None:
    join(client, "names")
    publish(publisher, "names", event)
    client.wait_for(channel="names", event=event)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("hello", "hello"),
        ('"quoted"', "quoted"),
        ("1", 1),
        ("null", None),
        ('{"a":[1,{"b":"é"}]}', {"a": [1, {"b": "é"}]}),
    ],
)
def test_data_is_what_was_published(client: Agent, publisher: Agent, text: str, value: Any) -> None:
    join(client, "data")
    publish(publisher, "data", "said", text)
    assert client.wait_for(channel="data", event="said").get("data") == value


def test_many_events_come_once_each_and_in_order(client: Agent, publisher: Agent) -> None:
    join(client, "order")
    for number in range(100):
        publish(publisher, "order", "numbered", {"n": number})
    client.wait(lambda seen: seen.get("event") == "numbered" and seen["data"]["n"] == 99)
    assert [seen["data"]["n"] for seen in client.seen(event="numbered")] == list(range(100))


def test_a_signature_that_does_not_fit_is_refused_for_its_channel_alone(
    client: Agent, publisher: Agent
) -> None:
    client.do("subscribe", channel="private-forged")
    refusal = client.wait_for(channel="private-forged", event="pusher:subscription_error")
    assert (refusal["data"]["type"], refusal["data"]["status"]) == ("AuthError", 401)
    join(client, "private-honest")
    publish(publisher, "private-honest")
    client.wait_for(channel="private-honest", event="said")


def test_the_application_may_refuse(client: Agent) -> None:
    client.do("subscribe", channel="private-forbidden")
    refusal = client.wait_for(channel="private-forbidden", event="pusher:subscription_error")
    assert refusal["data"]["status"] == 403


def test_an_unsubscribed_channel_is_silent(client: Agent, publisher: Agent) -> None:
    join(client, "left")
    join(client, "kept")
    client.do("unsubscribe", channel="left")
    join(client, "later")  # answered after the server has handled the frame before it
    publish(publisher, "left")
    publish(publisher, "kept")
    client.wait_for(channel="kept", event="said")
    assert client.seen(channel="left", event="said") == []


def test_the_socket_that_caused_an_event_does_not_get_it(agent: Start, publisher: Agent) -> None:
    sender, other = agent("node/pusher_js.mjs"), agent("node/pusher_js.mjs")
    socket = sender.wait_for(state="connected")["socket"]
    for client in (sender, other):
        join(client, "excluding")
    publish(publisher, "excluding", "mine", socket_id=socket)
    publish(publisher, "excluding", "everyones")
    for client in (sender, other):
        client.wait_for(channel="excluding", event="everyones")
    assert len(other.seen(channel="excluding", event="mine")) == 1
    assert sender.seen(channel="excluding", event="mine") == []


# ── presence


def test_members_see_one_another_come_and_go(agent: Start) -> None:
    ada = agent("node/pusher_js.mjs", user="ada", info={"name": "Ada"})
    join(ada, "presence-room")
    bob = agent("node/pusher_js.mjs", user=10, info={"name": "Bob"})  # a number, shown as text
    join(bob, "presence-room")
    bob.do("members", channel="presence-room")
    assert bob.wait_for(count=2) == {
        "members": {"ada": {"name": "Ada"}, "10": {"name": "Bob"}},
        "count": 2,
        "me": "10",
    }
    added = ada.wait_for(channel="presence-room", event="pusher:member_added")
    assert added["data"] == {"id": "10", "info": {"name": "Bob"}}
    bob.do("unsubscribe", channel="presence-room")
    assert ada.wait_for(event="pusher:member_removed")["data"] == {"id": "10", "info": {"name": "Bob"}}


def test_a_user_with_two_tabs_joins_once_and_leaves_once(agent: Start) -> None:
    watcher = agent("node/pusher_js.mjs", user="watcher")
    join(watcher, "presence-tabs")
    tabs = [agent("node/pusher_js.mjs", user="bob") for _ in range(2)]
    for tab in tabs:
        join(tab, "presence-tabs")
    tabs[0].do("unsubscribe", channel="presence-tabs")
    join(tabs[0], "done")
    tabs[1].do("unsubscribe", channel="presence-tabs")
    watcher.wait_for(event="pusher:member_removed")
    events = [seen["event"] for seen in watcher.seen(channel="presence-tabs")]
    assert events == [SUCCEEDED, "pusher:member_added", "pusher:member_removed"]


# ── client events


def test_a_client_event_reaches_the_others_and_names_its_sender(agent: Start) -> None:
    ada, bob = agent("node/pusher_js.mjs", user="ada"), agent("node/pusher_js.mjs", user="bob")
    for client in (ada, bob):
        join(client, "presence-typing")
    bob.do("senders", channel="presence-typing", event="client-typing")
    bob.wait_for(bound="client-typing")
    ada.do("trigger", channel="presence-typing", event="client-typing", data={"on": True})
    assert bob.wait_for(sent="client-typing")["sender"] == "ada"
    assert bob.seen(event="client-typing")[0]["data"] == {"on": True}
    bob.do("trigger", channel="presence-typing", event="client-answer", data="ok")
    assert ada.wait_for(event="client-answer")["data"] == "ok"
    assert ada.seen(event="client-typing") == []


def test_client_events_above_the_rate_are_an_error_and_the_connection_stays(
    client: Agent, publisher: Agent
) -> None:
    join(client, "private-flood")
    for number in range(40):
        client.do("trigger", channel="private-flood", event="client-a", data={"n": number})
    assert client.wait(lambda seen: "error" in seen)["error"]["code"] == 4301
    publish(publisher, "private-flood")
    client.wait_for(channel="private-flood", event="said")


def test_a_client_event_on_a_public_channel_is_an_error(client: Agent) -> None:
    join(client, "public")
    client.do("trigger", channel="public", event="client-a", data={})
    assert client.wait(lambda seen: "error" in seen)["error"]["code"] is None


# ── coming back


@pytest.mark.parametrize("gently", [True, False], ids=["drained", "killed"])
def test_a_client_comes_back_by_itself_after_a_restart(
    server: ServerProcess, client: Agent, publisher: Agent, gently: bool
) -> None:
    join(client, "presence-back")
    if gently:
        assert server.terminate() == 0
    else:
        server.kill9()
    client.wait(lambda seen: seen.get("state") in ("connecting", "unavailable"))
    server.restart()
    client.wait_for(channel="presence-back", event=SUCCEEDED)
    publish(publisher, "presence-back")
    client.wait_for(channel="presence-back", event="said")


def test_a_client_with_a_name_in_its_path_gets_what_it_missed(agent: Start, publisher: Agent) -> None:
    client = agent("node/pusher_js.mjs", wsPath="/c/tab-1")
    join(client, "missed")
    publish(publisher, "missed", "first")
    client.wait_for(event="first")
    client.do("disconnect")
    client.wait_for(state="disconnected")
    publish(publisher, "missed", "second")
    publish(publisher, "missed", "third")
    client.do("connect")
    client.wait_for(channel="missed", event=SUCCEEDED)
    client.wait_for(event="third")
    events = [seen["event"] for seen in client.seen(channel="missed")]
    first, *again, second, third = events[1:]
    assert (first, second, third) == ("first", "second", "third")
    assert again in (
        [SUCCEEDED],
        [SUCCEEDED, "first"],
    )  # repeated where its arrival was not proved before the break
