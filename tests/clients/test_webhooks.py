"""Webhooks of a real server about what pusher-js does, read by the official server SDKs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.agents import Agent
from tests.clients.conftest import APP, Start
from tests.fixtures.fix_receiver import Got, Receiver, receiving
from tidings.testing.process import ServerProcess

SUCCEEDED = "pusher:subscription_succeeded"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


class Configured(ServerProcess):
    """A server whose app comes from a file: `--app` would take the place of its list."""

    def command(self) -> list[str]:
        whole = super().command()
        at = whole.index("--app")
        return whole[:at] + whole[at + 2 :]


@pytest.fixture(scope="module")
def server(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("server")
    config = folder / "tidings.toml"
    config.write_text(
        f'[[apps]]\nid = "{APP.id}"\n'
        f'keys = [{{ key = "{APP.key}", secret = "{APP.secret}" }}, {{ key = "older", secret = "old" }}]\n'
        f'webhooks = [{{ url = "{receiver.url}", allow_private = true, '
        "batch = { events = 100, seconds = 0.2 } }]\n"
    )
    with Configured(folder / "data", app=APP, arguments=("--config", str(config))) as running:
        yield running


@pytest.fixture(scope="module")
def requests(
    receiver: Receiver, server: ServerProcess, tmp_path_factory: pytest.TempPathFactory
) -> list[Got]:
    """What the server sent while a pusher-js came, spoke and went."""
    options = {
        "appId": APP.id,
        "key": APP.key,
        "secret": APP.secret,
        "host": server.host,
        "port": server.port,
        "user": "7",
        "info": {"name": "Ada"},
    }
    log = tmp_path_factory.mktemp("agent") / "agent.err"
    with Agent("node/pusher_js.mjs", options, log) as client:
        for channel in ("presence-room", "cache-news"):
            client.do("subscribe", channel=channel)
            client.wait_for(channel=channel, event=SUCCEEDED)
        client.do("trigger", channel="presence-room", event="client-typing", data={"said": 'ä "quoted"'})
        receiver.wait(lambda: "client_event" in names(receiver.events))
    receiver.wait(lambda: names(receiver.events).count("channel_vacated") == 2)
    receiver.wait(lambda: "member_removed" in names(receiver.events))
    return list(receiver.taken)


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["name"] for event in events]


@pytest.fixture(params=["node/read_webhook.mjs", "python/read_webhook.py"], ids=["node", "python"])
def reader(agent: Start, request: pytest.FixtureRequest) -> Agent:
    started = agent(request.param)
    started.wait_for(ready=True)
    return started


def test_the_sdk_finds_every_request_valid_and_reads_what_happened(
    reader: Agent, requests: list[Got]
) -> None:
    events = []
    for got in requests:
        answer = reader.ask("read", headers=headers_of(got), body=got.body.decode())
        assert answer["valid"] is True
        assert abs(answer["time"] / 1000 - time.time()) < 600
        events += answer["events"]
    assert sorted(names(events)) == [
        "cache_miss",
        "channel_occupied",
        "channel_occupied",
        "channel_vacated",
        "channel_vacated",
        "client_event",
        "member_added",
        "member_removed",
    ]
    (said,) = [event for event in events if event["name"] == "client_event"]
    assert (said["channel"], said["event"], said["user_id"]) == ("presence-room", "client-typing", "7")
    assert said["data"] == '{"said":"ä \\"quoted\\""}'


def test_the_newest_key_signs(requests: list[Got]) -> None:
    assert {got.headers["x-pusher-key"] for got in requests} == {APP.key}


def test_the_sdk_refuses_a_request_that_was_changed(reader: Agent, requests: list[Got]) -> None:
    got = requests[0]
    forged = got.body.decode().replace("channel", "chanel")
    assert reader.ask("read", headers=headers_of(got), body=forged)["valid"] is False
    stale = {**headers_of(got), "x-pusher-signature": "0" * 64}
    assert reader.ask("read", headers=stale, body=got.body.decode())["valid"] is False


def headers_of(got: Got) -> dict[str, str]:
    return dict(got.headers)
