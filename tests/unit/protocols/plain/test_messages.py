"""Commands as JSON, both ways."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocols.nouns import CHANNEL, at, names, positions, raw_json
from tidings.commands import (
    Authenticate,
    Command,
    Grant,
    Ping,
    Pong,
    Publish,
    Subscribe,
    Track,
    Unsubscribe,
    Untrack,
)
from tidings.errors import LocalProtocolError, Refusal
from tidings.ids import ChannelName, SessionId
from tidings.protocols.plain.messages import decode_command, encode_command
from tidings.row_filters import RowFilter

refs = (
    st.none() | st.integers(-(2**70), 2**70) | st.text(st.characters(exclude_categories=["Cs"]), max_size=128)
)
channels = st.lists(names, min_size=1, max_size=4, unique=True).map(tuple)
printable = st.characters(exclude_categories=["Cs", "Cc"])
events = st.builds(str.__add__, st.sampled_from(["", "client-"]), st.text(printable, min_size=1, max_size=20))
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(Subscribe, channels=channels, after=st.none() | positions, ref=refs),
    st.builds(Subscribe, channels=st.tuples(names), filter=st.just(RowFilter.parse('a=eq."x,y"')), ref=refs),
    st.builds(Unsubscribe, channels=channels, ref=refs),
    events.flatmap(
        lambda event: st.builds(
            Publish,
            channel=names,
            event=st.just(event),
            data=raw_json,
            client=st.just(event.startswith("client-")),
            key=st.none() | st.from_regex(r"[\x21-\x7e]{1,128}", fullmatch=True),
            ref=refs,
        )
    ),
    st.builds(Track, channel=names, info=raw_json, ref=refs),
    st.builds(Untrack, channel=names, ref=refs),
    st.builds(Authenticate, token=st.text("abc.-_", min_size=1, max_size=40), ref=refs),
    st.builds(Ping, ref=refs),
    st.builds(Pong),
)


def read(text: bytes) -> Command:
    return decode_command(text, max_data_bytes=100)


@given(commands)
def test_what_is_written_is_read_as_it_was_meant(command: Command) -> None:
    assert decode_command(encode_command(command), max_data_bytes=1 << 20) == command


def test_data_stays_as_the_client_wrote_it() -> None:
    odd = rb'{ "b" : 1.0, "a":"\u00e9" , "b":2}'
    command = read(b'{"data": %b ,"type":"publish","channel":"a","event":"e"}' % odd)
    assert isinstance(command, Publish)
    assert command.data == odd


def test_a_publish_without_data_carries_null() -> None:
    assert read(b'{"type":"publish","channel":"a","event":"e"}') == Publish(
        channel=ChannelName("a"), event="e", data=b"null"
    )


def test_a_client_event_is_known_by_its_name() -> None:
    command = read(b'{"type":"publish","channel":"a","event":"client-typing","data":1}')
    assert isinstance(command, Publish)
    assert command.client


def test_one_channel_or_several() -> None:
    one = Subscribe(channels=(CHANNEL,), after=at(7), ref=1)
    assert read(b'{"type":"subscribe","channel":"project-42","cursor":"1f2e3d4c:7","ref":1}') == one
    assert read(b'{"type":"unsubscribe","channels":["a","b","a"]}') == Unsubscribe(
        channels=(ChannelName("a"), ChannelName("b"))
    )


def test_fields_of_a_newer_client_are_passed_over() -> None:
    assert read(b'{"type":"ping","ref":1,"mood":"good"}') == Ping(ref=1)


@pytest.mark.parametrize(
    ("text", "name", "field"),
    [
        (b"[]", "bad_message", None),
        (b'"ping"', "bad_message", None),
        (b"{}", "bad_message", "type"),
        (b'{"type":7}', "bad_message", "type"),
        (b'{"type":"message"}', "unknown_command", "type"),
        (b'{"type":"Ping"}', "unknown_command", "type"),
        (b'{"type":"ping","ref":[]}', "bad_message", "ref"),
        (b'{"type":"ping","ref":1.5}', "bad_message", "ref"),
        (b'{"type":"ping","ref":true}', "bad_message", "ref"),
        (b'{"type":"ping","ref":"%b"}' % (b"x" * 129), "bad_message", "ref"),
        (b'{"type":"subscribe"}', "bad_message", "channel"),
        (b'{"type":"subscribe","channel":"a","channels":["b"]}', "bad_message", "channel"),
        (b'{"type":"subscribe","channels":[]}', "bad_message", "channels"),
        (b'{"type":"subscribe","channels":[7]}', "bad_message", "channels[0]"),
        (b'{"type":"subscribe","channel":null}', "bad_message", "channel"),
        (b'{"type":"subscribe","channel":"a b"}', "bad_channel", "channel"),
        (b'{"type":"subscribe","channels":["a",""]}', "bad_channel", "channels"),
        (b'{"type":"subscribe","channel":"a","cursor":"7"}', "bad_cursor", "cursor"),
        (b'{"type":"subscribe","channel":"a","cursor":7}', "bad_message", "cursor"),
        (b'{"type":"subscribe","channel":"a","auth":"key:signature"}', "bad_message", "auth"),
        (b'{"type":"publish","event":"e"}', "bad_message", "channel"),
        (b'{"type":"publish","channel":"a"}', "bad_message", "event"),
        (b'{"type":"publish","channel":"a","event":""}', "bad_event", "event"),
        (b'{"type":"publish","channel":"a","event":"a\\nb"}', "bad_event", "event"),
        (b'{"type":"publish","channel":"a","event":"%b"}' % (b"e" * 201), "bad_event", "event"),
        (b'{"type":"publish","channel":"a","event":"e","key":""}', "bad_key", "key"),
        (b'{"type":"publish","channel":"a","event":"e","key":"a b"}', "bad_key", "key"),
        (
            b'{"type":"publish","channel":"a","event":"e","data":"%b"}' % (b"x" * 99),
            "message_too_large",
            "data",
        ),
        (b'{"type":"track","channel":"a","info":"%b"}' % (b"x" * 99), "message_too_large", "info"),
        (b'{"type":"track"}', "bad_message", "channel"),
        (b'{"type":"untrack","channel":"a/b"}', "bad_channel", "channel"),
        (b'{"type":"token"}', "bad_message", "token"),
        (b'{"type":"token","token":""}', "bad_message", "token"),
        (b'{"type":"token","token":"%b"}' % (b"x" * 8193), "bad_message", "token"),
    ],
)
def test_what_is_wrong_is_named(text: bytes, name: str, field: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        read(text)
    assert (refused.value.name, refused.value.field) == (name, field)


def test_too_many_channels_are_refused_at_once() -> None:
    names = ",".join(f'"c{n}"' for n in range(101))
    with pytest.raises(Refusal) as refused:
        read(b'{"type":"subscribe","channels":[%b]}' % names.encode())
    assert (refused.value.name, refused.value.limit) == ("too_many_channels", 100)


def test_data_at_the_limit_passes() -> None:
    command = read(b'{"type":"publish","channel":"a","event":"e","data":"%b"}' % (b"x" * 98))
    assert isinstance(command, Publish)
    assert len(command.data) == 100


class _Proof:
    def verify(self, secrets: Mapping[str, str], session: SessionId, channel: ChannelName) -> Grant:
        return Grant()


@pytest.mark.parametrize(
    "command",
    [
        Subscribe(channels=(CHANNEL,), credential=_Proof()),
        Subscribe(channels=(CHANNEL, ChannelName("b")), filter=RowFilter.parse("a=eq.1")),
        Publish(channel=CHANNEL, event="typing", data=b"1", client=True),
        Publish(channel=CHANNEL, event="client-typing", data=b"1"),
    ],
)
def test_what_cannot_be_said_here_is_our_own_fault(command: Command) -> None:
    with pytest.raises(LocalProtocolError):
        encode_command(command)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'{"type":"subscribe","channels":["a","b"],"filter":"a=eq.1"}', "one channel"),
        (b'{"type":"subscribe","channel":"a","filter":"a=1"}', "an operator and a dot"),
        (b'{"type":"subscribe","channel":"a","filter":""}', "column's name"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_by_its_name(text: bytes, words: str) -> None:
    with pytest.raises(Refusal, match=words) as refused:
        read(text)
    assert (refused.value.name, refused.value.field) == ("bad_filter", "filter")


def test_no_filter_is_null_or_left_out() -> None:
    plain = read(b'{"type":"subscribe","channel":"a"}')
    assert read(b'{"type":"subscribe","channel":"a","filter":null}') == plain
