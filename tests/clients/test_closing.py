"""How pusher-js takes each close code that this server sends (pusher.md 1.5): whether it comes back, and when."""

from __future__ import annotations

import time

import pytest

from tests.clients import local
from tests.clients.agents import Agent
from tests.clients.conftest import Start
from tidings.errors import Disconnect
from tidings.node.limits import Limits
from tidings.protocols.pusher.codes import CLOSE_CODES

SUCCEEDED = "pusher:subscription_succeeded"
JS = "node/pusher_js.mjs"
FOR_GOOD = {name for name, code in CLOSE_CODES.items() if 4000 <= code < 4100}
"""What a client does not come back from."""


def join(agent: Agent, channel: str) -> None:
    agent.do("subscribe", channel=channel)
    agent.wait_for(channel=channel, event=SUCCEEDED)


def test_a_key_of_no_app_is_for_good(agent: Start) -> None:
    client = agent(JS, key="nobodys")
    assert client.wait(lambda seen: "error" in seen)["error"]["code"] == 4001
    client.wait_for(state="disconnected")


@pytest.mark.parametrize("name", sorted(CLOSE_CODES))
def test_a_client_comes_back_where_the_code_lets_it(agent: Start, name: str) -> None:
    with local.server() as found:
        client = agent(JS, **local.there(found))
        client.wait_for(state="connected")
        (session,) = found.call(lambda: list(found.node.apps.default.sessions.values()))
        found.call(lambda: session.end(Disconnect(name)))
        if name in FOR_GOOD:
            client.wait_for(state="disconnected")
            assert client.seen(state="connecting") == []
        else:
            client.wait_for(state="connecting")
            client.wait_for(state="connected")


def test_a_server_that_is_full_is_tried_again(agent: Start) -> None:
    with local.server(Limits(connects_per_second=0.0, connections=1)) as found:
        first = agent(JS, **local.there(found))
        first.wait_for(state="connected")
        second = agent(JS, **local.there(found))
        assert second.wait(lambda seen: "error" in seen)["error"]["code"] == 4100
        first.do("disconnect")
        second.wait_for(state="connected")


def test_a_drain_spreads_those_who_return_at_once(agent: Start) -> None:
    with local.server() as found:
        clients = [agent(JS, **local.there(found)) for _ in range(4)]
        for client in clients:
            client.wait_for(state="connected")
        began = time.monotonic()
        found.wait(found.node.drain(2.0))
        assert time.monotonic() - began > 1.0  # three waits of half a second
        for client in clients:
            client.wait_for(state="connecting")
