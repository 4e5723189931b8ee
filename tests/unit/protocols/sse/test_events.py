"""The stream format against three readers: ours, httpx2's, and the HTML standard's algorithm written out plainly."""

from __future__ import annotations

import re

import httpx2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidings.errors import LocalProtocolError, RemoteProtocolError
from tidings.protocols.sse.events import (
    PADDING,
    PING,
    EventParser,
    StreamEvent,
    write_event,
    write_id,
    write_retry,
)

BOM = b"\xef\xbb\xbf"

characters = st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n\0:  \ufeff\u2028\x85")
datas = st.text(characters, max_size=30)
events = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=10)
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=10)
fields = st.tuples(ids, events, datas)
NOISE = (
    *(b"data", b"data:", b"data: x", b" data: x", b"data: \xe2\x82"),
    *(b"id: 1", b"id", b"id: \0", b"event: e", b"retry: 10", b"retry: -1"),
    *(b":", b": c", b"", b"", b"other: 1", b"\xff", b"\0"),
)
noise = st.lists(st.sampled_from(NOISE), max_size=12)
line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])


def as_read(text: str) -> str:
    """What a reader makes of a text's line ends."""
    return re.sub("\r\n|\r", "\n", text)


def by_us(stream: bytes) -> list[StreamEvent]:
    return EventParser().feed(stream)


def by_httpx2(stream: bytes) -> list[StreamEvent]:
    response = httpx2.Response(
        200,
        headers={"content-type": "text/event-stream; charset=utf-8"},
        content=stream,
        request=httpx2.Request("GET", "http://localhost/"),
    )
    return [StreamEvent(event=e.event, data=e.data, id=e.id) for e in httpx2.EventSource(response, None)]


def by_the_standard(stream: bytes) -> list[StreamEvent]:
    """HTML standard 9.2.6, step by step over a whole stream, for reading rather than speed."""
    text = stream.decode("utf-8", "replace").removeprefix("\ufeff")
    *lines, _unfinished = re.split("\r\n|\r|\n", text)
    told, data, event, last_id = [], "", "", ""
    for line in lines:
        if line == "":
            if data:
                told.append(StreamEvent(event=event or "message", data=data[:-1], id=last_id))
            data = event = ""
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "event":
                event = value
            elif name == "data":
                data += value + "\n"
            elif name == "id" and "\0" not in value:
                last_id = value
    return told


@given(st.lists(fields, max_size=5))
@example([("1f2e3d4c:7", "task-created", ' {"a":\r\n1}\r')])
@example([("", "", "")])
def test_what_is_written_is_read_by_three_readers(written: list[tuple[str, str, str]]) -> None:
    stream = b"".join(write_event(data.encode(), event=event, id=id) for id, event, data in written)
    meant, last_id = [], ""
    for id, event, data in written:
        last_id = id or last_id
        meant.append(StreamEvent(event=event or "message", data=as_read(data), id=last_id))
    assert by_us(stream) == meant
    assert by_the_standard(stream) == meant
    assert by_httpx2(stream) == meant


def test_a_line_of_a_mebibyte_is_read_by_three_readers() -> None:
    line = "x" * (1 << 20)
    for read in (by_us, by_the_standard, by_httpx2):
        (event,) = read(write_event(line.encode()))
        assert len(event.data) == len(line)


@given(st.lists(fields, min_size=1, max_size=3), st.data())
def test_pieces_of_any_size_make_the_same_events(
    written: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    stream = b"".join(write_event(text.encode(), event=event, id=id) for id, event, text in written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    parser = EventParser()
    assert [event for piece in pieces for event in parser.feed(piece)] == by_us(stream)


@given(noise, line_ends, st.booleans(), st.integers(1, 5))
def test_any_stream_is_read_as_the_standard_says(
    lines: list[bytes], end: bytes, with_bom: bool, size: int
) -> None:
    stream = (BOM if with_bom else b"") + b"".join(line + end for line in lines)
    parser = EventParser()
    found = [event for at in range(0, len(stream), size) for event in parser.feed(stream[at : at + size])]
    assert found == by_the_standard(stream)


@given(st.text(st.sampled_from("ab\r\n:\0"), max_size=8), datas)
def test_no_event_name_begins_a_field_of_its_own(event: str, data: str) -> None:
    (found,) = by_the_standard(write_event(data.encode(), event=event))
    assert found.data == as_read(data)
    assert found.event == (event.replace("\r", "\ufffd").replace("\n", "\ufffd") or "message")


@pytest.mark.parametrize("id", ["a\nb", "a\rb", "a\0b"])
def test_an_id_that_would_break_out_is_our_own_fault(id: str) -> None:
    with pytest.raises(LocalProtocolError):
        write_id(id)


def test_an_id_alone_moves_the_cursor_and_tells_nothing() -> None:
    parser = EventParser()
    assert parser.feed(write_id("1f2e3d4c:7")) == []
    assert parser.last_event_id == ""
    assert parser.feed(b"\n") == []
    assert parser.last_event_id == "1f2e3d4c:7"


def test_an_unfinished_event_moves_no_cursor() -> None:
    parser = EventParser()
    parser.feed(write_event(b"1", id="a:1") + b"id: a:2\ndata: 2\n")
    assert parser.last_event_id == "a:1"


def test_comments_and_retry_tell_nothing() -> None:
    parser = EventParser()
    assert parser.feed(PADDING + PING + write_retry(750)) == []
    assert parser.retry == 750
    assert len(PADDING) > 2048


def test_a_retry_that_is_no_number_is_passed_over() -> None:
    parser = EventParser()
    parser.feed(b"retry: 1e3\nretry: -5\nretry:\n")
    assert parser.retry is None


def test_an_endless_event_is_cut_off() -> None:
    parser = EventParser(max_event_bytes=1000)
    parser.feed(b"data: " + b"x" * 900)
    with pytest.raises(RemoteProtocolError):
        parser.feed(b"x" * 200)


def test_many_small_events_and_comments_are_no_large_one() -> None:
    parser = EventParser(max_event_bytes=1000)
    for _ in range(100):
        assert len(parser.feed(write_event(b"x" * 500))) == 1
        parser.feed(PING + b": " + b"c" * 500 + b"\n")
