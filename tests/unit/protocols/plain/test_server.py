"""The server's side of plain WebSocket."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocols.nouns import CHANNEL, at, message, welcome
from tidings.commands import Ping, Publish
from tidings.errors import CATALOGUE, Disconnect, Refusal
from tidings.ids import ChannelName
from tidings.protocols.plain.messages import decode_command, encode_command
from tidings.protocols.plain.server import ConnectQuery, PlainServer, parse_connect
from tidings.pushes import Delivered, Refused


def refusal_of(server: PlainServer, data: str | bytes) -> Refusal:
    with pytest.raises(Refusal) as refused:
        server.receive(data)
    return refused.value


def test_a_frame_is_a_command() -> None:
    assert PlainServer().receive('{"type":"ping","ref":"p1"}') == [Ping(ref="p1")]


@pytest.mark.parametrize(
    ("data", "name", "field"),
    [
        (b'{"type":"ping"}', "bad_message", "frame"),
        ("", "bad_json", None),
        ('{"type":"ping"', "bad_json", None),
        ('{"type":"ping","ref":"\ud800"}', "bad_json", None),
        ('{"type":"publish","channel":"a","event":"e","data":"\\udead"}', "bad_json", None),
        ('{"type":"ping","x":' + "[" * 40 + "]" * 40 + "}", "too_deep", None),
        ('{"type":"shout"}', "unknown_command", "type"),
    ],
)
def test_bad_frames_are_refused_by_name(data: str | bytes, name: str, field: str | None) -> None:
    refusal = refusal_of(PlainServer(), data)
    assert (refusal.name, refusal.field) == (name, field)


def test_data_may_be_as_deep_as_on_any_other_way_in() -> None:
    frame = '{"type":"publish","channel":"a","event":"e","data":%s}'
    assert PlainServer().receive(frame % ("[" * 32 + "]" * 32))
    assert refusal_of(PlainServer(), frame % ("[" * 33 + "]" * 33)).name == "too_deep"


def test_limits_are_the_apps_own() -> None:
    server = PlainServer(max_data_bytes=3, max_depth=1)
    assert server.receive('{"type":"publish","channel":"a","event":"e","data":[1]}') == [
        Publish(channel=ChannelName("a"), event="e", data=b"[1]")
    ]
    assert refusal_of(server, '{"type":"publish","channel":"a","event":"e","data":[12]}').limit == 3


@pytest.mark.parametrize(
    ("frame", "command", "ref"),
    [
        ('{"type":"publish","channel":"a b","event":"e","ref":"r1"}', "publish", "r1"),
        ('{"type":"shout","ref":7}', "", 7),
        ('{"type":"ping","ref":true}', "ping", None),
        ('{"type":[],"ref":{}}', "", None),
        ("[1]", "", None),
    ],
)
def test_the_reply_to_a_bad_command_echoes_its_ref(frame: str, command: str, ref: str | int | None) -> None:
    server = PlainServer()
    refusal = refusal_of(server, frame)
    (payload,) = server.push(Refused(command="", refusal=refusal))
    told = msgspec.json.decode(payload)
    assert (told["command"], told.get("ref")) == (command, ref)


def test_another_refusal_does_not_get_that_ref() -> None:
    server = PlainServer()
    refusal_of(server, '{"type":"shout","ref":7}')
    (payload,) = server.push(Refused(command="publish", refusal=Refusal("forbidden"), ref=8))
    assert msgspec.json.decode(payload)["ref"] == 8


def test_connected_tells_a_returning_client_its_own_cursor() -> None:
    (fresh,) = PlainServer().push(welcome(9))
    (returning,) = PlainServer(after=at(3)).push(welcome(9))
    assert msgspec.json.decode(fresh)["cursor"] == "1f2e3d4c:9"
    assert msgspec.json.decode(returning)["cursor"] == "1f2e3d4c:3"


def test_replay_and_live_are_the_same_bytes() -> None:
    server = PlainServer()
    assert server.push(Delivered(message=message())) == [server.encoder.encode(message())]


@pytest.mark.parametrize("name", [name for name, reason in CATALOGUE.items() if reason.code >= 300])
def test_every_disconnect_fits_a_close_frame(name: str) -> None:
    code, reason = PlainServer().close_code(Disconnect(name, detail="é" * 200))
    assert 4300 <= code < 4400
    assert reason.startswith(f"{name}: é")
    assert len(reason.encode()) <= 123


@given(st.text(max_size=80))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    try:
        PlainServer().receive(text)
    except Refusal:
        pass


@given(
    st.sampled_from(
        [
            '{"type":"?"}',
            '{"type":"ping","ref":?}',
            '{"type":"subscribe","channels":["a",?]}',
            '{"type":"subscribe","channel":"a","cursor":"?"}',
            '{"type":"publish","channel":"a","event":"?","data":?}',
            '{"type":"publish","channel":"a","event":"e","key":"?"}',
            '{"type":"track","channel":"a","info":?}',
        ]
    ),
    st.text(max_size=20) | st.from_regex(r'[\[\]{}",:0-9eE.\\u\-]{0,20}', fullmatch=True),
)
def test_what_is_read_can_be_written_again(frame: str, filling: str) -> None:
    """The twin of fuzz/fuzz_plain.py."""
    try:
        commands = PlainServer().receive(frame.replace("?", filling))
    except Refusal:
        return
    for command in commands:
        assert decode_command(encode_command(command), max_data_bytes=1 << 20) == command


# ── the URL


def test_the_url_may_ask_for_nothing_or_for_all() -> None:
    assert parse_connect("") == ConnectQuery()
    asked = parse_connect("channel=project-42&cursor=1f2e3d4c:7&app=demo&client_id=x")
    assert asked == ConnectQuery(channels=(CHANNEL,), after=at(7), app="demo")


@pytest.mark.parametrize(
    ("query", "name"), [("cursor=x", "bad_cursor"), ("channel=a%20b", "bad_channel"), ("app=", "unknown_app")]
)
def test_a_bad_url_is_refused_by_name(query: str, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_connect(query)
    assert refused.value.name == name


def test_a_filter_in_a_url_without_channels_is_refused_because_it_would_hold_for_nothing() -> None:
    with pytest.raises(Refusal, match="there are none") as refused:
        parse_connect("filter=a%3Deq.1")
    assert refused.value.name == "bad_filter"
