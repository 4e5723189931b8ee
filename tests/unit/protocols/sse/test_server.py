"""A stream as its readers see it, and what a request for one asks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.unit.protocols.nouns import CHANNEL, at, logged, message, plainly, welcome
from tidings.errors import Disconnect, LocalProtocolError, Refusal, Unsubscription
from tidings.ids import ChannelName, UserId
from tidings.messages import Message, Position
from tidings.presence import Member
from tidings.protocols.http import Request
from tidings.protocols.neutral_objects import NOWHERE
from tidings.protocols.neutral_reading import decode_push
from tidings.protocols.sse.events import PADDING, EventParser, StreamEvent
from tidings.protocols.sse.server import (
    OWN_NAMES,
    EventsQuery,
    SseEncoder,
    SseServer,
    event_name,
    overload_body,
    parse_events,
    refused_response,
    retry_ms,
)
from tidings.pushes import (
    Accepted,
    Answer,
    Delivered,
    Goodbye,
    Heartbeat,
    Refused,
    Reset,
    Subscribed,
    Unsubscribed,
)


def ask(query: str, **headers: str) -> EventsQuery:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return parse_events(Request(method="GET", path="/events", query=query, headers=names))


def read(server: SseServer, *pushes: Any) -> list[StreamEvent]:
    parser = EventParser()
    return [event for push in pushes for payload in server.push(push) for event in parser.feed(payload)]


def last_id(server: SseServer, *pushes: Any) -> str:
    parser = EventParser()
    for push in pushes:
        for payload in server.push(push):
            parser.feed(payload)
    return parser.last_event_id


def subscribed(head: int) -> Subscribed:
    return Subscribed(channel=CHANNEL, head=at(head))


def reset(cursor: int, reason: str = "retention") -> Reset:
    return Reset(channels=(CHANNEL,), reason=reason, cursor=at(cursor))


# ── framing


def test_named_tells_a_messages_own_data_under_its_own_name() -> None:
    (event,) = read(SseServer(), Delivered(message=message(7)))
    assert event == StreamEvent(event="task-created", data='{"taskId":7}', id="1f2e3d4c:7")


def test_an_event_called_message_is_unnamed() -> None:
    assert b"event:" not in SseEncoder("named").encode(message(event="message"))


@pytest.mark.parametrize("name", sorted(OWN_NAMES))
def test_a_published_event_cannot_pass_for_one_of_ours(name: str) -> None:
    (event,) = read(SseServer(), Delivered(message=message(event=name)))
    assert event.event == f"message:{name}"


def test_no_two_event_names_become_one() -> None:
    assert event_name("message:reset") == "message:message:reset" != event_name("reset")


def test_typed_tells_everything_in_unnamed_messages() -> None:
    (event,) = read(SseServer(framing="typed"), Delivered(message=message(7)))
    assert (event.event, event.id) == ("message", "1f2e3d4c:7")
    assert plainly(decode_push(event.data)) == plainly(Delivered(message=message(7)))


@given(logged)
def test_data_means_the_same_whatever_its_line_ends(written: Message) -> None:
    for framing in ("named", "typed"):
        server = SseServer(framing="named" if framing == "named" else "typed")
        (event,) = read(server, Delivered(message=written))
        found = msgspec.json.decode(event.data)
        assert (found if framing == "named" else found["data"]) == msgspec.json.decode(written.data)
        assert event.id == str(written.position)


@pytest.mark.parametrize("framing", ["named", "typed"])
def test_what_is_not_in_the_log_moves_no_cursor(framing: Any) -> None:
    encoder = SseEncoder(framing)
    for kind in ("client", "joined", "left"):
        assert b"id:" not in encoder.encode(message(None, kind=kind, user=UserId("ada"))).splitlines()[0]


def test_presence_is_an_event_of_its_own() -> None:
    joined = message(None, kind="joined", user=UserId("ada"), data=b'{"name":"Ada"}')
    (event,) = read(SseServer(), Delivered(message=joined))
    told = msgspec.json.decode(event.data)
    assert (event.event, told["user"], told["info"]) == ("joined", "ada", {"name": "Ada"})


def test_equal_framings_share_their_bytes_and_others_do_not() -> None:
    assert SseServer().encoder.key == SseServer().encoder.key
    assert SseServer().encoder.key != SseServer(framing="typed").encoder.key


# ── opening


def test_a_stream_opens_with_padding_retry_and_connected() -> None:
    (payload,) = SseServer(retry_ms=640).push(welcome(9, "ada"))
    assert payload.startswith(PADDING + b"retry: 640\nid: 1f2e3d4c:9\nevent: connected\ndata: {")
    (event,) = read(SseServer(), welcome(9, "ada"))
    told = msgspec.json.decode(event.data)
    assert (told["cursor"], told["user"], told["session"]) == ("1f2e3d4c:9", "ada", "12.34")


def test_typed_opens_without_event_names() -> None:
    (event,) = read(SseServer(framing="typed"), welcome())
    assert event.event == "message"
    assert msgspec.json.decode(event.data)["type"] == "connected"


# ── the cursor never runs ahead (a break right after any of these loses nothing)


def test_a_returning_client_is_told_its_own_cursor() -> None:
    server = SseServer(after=at(3))
    assert last_id(server, welcome(9)) == "1f2e3d4c:3"
    (event,) = read(SseServer(after=at(3)), welcome(9))
    assert msgspec.json.decode(event.data)["cursor"] == "1f2e3d4c:3"


def test_a_reset_of_one_channel_does_not_skip_the_replay_of_others() -> None:
    server = SseServer(after=at(3))
    assert last_id(server, welcome(9), reset(9)) == "1f2e3d4c:3"


def test_a_live_channel_covers_all_up_to_its_head() -> None:
    assert last_id(SseServer(after=at(3)), welcome(9), reset(9), subscribed(9)) == "1f2e3d4c:9"


def test_a_reset_of_a_live_stream_moves_the_cursor() -> None:
    assert last_id(SseServer(), welcome(9), subscribed(9), reset(12)) == "1f2e3d4c:12"


def test_the_head_does_not_take_back_what_was_replayed_beyond_it() -> None:
    told = [welcome(9), Delivered(message=message(11)), subscribed(9)]
    assert last_id(SseServer(after=at(3)), *told) == "1f2e3d4c:11"


def test_an_unknown_cursor_stays_unknown_until_the_reset_was_told() -> None:
    server = ask("channel=a", last_event_id="from-another-server").server()
    assert last_id(server, welcome(9)) == str(NOWHERE)
    (event,) = read(server, reset(9, "epoch"))
    assert msgspec.json.decode(event.data)["reason"] == "unknown_cursor"


# ── the rest of what is said


def test_presence_members_come_with_subscribed() -> None:
    push = Subscribed(channel=CHANNEL, head=at(9), members=(Member(UserId("ada"), b"1"),))
    (event,) = read(SseServer(), push)
    assert event.event == "subscribed"
    assert msgspec.json.decode(event.data)["members"] == [{"user": "ada", "info": 1}]


def test_heartbeats_are_comments_or_data_as_asked() -> None:
    assert SseServer().push(Heartbeat(time=1)) == [b": ping\n\n"]
    (event,) = read(SseServer(heartbeat="data"), Heartbeat(time=1))
    assert (event.event, event.data) == ("message", ":heartbeat")


def test_the_end_of_a_channel_and_a_refusal_are_told() -> None:
    gone = Unsubscribed(channel=CHANNEL, reason=Unsubscription("revoked"))
    no = Refused(command="subscribe", refusal=Refusal("forbidden"), channel=CHANNEL)
    assert [event.event for event in read(SseServer(), gone, no)] == ["unsubscribed", "reply"]


@pytest.mark.parametrize(
    ("disconnect", "retry"),
    [(Disconnect("draining", after=2.5), 2500), (Disconnect("slow"), 700), (Disconnect("ended"), 30_000)],
)
def test_a_goodbye_says_when_to_come_back(disconnect: Disconnect, retry: int) -> None:
    parser = EventParser()
    (payload,) = SseServer(retry_ms=700).push(Goodbye(disconnect=disconnect))
    (event,) = parser.feed(payload)
    assert (event.event, parser.retry) == ("goodbye", retry)
    assert msgspec.json.decode(event.data)["name"] == disconnect.name


def test_what_nobody_asked_for_is_not_said() -> None:
    assert SseServer().push(Accepted(command="subscribe")) == []
    assert SseServer().push(Answer(time=1)) == []


def test_nothing_comes_in() -> None:
    with pytest.raises(LocalProtocolError):
        SseServer().receive("hello")
    assert SseServer().close_code(Disconnect("slow")) == (1000, "slow")


# ── the request


def test_a_bare_request_gets_the_defaults() -> None:
    assert ask("channel=a&channel=b") == EventsQuery(channels=(ChannelName("a"), ChannelName("b")))


def test_everything_can_be_asked() -> None:
    query = "channel=a&framing=typed&heartbeat=data&app=demo&last_event_id=1f2e3d4c:7"
    asked = ask(query)
    assert (asked.framing, asked.heartbeat, asked.app) == ("typed", "data", "demo")
    assert asked.after == at(7)
    assert asked.server(900).framing == "typed"


def test_the_header_wins_because_only_it_is_new() -> None:
    assert ask("channel=a&last_event_id=1f2e3d4c:7", last_event_id="1f2e3d4c:9").after == at(9)


@pytest.mark.parametrize("text", ["7", "x" * 5000, "1f2e3d4c:-1", "ffffffff:99999999999999999999"])
def test_a_nonsense_id_is_no_refusal(text: str) -> None:
    asked = ask("channel=a", last_event_id=text)
    assert (asked.after, asked.unknown) == (Position("00000000", 0), True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "channel"),
        ("channel=a&framing=loud", "framing"),
        ("channel=a&heartbeat=never", "heartbeat"),
        ("channel=a+b", "channel"),
    ],
)
def test_a_bad_request_names_its_parameter(query: str, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        ask(query)
    assert refused.value.field == field


# ── refusing


def test_retry_grows_with_load_and_spreads_by_jitter() -> None:
    assert (retry_ms(0.0), retry_ms(1.0)) == (500, 1000)
    assert (retry_ms(0.0, 1.0), retry_ms(0.0, 7.0), retry_ms(0.0, -1.0)) == (30_000, 30_000, 500)


def test_overload_is_told_in_a_way_that_lets_eventsource_return() -> None:
    answer = refused_response(Refusal("unavailable"), 31_000)
    assert (answer.status, answer.content_type) == (200, "text/event-stream")
    parser = EventParser()
    assert parser.feed(answer.body) == parser.feed(overload_body(31_000)) == []
    assert parser.retry == 31_000
    assert answer.headers["X-Accel-Buffering"] == "no"


def test_what_will_never_succeed_stops_eventsource() -> None:
    answer = refused_response(Refusal("forbidden", field="channel"))
    assert (answer.status, answer.content_type) == (403, "application/json")
    assert msgspec.json.decode(answer.body)["error"]["name"] == "forbidden"
