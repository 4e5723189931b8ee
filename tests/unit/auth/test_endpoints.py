"""The endpoints without a framework: who is let in, and what each form is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.auth.forms import CASES, FORM, KEY, RULES, SECRET, SOCKET, USERS, auth, form
from tidings.auth import MemberInfo, User
from tidings.auth.endpoints import Answer, Endpoints, drive, drive_async, functions_of, read_form, wrap
from tidings.commands import Grant
from tidings.errors import ConfigError, Refusal
from tidings.ids import ChannelName, SessionId
from tidings.protocols.pusher.signatures import PusherSignature


def endpoints(may: Any = RULES) -> Endpoints:
    return Endpoints(auth(), user=lambda request: USERS.get(request), may=may)


def ask(session: str | None, body: bytes, may: Any = RULES) -> Answer:
    return drive(endpoints(may).channel(session, FORM, body))


def verified(answer: Answer, channel: str) -> Grant:
    told = json.loads(answer.body)
    proof = PusherSignature(told["auth"], told.get("channel_data"))
    return proof.verify({KEY: SECRET}, SessionId(SOCKET), ChannelName(channel))


@pytest.mark.parametrize(("session", "body", "status"), CASES)
def test_f6_each_form_has_its_status(session: str | None, body: bytes, status: int) -> None:
    assert ask(session, body).status == status


def test_what_is_refused_says_no_more_than_that() -> None:
    assert ask(None, form()).body == b"Unauthorized"
    assert ask("bob", form()).body == b"Forbidden"


@pytest.mark.parametrize("family", ["smith", "jones"])
def test_d11_user_in_two_families_is_authorised(family: str) -> None:
    channel = f"private-family-{family}"
    answer = ask("ada", form(channel))
    assert answer.status == 200
    verified(answer, channel)


def test_members_are_shown_as_the_user_or_as_the_application_says() -> None:
    hall = verified(ask("ada", form("presence-hall")), "presence-hall").member
    assert hall is not None
    assert (hall.user, json.loads(hall.info)) == ("1", {"name": "Ada"})
    masked = verified(ask("ada", form("presence-masked")), "presence-masked").member
    assert masked is not None
    assert (masked.user, json.loads(masked.info)) == ("anonymous", {"name": "hidden"})


def test_an_encrypted_channel_comes_with_its_secret() -> None:
    assert "shared_secret" in json.loads(ask("ada", form("private-encrypted-family-jones")).body)


def test_one_function_may_decide_on_all_channels() -> None:
    asked: list[tuple[str, str]] = []

    def may(user: User, channel: str) -> bool | MemberInfo | None:
        asked.append((user.id, channel))
        return None if channel.endswith("no") else MemberInfo()

    assert ask("ada", form("private-yes"), may).status == 200
    assert ask("ada", form("private-no"), may).status == 403
    assert asked == [("1", "private-yes"), ("1", "private-no")]


def test_an_open_channel_is_never_asked_about() -> None:
    def never(user: User, channel: str) -> bool:
        raise AssertionError(channel)

    assert ask("ada", form("open"), never).status == 403


def test_signing_in() -> None:
    users = {"ada": User("1", {"name": "Ada"}, ["2"]), "": User("")}
    both = Endpoints(auth(), user=lambda request: users.get(request), may=RULES)
    answer = drive(both.user("ada", FORM, form(None)))
    told = json.loads(answer.body)
    assert told == auth().user(SOCKET, {"id": "1", "user_info": {"name": "Ada"}, "watchlist": ["2"]})
    assert drive(both.user("nobody", FORM, form(None))).status == 401
    assert drive(both.user("ada", FORM, form(None, "1:2"))).status == 400
    assert drive(both.user("", FORM, form(None))).status == 400


def test_a_form_may_be_an_object() -> None:
    body = json.dumps({"socket_id": SOCKET, "channel_name": "private-family-smith"}).encode()
    steps = endpoints().channel("ada", "application/json; charset=utf-8", body)
    assert drive(steps).status == 200


@pytest.mark.parametrize("body", [b"", b"[]", b'{"socket_id":1}', b"\xff", b'{"a":{}}'])
def test_another_object_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        read_form("application/json", body)
    assert refused.value.reason.status == 400


def test_a_flood_of_fields_is_refused() -> None:
    with pytest.raises(Refusal):
        read_form(FORM, b"&".join(b"f%d=" % n for n in range(60)))


async def test_asynchronous_functions_are_awaited() -> None:
    async def user(request: str) -> User | None:
        return USERS.get(request)

    async def may(user: User, channel: str) -> bool:
        return user.id == "1"

    both = Endpoints(auth(), user=user, may=may)
    assert (await drive_async(both.channel("ada", FORM, form()))).status == 200
    assert (await drive_async(both.channel("bob", FORM, form()))).status == 403
    assert (await drive_async(both.channel("eve", FORM, form()))).status == 401


def test_rules_that_cannot_be_are_refused_at_once() -> None:
    for rules in ({}, {"private-{": None, "private-{a}-{a}": None}):
        with pytest.raises(ConfigError):
            endpoints(rules)


def test_functions_can_be_wrapped_and_listed() -> None:
    def may(user: User, channel: str) -> bool:
        return True

    def user(request: Any) -> None: ...

    assert functions_of(user, may) == (user, may)
    assert functions_of(user, {"a": may, "b": may}) == (user, may, may)
    assert wrap(may, lambda function: user) is user
    assert wrap({"a": may}, lambda function: user) == {"a": user}


@pytest.mark.parametrize("verdict", [0, 1, "", "yes", [], [1], {}, object(), None, False])
def test_only_a_plain_yes_or_a_member_opens(verdict: object) -> None:
    may = {"private-{name}": lambda user, channel, name: verdict}
    assert ask("ada", form("private-x"), may).status == 403


async def test_a_plain_function_that_gives_a_coroutine_is_awaited_to_its_end() -> None:
    async def deny(user: User) -> bool:
        return False

    may = {"private-{name}": lambda user, channel, name: deny(user)}
    steps = endpoints(may).channel("ada", FORM, form("private-x"))
    assert (await drive_async(steps)).status == 403
    with pytest.raises(TypeError, match="async def"):
        ask("ada", form("private-x"), may)
