"""Sign-in with pusher-js, unmodified: the user's own channel, watchlists, presence by sign-in, being terminated."""

from __future__ import annotations

import json

import pytest

from tests.clients import local
from tests.clients.agents import Agent
from tests.clients.conftest import Start
from tidings.node.limits import Limits
from tidings.testing.process import ServerProcess

SUCCEEDED = "pusher:subscription_succeeded"
JS = "node/pusher_js.mjs"


def sign_in(agent: Agent, user: str) -> None:
    agent.wait_for(state="connected")
    agent.do("signin")
    agent.wait_for(signedIn=user)
    agent.wait_for(ownChannel=True)


def join(agent: Agent, channel: str) -> None:
    agent.do("subscribe", channel=channel)
    agent.wait_for(channel=channel, event=SUCCEEDED)


def test_what_is_sent_to_a_user_reaches_every_connection_of_theirs_alone(agent: Start, sdk: Agent) -> None:
    tabs, other = [agent(JS, user="to-ada") for _ in range(2)], agent(JS, user="to-bob")
    for tab in tabs:
        sign_in(tab, "to-ada")
    sign_in(other, "to-bob")
    for user, number in (("to-ada", 1), ("to-bob", 2)):
        answer = sdk.ask("toUser", user=user, event="note", data={"n": number})
        assert (answer["status"], json.loads(answer["body"])) == (200, {})
    for tab in tabs:
        assert tab.wait_for(toUser="note")["data"] == {"n": 1}
    assert other.wait_for(toUser="note")["data"] == {"n": 2}
    assert [len(one.seen(toUser="note")) for one in (*tabs, other)] == [1, 1, 1]


def test_a_sign_in_that_does_not_fit_is_told_and_the_connection_stays(agent: Start, publisher: Agent) -> None:
    client = agent(JS, user="forger", forged=True)
    client.wait_for(state="connected")
    client.do("signin")
    assert client.wait(lambda seen: "error" in seen)["error"]["code"] == 4009
    join(client, "still-here")
    publisher.ask("trigger", channels=["still-here"], event="said", data="{}")
    client.wait_for(channel="still-here", event="said")
    assert client.seen(state="disconnected") == []


def test_a_watcher_hears_who_is_there_who_comes_and_who_goes(agent: Start) -> None:
    here = agent(JS, user="friend-here")
    sign_in(here, "friend-here")
    watcher = agent(JS, user="watcher", watchlist=["friend-here", "friend-late"])
    watcher.wait_for(state="connected")
    watcher.do("signin")
    assert watcher.wait_for(watchlist="online")["users"] == ["friend-here"]
    late = [agent(JS, user="friend-late") for _ in range(2)]
    for tab in late:
        sign_in(tab, "friend-late")
    assert watcher.wait_for(watchlist="online")["users"] == ["friend-late"]
    late[0].do("disconnect")
    here.do("disconnect")
    assert watcher.wait_for(watchlist="offline")["users"] == ["friend-here"]
    late[1].do("disconnect")
    assert watcher.wait_for(watchlist="offline")["users"] == ["friend-late"]
    assert len(watcher.seen(watchlist="online")) == 2


def test_a_watchlist_above_its_limit_is_an_error_and_the_connection_stays(agent: Start) -> None:
    client = agent(JS, user="curious", watchlist=[f"user-{n}" for n in range(101)])
    client.wait_for(state="connected")
    client.do("signin")
    assert client.wait(lambda seen: "error" in seen)["error"]["code"] == 4302
    join(client, "after-4302")
    assert client.seen(state="disconnected") == []


def test_a_presence_channel_may_take_its_member_from_the_sign_in(agent: Start) -> None:
    client = agent(JS, user="by-sign-in", info={"name": "Ada"}, bySignIn=True)
    sign_in(client, "by-sign-in")
    join(client, "presence-by-sign-in")
    client.do("members", channel="presence-by-sign-in")
    assert client.wait_for(count=1) == {
        "members": {"by-sign-in": {"name": "Ada"}},
        "count": 1,
        "me": "by-sign-in",
    }


def test_terminating_ends_the_users_connections_for_good_and_no_other(agent: Start, sdk: Agent) -> None:
    tabs, other = [agent(JS, user="ended") for _ in range(2)], agent(JS, user="spared")
    for tab in tabs:
        sign_in(tab, "ended")
    sign_in(other, "spared")
    answer = sdk.ask("terminate", user="ended")
    assert (answer["status"], json.loads(answer["body"])) == (200, {})
    for tab in tabs:
        tab.wait_for(state="disconnected")  # 4009: pusher-js does not come back by itself
    join(other, "still-connected")
    assert all(not tab.seen(state="connecting")[1:] for tab in tabs)


def test_a_client_signs_in_again_by_itself_after_a_restart(server: ServerProcess, agent: Start) -> None:
    client = agent(JS, user="back")
    sign_in(client, "back")
    server.restart()
    client.wait_for(state="connected")
    sdk = agent("node/server_sdk.mjs")
    sdk.wait_for(ready=True)
    for _ in range(100):  # until the sign-in and the subscription behind it are through
        sdk.ask("toUser", user="back", event="note", data={})
        if client.seen(toUser="note"):
            break
    client.wait_for(toUser="note")


@pytest.mark.parametrize("proof", ["none", "signin", "private"])
def test_an_app_may_want_every_connection_to_show_a_proof(agent: Start, proof: str) -> None:
    limits = Limits(connects_per_second=0.0, sign_in_seconds=1.0)
    with local.server(limits, require_sign_in=True) as found:
        client = agent(JS, user="7", **local.there(found))
        watch = agent(JS, user="8", **local.there(found))
        if proof == "signin":
            sign_in(client, "7")
        elif proof == "private":
            join(client, "private-a")
        else:
            join(client, "public")
        watch.wait_for(state="connected")
        watch.wait_for(state="disconnected")  # 4009, as it showed none
        if proof == "none":
            client.wait_for(state="disconnected")
        else:
            join(client, "public")
            assert client.seen(state="disconnected") == []
