"""The `pusher` server SDKs for Node and Python, unmodified, against a real server: publishing and asking."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.agents import Agent
from tests.clients.conftest import Start

SUCCEEDED = "pusher:subscription_succeeded"


def ask(sdk: Agent, command: str, **fields: Any) -> Any:
    answer = sdk.ask(command, **fields)
    assert answer["status"] == 200, answer
    return json.loads(answer["body"])


@pytest.fixture
def client(agent: Start) -> Agent:
    return agent("node/pusher_js.mjs")


def join(client: Agent, *channels: str) -> None:
    for channel in channels:
        client.do("subscribe", channel=channel)
        client.wait_for(channel=channel, event=SUCCEEDED)


def test_success_is_an_empty_object(sdk: Agent) -> None:
    assert ask(sdk, "trigger", channels=["nobody"], event="said", data={"to": "nobody"}) == {}


def test_one_event_goes_to_several_channels(sdk: Agent, client: Agent) -> None:
    join(client, "one", "two")
    assert ask(sdk, "trigger", channels=["one", "two"], event="said", data={"n": 1}) == {}
    for channel in ("one", "two"):
        assert client.wait_for(channel=channel, event="said")["data"] == {"n": 1}


def test_a_batch_arrives_in_order(sdk: Agent, client: Agent) -> None:
    join(client, "batch-a", "batch-b")
    batch = [
        {"channel": f"batch-{letter}", "name": "said", "data": json.dumps({"n": n})}
        for n, letter in enumerate("abbaab")
    ]
    assert ask(sdk, "batch", batch=batch) == {}
    client.wait(lambda seen: seen.get("event") == "said" and seen["data"]["n"] == 5)
    assert [seen["data"]["n"] for seen in client.seen(event="said")] == list(range(6))


def test_channels_and_users_can_be_asked_for(sdk: Agent, agent: Start) -> None:
    clients = [agent("node/pusher_js.mjs", user=user) for user in ("ada", "bob", "bob")]
    for client in clients:
        join(client, "presence-asked")
    join(clients[0], "asked")
    assert {"asked", "presence-asked"} <= ask(sdk, "channels", params={})["channels"].keys()
    params = {"filter_by_prefix": "presence-asked", "info": "user_count"}
    assert ask(sdk, "channels", params=params) == {"channels": {"presence-asked": {"user_count": 2}}}
    params = {"info": "user_count,subscription_count"}
    assert ask(sdk, "channel", name="presence-asked", params=params) == {
        "occupied": True,
        "user_count": 2,
        "subscription_count": 3,
    }
    assert ask(sdk, "channel", name="empty", params={}) == {"occupied": False}
    users = ask(sdk, "users", name="presence-asked")["users"]
    assert sorted(user["id"] for user in users) == ["ada", "bob"]


@pytest.mark.parametrize(
    ("command", "fields", "status"),
    [
        ("users", {"name": "public"}, 400),
        ("channel", {"name": "public", "params": {"info": "user_count"}}, 400),
        ("channels", {"params": {"info": "user_count"}}, 400),
        ("trigger", {"channels": ["a"], "event": "pusher:error", "data": "{}"}, 400),
        ("batch", {"batch": [{"channel": "a", "name": "b", "data": "{}"}] * 11}, 400),
    ],
)
def test_what_is_wrong_is_told_with_pushers_status(
    sdk: Agent, command: str, fields: dict[str, Any], status: int
) -> None:
    answer = sdk.ask(command, **fields)
    assert answer["status"] == status
    assert answer["body"].strip()


def test_too_much_data_is_told_with_the_limit(agent: Start) -> None:
    sdk = agent("node/server_sdk.mjs")  # the Python SDK has a lower limit of its own
    sdk.wait_for(ready=True)
    answer = sdk.ask("trigger", channels=["a"], event="said", data="x" * 200_000)
    assert answer["status"] == 413
    assert "limit" in answer["body"]


@pytest.mark.parametrize("script", ["node/server_sdk.mjs", "python/server_sdk.py"])
@pytest.mark.parametrize(
    ("wrong", "status"), [({"secret": "wrong"}, 401), ({"key": "wrong"}, 401), ({"appId": "404"}, 404)]
)
def test_who_is_not_the_app_is_refused(agent: Start, script: str, wrong: dict[str, str], status: int) -> None:
    sdk = agent(script, **wrong)
    sdk.wait_for(ready=True)
    assert sdk.ask("trigger", channels=["a"], event="said", data="{}")["status"] == status
