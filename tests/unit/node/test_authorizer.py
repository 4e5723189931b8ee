"""Rights: tokens with all that can be wrong with them, hooks by pattern, and what a presence channel needs besides."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest

from tests.unit.node.builders import SECRET, by_name, settings, token
from tidings.commands import Grant
from tidings.errors import Refusal
from tidings.ids import ChannelName, SessionId, UserId
from tidings.node.apps import App
from tidings.node.authorizer import MAX_TOKEN, Authorizer, Identity, Visitor

NOW = 1_700_000_000.0
SESSION = SessionId("1.2")


@pytest.fixture
def app() -> App:
    return App(settings(), by_name, lambda hub: None)


def claims(**given: Any) -> dict[str, Any]:
    return {"sub": "ada", "exp": NOW + 60, "channels": ["private-*"], **given}


def by_hand(header: dict[str, Any], payload: dict[str, Any], signature: str = "") -> str:
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header, payload)
    ]
    return ".".join([*parts, signature])


def test_a_good_token_says_who_and_what(app: App) -> None:
    identity = Authorizer().identify(
        app, token(NOW, channels=["private-a"], publish=["b"], info={"n": 1}), NOW
    )
    assert identity == Identity(
        user=UserId("ada"), subscribe=("private-a",), publish=("b",), info=b'{"n":1}', expires=NOW + 60
    )


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "x",
        "a.b.c",
        "x" * (MAX_TOKEN + 1),
        jwt.encode(claims(), SECRET + "x", algorithm="HS256"),
        jwt.encode(claims(), SECRET * 2, algorithm="HS512"),
        jwt.encode(claims(exp=NOW - 60), SECRET, algorithm="HS256"),
        jwt.encode(claims(exp=NOW - 3), SECRET, algorithm="HS256"),
        jwt.encode(claims(exp=float("nan")), SECRET, algorithm="HS256"),
        jwt.encode(claims(exp="soon"), SECRET, algorithm="HS256"),
        jwt.encode(claims(iat=NOW + 600), SECRET, algorithm="HS256"),
        jwt.encode(claims(nbf=[]), SECRET, algorithm="HS256"),
        jwt.encode({"sub": "ada"}, SECRET, algorithm="HS256"),
        jwt.encode(claims(nbf=NOW + 600), SECRET, algorithm="HS256"),
        jwt.encode(claims(channels="private-*"), SECRET, algorithm="HS256"),
        jwt.encode(claims(channels=[1]), SECRET, algorithm="HS256"),
        jwt.encode(claims(channels=["x"] * 101), SECRET, algorithm="HS256"),
        jwt.encode(claims(), SECRET, algorithm="HS256", headers={"crit": ["unknown"]}),
        jwt.encode(claims(sub="x\ud800"), SECRET, algorithm="HS256"),
        jwt.encode(claims(sub="x" * 129), SECRET, algorithm="HS256"),
        jwt.encode(claims(sub=["ada"]), SECRET, algorithm="HS256"),
        jwt.encode(claims(exp=10**400), SECRET, algorithm="HS256"),
        jwt.encode(claims(info="\ud800"), SECRET, algorithm="HS256"),
        jwt.encode(claims(info="x" * 2000), SECRET, algorithm="HS256"),
        jwt.encode(claims(info=json.loads("[" * 33 + "]" * 33)), SECRET, algorithm="HS256"),
        jwt.encode(claims(channels=["\ud800"]), SECRET, algorithm="HS256"),
        by_hand({"alg": "none"}, claims()),
        by_hand({"alg": "HS256"}, claims()),
        by_hand({"alg": "HS256", "jwk": {"k": "x"}}, claims(), "AAAA"),
        jwt.encode(claims(), SECRET, algorithm="HS256")[:-2],
    ],
)  # fmt: skip
def test_a_bad_token_is_refused(app: App, bad: str) -> None:
    with pytest.raises(Refusal) as refused:
        Authorizer().identify(app, bad, NOW)
    assert refused.value.name == "bad_token"


def test_an_app_without_a_secret_takes_no_token() -> None:
    bare = App(settings(), by_name, lambda hub: None)
    bare.settings = type(bare.settings)(id=bare.id, keys={"k": "s"})
    with pytest.raises(Refusal, match="no jwt_secret"):
        Authorizer().identify(bare, token(NOW), NOW)


async def grant(app: App, channel: str, authorizer: Authorizer, identity: Identity | None = None) -> Grant:
    return await authorizer.subscribe(app, Visitor(), identity, ChannelName(channel), None, SESSION)


async def test_public_channels_are_open_and_others_are_not(app: App) -> None:
    assert await grant(app, "news", Authorizer()) == Grant()
    for channel in ("private-x", "presence-x"):
        with pytest.raises(Refusal) as refused:
            await grant(app, channel, Authorizer())
        assert refused.value.name == "not_authenticated"


async def test_a_hook_decides_on_what_fits_its_pattern_and_gets_the_names(app: App) -> None:
    asked: list[tuple[str, str]] = []

    async def member(visitor: Visitor, family: str, room: str) -> str | None:
        asked.append((family, room))
        return "ada" if family == "1" else None

    authorizer = Authorizer()
    authorizer.add_hook("private-family-{family}-room-{room}", member)
    assert (await grant(app, "private-family-1-room-2", authorizer)).user == "ada"
    with pytest.raises(Refusal) as refused:
        await grant(app, "private-family-9-room-2", authorizer)
    assert refused.value.name == "forbidden"
    with pytest.raises(Refusal) as unknown:
        await grant(app, "private-other", authorizer)
    assert unknown.value.name == "not_authenticated"
    assert asked == [("1", "2"), ("9", "2")]


async def test_presence_needs_a_user(app: App) -> None:
    async def anybody(visitor: Visitor, room: str) -> bool:
        return True

    authorizer = Authorizer()
    authorizer.add_hook("presence-{room}", anybody)
    with pytest.raises(Refusal, match="needs a user"):
        await grant(app, "presence-x", authorizer)
    identity = Identity(user=UserId("ada"), subscribe=("presence-*",), expires=NOW + 60)
    granted = await grant(app, "presence-x", authorizer, identity)
    assert granted.member is not None
    assert granted.member.user == "ada"


@pytest.mark.parametrize("answer", [0, 1, "", [], [1], {}, 1.5])
async def test_a_hook_that_answers_anything_but_yes_a_name_or_a_grant_refuses(
    app: App, answer: object
) -> None:
    async def odd(visitor: Visitor, room: str) -> object:
        return answer

    authorizer = Authorizer()
    authorizer.add_hook("private-{room}", odd)
    with pytest.raises(Refusal) as refused:
        await grant(app, "private-x", authorizer)
    assert refused.value.name == "forbidden"
