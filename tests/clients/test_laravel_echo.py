"""Laravel Echo, unmodified, against a real server: listen, private, join and whisper."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.clients.agents import Agent
from tests.clients.conftest import Start


@pytest.fixture
def echo(agent: Start) -> Agent:
    return agent("node/laravel_echo.mjs")


def publish(publisher: Agent, channel: str, event: str, **params: Any) -> None:
    answer = publisher.ask("trigger", channels=[channel], event=event, data={"id": 7}, params=params)
    assert (answer["status"], json.loads(answer["body"])) == (200, {}), answer


@pytest.mark.parametrize(
    ("kind", "prefix"), [("channel", ""), ("private", "private-"), ("join", "presence-")]
)
@pytest.mark.parametrize(
    ("listened", "published"),
    [
        ("OrderShipped", "App\\Events\\OrderShipped"),
        ("Orders.Shipped", "App\\Events\\Orders\\Shipped"),
        (".orders.shipped", "orders.shipped"),
    ],
)
def test_listening_hears_events_by_their_names(
    echo: Agent, publisher: Agent, kind: str, prefix: str, listened: str, published: str
) -> None:
    echo.do("listen", kind=kind, name="orders", event=listened)
    echo.wait_for(subscribed="orders")
    publish(publisher, f"{prefix}orders", published)
    assert echo.wait_for(name="orders", event=listened)["data"] == {"id": 7}


def test_joining_tells_who_is_here_and_who_comes_and_goes(agent: Start) -> None:
    ada = agent("node/laravel_echo.mjs", user="ada", info={"name": "Ada"})
    ada.do("presence", name="room")
    assert ada.wait(lambda seen: "here" in seen)["here"] == [{"name": "Ada"}]
    bob = agent("node/laravel_echo.mjs", user="bob", info={"name": "Bob"})
    bob.do("presence", name="room")
    here = bob.wait(lambda seen: "here" in seen)["here"]
    assert sorted(member["name"] for member in here) == ["Ada", "Bob"]
    assert ada.wait(lambda seen: "joining" in seen)["joining"] == {"name": "Bob"}
    bob.do("leave", name="room")
    assert ada.wait(lambda seen: "leaving" in seen)["leaving"] == {"name": "Bob"}


@pytest.mark.parametrize("kind", ["private", "join"])
def test_a_whisper_reaches_the_others(agent: Start, kind: str) -> None:
    ada, bob = agent("node/laravel_echo.mjs", user="ada"), agent("node/laravel_echo.mjs", user="bob")
    for echo in (ada, bob):
        echo.do("whispers", kind=kind, name="typing", event="typing")
        echo.wait_for(subscribed="typing")
    ada.do("whisper", name="typing", event="typing", data={"on": True})
    assert bob.wait_for(whisper="typing")["data"] == {"on": True}
    bob.do("whisper", name="typing", event="typing", data={"on": False})
    assert ada.wait_for(whisper="typing")["data"] == {"on": False}
    assert len(ada.seen(whisper="typing")) == 1


def test_an_event_to_others_leaves_out_the_socket_that_is_named(agent: Start, publisher: Agent) -> None:
    ada, bob = agent("node/laravel_echo.mjs"), agent("node/laravel_echo.mjs")
    socket = ada.wait(lambda seen: "socket" in seen)["socket"]
    for echo in (ada, bob):
        for event in (".mine", ".everyones"):
            echo.do("listen", kind="private", name="others", event=event)
        echo.wait_for(subscribed="others")
    publish(publisher, "private-others", "mine", socket_id=socket)
    publish(publisher, "private-others", "everyones")
    for echo in (ada, bob):
        echo.wait_for(name="others", event=".everyones")
    assert len(bob.seen(event=".mine")) == 1
    assert ada.seen(event=".mine") == []


def test_an_encrypted_channel_is_read(agent: Start) -> None:
    master = base64.b64encode(bytes(32)).decode()
    echo, sdk = agent("node/laravel_echo.mjs", master=master), agent("node/server_sdk.mjs", master=master)
    sdk.wait_for(ready=True)
    echo.do("listen", kind="encryptedPrivate", name="orders", event=".shipped")
    echo.wait_for(subscribed="orders")
    publish(sdk, "private-encrypted-orders", "shipped")
    assert echo.wait_for(name="orders", event=".shipped")["data"] == {"id": 7}


def test_the_last_event_of_a_cache_channel_greets_a_newcomer(echo: Agent, publisher: Agent) -> None:
    publish(publisher, "private-cache-orders", "shipped")
    echo.do("listen", kind="private", name="cache-orders", event=".shipped")
    assert echo.wait_for(name="cache-orders", event=".shipped")["data"] == {"id": 7}


def test_a_private_channel_may_be_refused(echo: Agent) -> None:
    echo.do("listen", kind="private", name="forged", event=".a")
    assert echo.wait_for(refused="forged")["error"]["type"] == "AuthError"
