"""One Pusher conversation: what is understood, refused and said. Clause by clause it is told in conformance/pusher."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tidings import commands, pushes
from tidings.commands import SignIn, Subscribe
from tidings.errors import Disconnect, Refusal, Unsubscription
from tidings.ids import ChannelName, SessionId, UserId
from tidings.messages import Message, Position
from tidings.presence import Member
from tidings.protocols.base import WireProtocol
from tidings.protocols.pusher.codes import close_code
from tidings.protocols.pusher.server import (
    MAX_CHANNEL_DATA,
    MAX_CLIENT_EVENT,
    PusherServer,
    SubscriptionRefusal,
    check_protocol,
)
from tidings.protocols.pusher.signatures import MAX_AUTH, PusherSignature, PusherUserSignature

HEAD = Position("1f2e3d4c", 42)
ROOM = ChannelName("private-room")


@pytest.fixture
def server() -> PusherServer:
    return PusherServer(client_events=True)


def frame(event: str, data: Any = None, **fields: Any) -> str:
    return json.dumps({"event": event, "data": data, **fields})


def refused(server: PusherServer, text: str | bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        server.receive(text)
    return caught.value


def said(server: PusherServer, push: pushes.Push) -> list[dict[str, Any]]:
    return [json.loads(payload) for payload in server.push(push)]


def test_it_is_a_wire_protocol(server: PusherServer) -> None:
    protocol: WireProtocol = server
    assert (protocol.name, protocol.subscribed_first, protocol.excludes_sender) == ("pusher", True, True)
    assert not protocol.one_way
    assert protocol.encoder is PusherServer(client_events=False).encoder


# ── opening


@pytest.mark.parametrize("protocol", ["5", "6", "7"])
def test_protocols_5_to_7_are_spoken(protocol: str) -> None:
    check_protocol({"protocol": protocol, "client": "js", "version": "8.6.0"})
    check_protocol({"protocol": protocol})


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, 4008),
        ({"protocol": ""}, 4008),
        ({"protocol": "4"}, 4007),
        ({"protocol": "8"}, 4007),
        ({"protocol": "7.0"}, 4007),
        ({"protocol": "x"}, 4007),
        ({"protocol": "7", "version": ""}, 4006),
        ({"protocol": "7", "version": "9" * 100}, 4006),
    ],
)
def test_another_protocol_ends_the_connection_with_its_code(query: dict[str, str], code: int) -> None:
    with pytest.raises(Disconnect) as ended:
        check_protocol(query)
    assert ended.value.name == "bad_protocol"
    assert close_code(ended.value)[0] == code


# ── from the client


def test_an_empty_auth_is_no_proof(server: PusherServer) -> None:
    for data in ({"channel": "a", "auth": ""}, {"channel": "a"}, {"channel": "a", "auth": None}):
        assert server.receive(frame("pusher:subscribe", data)) == (Subscribe(channels=(ChannelName("a"),)),)


def test_a_proof_is_handed_on_with_the_exact_channel_data(server: PusherServer) -> None:
    text = '{"user_id" : 1}'
    data = {"channel": "private-room", "auth": "k:s", "channel_data": text}
    (command,) = server.receive(frame("pusher:subscribe", data))
    assert command == Subscribe(channels=(ROOM,), credential=PusherSignature("k:s", text))


def test_a_bad_subscription_names_its_channel_in_the_answer(server: PusherServer) -> None:
    refusal = refused(server, frame("pusher:subscribe", {"channel": "no good"}))
    assert isinstance(refusal, SubscriptionRefusal)
    (answer,) = said(server, pushes.Refused(command="", refusal=refusal))
    assert (answer["event"], answer["channel"]) == ("pusher:subscription_error", "no good")
    assert json.loads(answer["data"])["type"] == "AuthError"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"channel": "a", "auth": "x" * (MAX_AUTH + 1)}, "bad_signature"),
        ({"channel": "a", "auth": "x", "channel_data": "x" * (MAX_CHANNEL_DATA + 1)}, "member_too_large"),
        ({"channel": "x" * 201}, "bad_channel"),
        ({"channel": "#users-1"}, "bad_channel"),
    ],
)
def test_what_is_too_long_or_reserved_is_no_subscription(
    server: PusherServer, data: dict[str, str], name: str
) -> None:
    assert refused(server, frame("pusher:subscribe", data)).name == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "bad_json"),
        ("hello", "bad_json"),
        ('"\ud800"', "bad_json"),
        (r'{"event":"\ud800"}', "bad_json"),
        ("null", "bad_message"),
        ("[]", "bad_message"),
        ("{}", "bad_message"),
        (frame(""), "unknown_command"),
        (frame("said", {}), "unknown_command"),
        (frame("pusher:teleport"), "unknown_command"),
        (frame("pusher_internal:member_added"), "unknown_command"),
        (frame("pusher:subscribe"), "bad_message"),
        (frame("pusher:subscribe", "room"), "bad_message"),
        (frame("pusher:subscribe", {"channel": 1}), "bad_message"),
        (frame("pusher:subscribe", {"channel": "a", "auth": 1}), "bad_message"),
        (frame("pusher:subscribe", {"channel": "a", "channel_data": {}}), "bad_message"),
        (frame("pusher:unsubscribe", {"channel": ""}), "bad_channel"),
        (frame("pusher:ping", json.loads("[" * 33 + "]" * 33)), "too_deep"),
        (b'{"event":"pusher:ping"}', "bad_message"),
        (b"\xff", "bad_message"),
    ],
)
def test_what_is_not_understood_is_refused_and_nothing_else_is_raised(
    server: PusherServer, text: str | bytes, name: str
) -> None:
    refusal = refused(server, text)
    assert refusal.name == name
    assert len(server.push(pushes.Refused(command="", refusal=refusal))) == 1


def test_signing_in_hands_the_proof_to_the_node_unread(server: PusherServer) -> None:
    (command,) = server.receive(frame("pusher:signin", {"auth": "k:s", "user_data": "no json"}))
    assert command == SignIn(credential=PusherUserSignature("k:s", "no json"))


@pytest.mark.parametrize(
    ("signed", "told"),
    [
        (b'{"id":"7"}', {"id": "7"}),
        (b'{"id":7,"user_info":{"a":[1.0]}}', {"id": "7", "user_info": {"a": [1.0]}}),
    ],
)
def test_signin_success_holds_a_text_whose_id_is_text(
    server: PusherServer, signed: bytes, told: dict[str, Any]
) -> None:
    (answer,) = said(server, pushes.SignedIn(user=UserId("7"), data=signed))
    assert answer["event"] == "pusher:signin_success"
    assert json.loads(json.loads(answer["data"])["user_data"]) == told


@pytest.mark.parametrize(
    ("reason", "code"), [("bad_signature", 4009), ("forbidden", 4009), ("watchlist_too_long", 4302)]
)
def test_a_refused_sign_in_is_an_error_with_a_number(server: PusherServer, reason: str, code: int) -> None:
    (answer,) = said(server, pushes.Refused(command="signin", refusal=Refusal(reason)))
    assert (answer["event"], answer["data"]["code"]) == ("pusher:error", code)


def test_a_cache_miss_has_no_data(server: PusherServer) -> None:
    (answer,) = said(server, pushes.CacheMiss(channel=ROOM))
    assert answer == {"event": "pusher:cache_miss", "channel": ROOM}


def test_watchlist_events_are_told_in_one_frame(server: PusherServer) -> None:
    (answer,) = said(
        server, pushes.WatchlistChanged(online=(UserId("a"), UserId("b")), offline=(UserId("c"),))
    )
    events = [{"name": "online", "user_ids": ["a", "b"]}, {"name": "offline", "user_ids": ["c"]}]
    assert answer["event"] == "pusher_internal:watchlist_events"
    assert json.loads(answer["data"]) == {"events": events}


def test_pings_and_pongs_may_carry_any_data(server: PusherServer) -> None:
    answers: tuple[Any, ...] = ({}, "", None)
    for data in answers:
        assert server.receive(frame("pusher:ping", data)) == (commands.Ping(),)
        assert server.receive(frame("pusher:pong", data)) == (commands.Pong(),)
    assert server.receive('{"event":"pusher:ping"}') == (commands.Ping(),)


# ── client events


def client_event(server: PusherServer, data: str, channel: str = "private-room") -> commands.Publish:
    text = f'{{"event":"client-typing","channel":"{channel}","data":{data}}}'
    (command,) = server.receive(text)
    assert isinstance(command, commands.Publish)
    return command


def test_a_client_event_is_an_ephemeral_publish_with_its_raw_data(server: PusherServer) -> None:
    assert client_event(server, '{"x" : 1.0}') == commands.Publish(
        channel=ROOM, event="client-typing", data=b'{"x" : 1.0}', client=True
    )


def test_a_client_event_encoded_twice_is_the_same_as_one_encoded_once(server: PusherServer) -> None:
    assert client_event(server, r'"{\"x\":1}"').data == b'{"x":1}'
    assert client_event(server, '"plain"').data == b'"plain"'


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        ("room", "forbidden"),
        ("cache-room", "forbidden"),
        ("private-encrypted-room", "forbidden"),
        ("", "bad_channel"),
        (None, "bad_channel"),
    ],
)
def test_client_events_are_for_private_and_presence_channels(
    server: PusherServer, channel: str | None, name: str
) -> None:
    assert refused(server, frame("client-a", {}, channel=channel)).name == name


def test_client_events_are_off_where_the_app_has_them_off() -> None:
    text = frame("client-a", {}, channel="private-room")
    assert refused(PusherServer(client_events=False), text).name == "client_events_off"


def test_a_client_event_may_be_as_large_as_the_limit_and_not_larger(server: PusherServer) -> None:
    client_event(server, '"' + "x" * (MAX_CLIENT_EVENT - 2) + '"')
    refusal = refused(server, frame("client-a", "x" * (MAX_CLIENT_EVENT - 1), channel="private-room"))
    assert (refusal.name, refusal.limit) == ("message_too_large", MAX_CLIENT_EVENT)


def test_a_client_events_name_has_a_limit(server: PusherServer) -> None:
    assert refused(server, frame("client-" + "x" * 194, {}, channel="private-room")).name == "bad_event"


# ── to the client


def test_a_presence_subscription_lists_users_once_with_their_info(server: PusherServer) -> None:
    members = (Member(UserId("7"), b'{"n":1}'), Member(UserId("8")))
    (frame,) = said(server, pushes.Subscribed(channel=ROOM, head=HEAD, members=members))
    assert json.loads(frame["data"]) == {
        "presence": {"ids": ["7", "8"], "hash": {"7": {"n": 1}, "8": None}, "count": 2}
    }
    assert frame["position"] == "1f2e3d4c:42"


def test_an_ended_subscription_is_told_as_an_error_and_an_asked_for_end_not_at_all(
    server: PusherServer,
) -> None:
    assert server.push(pushes.Unsubscribed(channel=ROOM)) == ()
    (frame,) = said(server, pushes.Unsubscribed(channel=ROOM, reason=Unsubscription("revoked")))
    assert frame["event"] == "pusher:subscription_error"
    assert json.loads(frame["data"])["status"] == 403


def test_a_message_for_one_session_is_the_frame_of_all(server: PusherServer) -> None:
    message = Message(id="m", channel=ROOM, event="e", data=b"1", time=0, position=HEAD)
    assert server.push(pushes.Delivered(message=message)) == (server.encoder.encode(message),)


def test_a_reset_is_one_event_for_each_channel(server: PusherServer) -> None:
    channels = (ChannelName("a"), ChannelName("b"))
    frames = said(server, pushes.Reset(channels=channels, reason="retention", cursor=HEAD))
    assert [frame["channel"] for frame in frames] == ["a", "b"]
    assert json.loads(frames[0]["data"]) == {"reason": "retention", "cursor": "1f2e3d4c:42"}


def test_a_refused_publish_is_an_error_and_only_the_rate_has_a_number(server: PusherServer) -> None:
    for name, code in (("rate_limited", 4301), ("not_subscribed", None)):
        push = pushes.Refused(command="publish", refusal=Refusal(name), channel=ROOM)
        (frame,) = said(server, push)
        assert (frame["event"], frame["data"]["code"]) == ("pusher:error", code)


@pytest.mark.parametrize("command", ["subscribe", "publish", ""])
def test_every_refusal_can_be_said(server: PusherServer, command: str) -> None:
    refusal = Refusal("bad_signature", detail="\ud7ff\u0000 €", field="auth", limit=3)
    (frame,) = said(server, pushes.Refused(command=command, refusal=refusal, channel=ROOM))
    assert frame["event"] == ("pusher:subscription_error" if command == "subscribe" else "pusher:error")


def test_acknowledgements_and_goodbyes_have_no_frame(server: PusherServer) -> None:
    assert server.push(pushes.Accepted(command="publish", position=HEAD)) == ()
    assert server.push(pushes.Goodbye(disconnect=Disconnect("draining"))) == ()
    assert server.close_code(Disconnect("draining"))[0] == 4200


def test_every_push_has_an_answer(server: PusherServer) -> None:
    session = SessionId("1.2")
    every: tuple[pushes.Push, ...] = (
        pushes.Welcome(session=session, cursor=HEAD, activity_timeout=30),
        pushes.Answer(time=0),
        pushes.Heartbeat(time=0),
    )
    names = [said(server, push)[0]["event"] for push in every]
    assert names == ["pusher:connection_established", "pusher:pong", "pusher:ping"]
