"""Pages, their cursors and their entity tags."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.protocols.nouns import CHANNEL, at, logged, message, names, positions
from tidings.errors import Refusal, RemoteProtocolError
from tidings.ids import ChannelName
from tidings.messages import Message, Position
from tidings.protocols.neutral_writing import encode_message
from tidings.protocols.poll.pages import etag, matches_etag, next_cursor, page_body, read_page

OTHER = ChannelName("other")
resets = st.dictionaries(names, st.sampled_from(["retention", "epoch"]), max_size=3)
pages = st.tuples(st.lists(logged, max_size=3), positions, resets)


@given(pages)
def test_a_page_is_read_as_it_was_meant(page: tuple[list[Message], Position, dict[ChannelName, str]]) -> None:
    messages, cursor, lost = page
    read = read_page(page_body(messages, cursor=cursor, resets=lost))
    assert read.cursor == cursor
    assert list(read.messages) == [msgspec.structs.replace(m) for m in messages]
    assert {name: entry.reason for entry in read.resets for name in entry.channels} == lost


@given(pages, pages)
def test_tags_differ_exactly_when_bodies_do(
    one: tuple[list[Message], Position, dict[ChannelName, str]],
    two: tuple[list[Message], Position, dict[ChannelName, str]],
) -> None:
    a, b = (page_body(messages, cursor=cursor, resets=lost) for messages, cursor, lost in (one, two))
    assert (etag(a) == etag(b)) is (a == b)


def test_a_quiet_page_is_three_fields() -> None:
    body = page_body([], cursor=at(7), resets={})
    assert body == b'{"cursor":"1f2e3d4c:7","messages":[],"reset":null}'


def test_messages_look_as_they_do_on_a_socket() -> None:
    assert encode_message(message(7)) in page_body([message(7)], cursor=at(7), resets={})


def test_resets_are_grouped_by_reason() -> None:
    lost = {OTHER: "retention", CHANNEL: "retention", ChannelName("z"): "source"}
    told = msgspec.json.decode(page_body([], cursor=at(9), resets=lost))
    assert told["reset"] == [
        {"channels": ["other", "project-42"], "reason": "retention"},
        {"channels": ["z"], "reason": "source"},
    ]


# ── the cursor never runs ahead of what was told


def test_without_a_cursor_one_begins_at_the_head() -> None:
    assert next_cursor([], head=at(9), complete=True, after=None, resets={}) == at(9)


def test_a_quiet_page_keeps_the_cursor_so_that_its_body_stays_the_same() -> None:
    assert next_cursor([], head=at(9), complete=True, after=at(5), resets={}) == at(5)


@pytest.mark.parametrize("complete", [True, False])
def test_messages_move_the_cursor_to_the_last_of_them(complete: bool) -> None:
    told = [message(6), message(8)]
    assert next_cursor(told, head=at(9), complete=complete, after=at(5), resets={}) == at(8)


def test_a_reset_moves_the_cursor_to_the_head_once_all_is_told() -> None:
    lost = {OTHER: "retention"}
    assert next_cursor([message(6)], head=at(9), complete=True, after=at(5), resets=lost) == at(9)
    assert next_cursor([message(6)], head=at(9), complete=False, after=at(5), resets=lost) == at(6)


# ── reading what is none


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"cursor":"1f2e3d4c:7"}', b'{"cursor":1,"messages":[]}', b"\xff"]
)
def test_what_is_no_page_is_the_servers_fault(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read_page(body)


def test_a_foreign_cursor_is_refused() -> None:
    with pytest.raises(Refusal):
        read_page(b'{"cursor":"later","messages":[]}')


# ── If-None-Match (RFC 9110 13.1.2)


@pytest.mark.parametrize(
    ("header", "matches"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ('"b","c" , W/"a"', True),
        ("*", True),
        (" * ", True),
        ('"b"', False),
        ('"b, a"', False),
        ('"a,b", "a"', True),
        ("a", False),
        ('"a', False),
        ('"a" "b"', False),
        ("", False),
        ('w/"a"', False),
    ],
)
def test_if_none_match_is_a_list_compared_weakly(header: str, matches: bool) -> None:
    assert matches_etag(header, '"a"') is matches


def test_a_long_header_is_read_in_linear_time() -> None:
    assert not matches_etag('"b",' * 100_000 + "x", '"a"')


def test_what_a_filter_kept_back_moves_the_cursor_too() -> None:
    page: dict[str, Any] = {"head": at(20), "complete": True, "after": at(5), "resets": {}}
    assert next_cursor([message(7)], reached=at(9), **page) == at(9)
    assert next_cursor([], reached=at(9), **page) == at(9)
    assert next_cursor([], reached=None, **page) == at(5)
    assert next_cursor([], reached=at(9), **(page | {"resets": {CHANNEL: "retention"}})) == at(20)
    lost: dict[str, Any] = {"resets": {CHANNEL: "retention"}, "complete": False}
    assert next_cursor([], reached=at(9), **(page | lost)) == at(9)
