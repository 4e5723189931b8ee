"""pusher-js against the auth endpoints of `tidings.auth` and a real server: every kind of channel, F6 and D11."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.agents import Agent
from tests.clients.conftest import APP, Start
from tests.fixtures.fix_auth_app import MASTER, running_app
from tests.fixtures.fix_publish import publish as post
from tidings.auth import Auth
from tidings.testing.process import ServerProcess

SUCCEEDED, FAILED = "pusher:subscription_succeeded", "pusher:subscription_error"


@pytest.fixture(scope="module")
def auth() -> Auth:
    return Auth(APP.key, APP.secret, encryption_master_key=MASTER)


@pytest.fixture(scope="module")
def backend(auth: Auth) -> Iterator[str]:
    with running_app(auth) as address:
        yield address


@pytest.fixture
def client(agent: Start, backend: str) -> Start:
    """`client("ada")`: pusher-js with that session."""

    def start(session: str, **options: Any) -> Agent:
        started = agent("node/signed_in.mjs", session=session, backend=backend, **options)
        started.wait_for(state="connected")
        return started

    return start


def join(agent: Agent, channel: str) -> None:
    agent.do("subscribe", channel=channel)
    agent.wait_for(channel=channel, event=SUCCEEDED)


def refused(agent: Agent, channel: str) -> Any:
    agent.do("subscribe", channel=channel)
    return agent.wait_for(channel=channel, event=FAILED)["data"]["status"]


def publish(server: ServerProcess, channel: str, data: Any, event: str = "said") -> None:
    answer = post(server.url, APP.id, APP.key, APP.secret, channel, event, data)
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("kind", ["private-", "private-cache-", "presence-", "presence-cache-"])
@pytest.mark.parametrize("family", ["smith", "jones"])
def test_d11_user_in_two_families_hears_both(
    client: Start, server: ServerProcess, kind: str, family: str
) -> None:
    ada = client("ada")
    join(ada, f"{kind}family-{family}")
    publish(server, f"{kind}family-{family}", {"of": family})
    assert ada.wait_for(channel=f"{kind}family-{family}", event="said")["data"] == {"of": family}


def test_f6_without_a_session_and_without_membership(client: Start) -> None:
    assert refused(client("nobody"), "private-family-smith") == 401
    bob = client("bob")
    assert refused(bob, "private-family-smith") == 403
    assert refused(bob, "presence-family-smith") == 403
    assert refused(bob, "private-encrypted-family-smith") == 403
    assert refused(bob, "private-other-jones") == 403
    join(bob, "private-family-jones")


@pytest.mark.parametrize(
    "channel", ["private-encrypted-family-jones", "private-encrypted-cache-family-jones"]
)
def test_an_encrypted_event_is_read_by_members(
    client: Start, server: ServerProcess, auth: Auth, channel: str
) -> None:
    ada, bob = client("ada"), client("bob")
    for one in (ada, bob):
        join(one, channel)
    secret = {"text": "grüße", "n": [1, 2]}
    publish(server, channel, auth.encrypt(channel, secret))
    for one in (ada, bob):
        assert one.wait_for(channel=channel, event="said")["data"] == secret


def test_what_another_sdk_encrypts_is_read_too(client: Start, agent: Start) -> None:
    ada = client("ada")
    join(ada, "private-encrypted-family-smith")
    sdk = agent("node/encrypting_sdk.mjs", master=base64.b64encode(MASTER).decode())
    answer = sdk.ask("trigger", channel="private-encrypted-family-smith", event="said", data={"a": 1})
    assert answer["status"] == 200
    assert ada.wait_for(channel="private-encrypted-family-smith", event="said")["data"] == {"a": 1}


def test_members_are_those_the_back_end_names(client: Start) -> None:
    ada = client("ada")
    join(ada, "presence-family-jones")
    bob = client("bob")
    bob.do("subscribe", channel="presence-family-jones")
    members = bob.wait_for(channel="presence-family-jones", event=SUCCEEDED)["data"]
    assert members == {"1": {"name": "Ada"}, "2": {"name": "Bob"}}
    added = ada.wait_for(channel="presence-family-jones", event="pusher:member_added")["data"]
    assert added == {"id": "2", "info": {"name": "Bob"}}


def test_a_client_event_names_its_sender_by_what_was_signed(client: Start) -> None:
    ada, bob = client("ada"), client("bob")
    for one in (ada, bob):
        join(one, "presence-family-jones")
    bob.do("trigger", channel="presence-family-jones", event="client-typing", data={"on": True})
    heard = ada.wait_for(channel="presence-family-jones", event="client-typing")
    assert heard["data"] == {"on": True}


def test_signing_in_opens_the_users_own_channel(client: Start, server: ServerProcess) -> None:
    ada = client("ada")
    ada.do("signin")
    assert ada.wait(lambda seen: "signedIn" in seen)["signedIn"] == "1"
    ada.wait_for(own=True)
    publish(server, "#server-to-user-1", {"to": "ada"}, event="hello")
    assert ada.wait_for(user="hello")["data"] == {"to": "ada"}


def test_the_watchlist_of_the_user_is_followed(client: Start) -> None:
    ada = client("ada")
    ada.do("signin")
    ada.wait(lambda seen: "signedIn" in seen)
    bob = client("bob")
    bob.do("signin")
    bob.wait(lambda seen: "signedIn" in seen)
    assert ada.wait_for(watchlist="online")["data"]["user_ids"] == ["2"]


def test_signing_in_without_a_session_is_refused(client: Start) -> None:
    stranger = client("nobody")
    stranger.do("signin")
    assert stranger.wait(lambda seen: "signedIn" in seen)["signedIn"] is None
