"""What a back end signs: the vectors of the protocol, and nothing before its form is known."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode

import pytest

from tidings.auth.signing import Auth, is_signed
from tidings.commands import Grant
from tidings.errors import ConfigError, Refusal
from tidings.ids import ChannelName, SessionId
from tidings.protocols.pusher.signatures import PusherSignature

KEY, SECRET, SOCKET = "278d425bdf160c739803", "7ad3773142a6692b25b8", "1234.1234"
MASTER = bytes(range(32))


@pytest.fixture
def auth() -> Auth:
    return Auth(KEY, SECRET, encryption_master_key=MASTER)


def test_vector_of_a_private_channel(auth: Auth) -> None:
    signature = "58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
    assert auth.channel(SOCKET, "private-foobar") == {"auth": f"{KEY}:{signature}"}


def test_vector_of_a_presence_channel(auth: Auth) -> None:
    signed = auth.channel(SOCKET, "presence-foobar", user_id=10, user_info={"name": "Mr. Channels"})
    assert signed == {
        "auth": f"{KEY}:31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80",
        "channel_data": '{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
    }


def test_vector_of_a_user(auth: Auth) -> None:
    signature = "4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba"
    expected = {"auth": f"{KEY}:{signature}", "user_data": '{"id":"12345"}'}
    assert auth.user(SOCKET, {"id": "12345"}) == expected
    assert auth.user(SOCKET, {"id": 12345}) == expected


@pytest.mark.parametrize("channel", ["private-a", "presence-a", "private-encrypted-a", "private-cache-a"])
def test_the_server_accepts_what_was_signed(auth: Auth, channel: str) -> None:
    signed = auth.channel(SOCKET, channel, user_id="ada", user_info={"name": "Ädä"})
    proof = PusherSignature(signed["auth"], signed["channel_data"])
    grant = proof.verify({KEY: SECRET}, SessionId(SOCKET), ChannelName(channel))
    assert isinstance(grant, Grant)


def test_the_shared_secret_is_of_channel_and_master_key_and_is_not_signed(auth: Auth) -> None:
    signed = auth.channel(SOCKET, "private-encrypted-a")
    digest = hashlib.sha256(b"private-encrypted-a" + MASTER).digest()
    assert signed["shared_secret"] == b64encode(digest).decode()
    assert (
        signed["auth"]
        == Auth(KEY, SECRET, encryption_master_key=b"x" * 32).channel(SOCKET, "private-encrypted-a")["auth"]
    )


def test_an_encrypted_channel_needs_a_master_key() -> None:
    with pytest.raises(ConfigError, match="encryption_master_key"):
        Auth(KEY, SECRET).channel(SOCKET, "private-encrypted-a")


@pytest.mark.parametrize(
    "socket",
    ["", "1", "1.2.3", "1.2:private-other", "1.2\n", "a.b", "1.2:presence-x:{}", "\u0661.\u0662", " 1.2"],
)
def test_a_malformed_socket_id_is_never_signed(auth: Auth, socket: str) -> None:
    with pytest.raises(Refusal, match="socket_id"):
        auth.channel(socket, "private-a")
    with pytest.raises(Refusal, match="socket_id"):
        auth.user(socket, {"id": "7"})


@pytest.mark.parametrize(
    "channel",
    ["", "private-a:b", "private-a\n", "private-ä", "#server-to-user-7", "private-" + "a" * 200, "open"],
)
def test_a_name_that_is_malformed_or_open_is_never_signed(auth: Auth, channel: str) -> None:
    with pytest.raises(Refusal) as refused:
        auth.channel(SOCKET, channel)
    assert refused.value.name == "bad_channel"


@pytest.mark.parametrize("user", [None, "", True, 1.5, "x" * 129])
def test_a_presence_channel_needs_a_proper_user(auth: Auth, user: str | None) -> None:
    with pytest.raises(Refusal, match="user"):
        auth.channel(SOCKET, "presence-a", user_id=user)


def test_what_the_server_would_refuse_is_refused_where_it_is_signed(auth: Auth) -> None:
    with pytest.raises(Refusal) as large:
        auth.channel(SOCKET, "presence-a", user_id="1", user_info="x" * 2000)
    assert large.value.name == "member_too_large"
    with pytest.raises(Refusal) as surrogate:
        auth.channel(SOCKET, "presence-a", user_id="1", user_info="\ud800")
    assert surrogate.value.name == "bad_json"
    with pytest.raises(TypeError):
        auth.channel(SOCKET, "presence-a", user_id="1", user_info=object())


@pytest.mark.parametrize(
    "user", [{}, {"id": ""}, {"id": None}, {"id": "1", "watchlist": "23"}, {"id": "1", "watchlist": [2]}]
)
def test_a_user_that_clients_would_not_take_is_refused(auth: Auth, user: dict[str, object]) -> None:
    with pytest.raises(Refusal):
        auth.user(SOCKET, user)


def test_the_whole_user_is_signed(auth: Auth) -> None:
    user = {"id": "1", "user_info": {"name": "Ada"}, "watchlist": ["2", "3"]}
    assert json.loads(auth.user(SOCKET, user)["user_data"]) == user


def test_what_is_sealed_opens_again_for_its_channel_alone(auth: Auth) -> None:
    data = {"text": "höre", "n": [1, None]}
    sealed = auth.encrypt("private-encrypted-a", data)
    assert set(sealed) == {"nonce", "ciphertext"}
    assert auth.decrypt("private-encrypted-a", sealed) == data
    assert sealed != auth.encrypt("private-encrypted-a", data)
    for channel in ("private-encrypted-b", "private-a"):
        with pytest.raises(Refusal):
            auth.decrypt(channel, sealed)


def test_signatures_are_made_with_the_first_key_and_webhooks_checked_with_all() -> None:
    auth = Auth("new", "s2", older=[("old", "s1")])
    assert auth.channel(SOCKET, "private-a")["auth"].startswith("new:")
    body = b'{"time_ms":1,"events":[]}'
    from tidings.protocols.pusher.signatures import sign_webhook

    for key, secret in (("new", "s2"), ("old", "s1")):
        assert (
            auth.webhook({"X-Pusher-Key": key, "X-Pusher-Signature": sign_webhook(secret, body)}, body) == ()
        )
    with pytest.raises(Refusal):
        auth.webhook({"X-Pusher-Key": "old", "X-Pusher-Signature": sign_webhook("s2", body)}, body)


@pytest.mark.parametrize(("key", "secret"), [("", "s"), ("k", ""), ("k:x", "s")])
def test_a_pair_that_cannot_sign_is_refused(key: str, secret: str) -> None:
    with pytest.raises(ConfigError):
        Auth(key, secret)


def test_no_secret_is_shown(auth: Auth) -> None:
    assert repr(auth) == f"Auth('{KEY}')"


@pytest.mark.parametrize(
    ("name", "signed"),
    [
        ("private-a", True),
        ("presence-a", True),
        ("cache-a", False),
        ("a", False),
        ("#server-to-user-7", False),
    ],
)
def test_only_private_and_presence_names_are_signed(name: str, signed: bool) -> None:
    assert is_signed(name) is signed
