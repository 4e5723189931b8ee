"""The outbox row: what is staged, what is refused, and what is made of rows that anybody may have written."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import Refusal
from tidings.ids import SessionId
from tidings.messages import Entity, Origin
from tidings.outbox.table import MAX_ASIDE, MAX_DEPTH, Unreadable, read_emitted, read_row, stage

SECRET = "4111111111111111"
"""Stands for what a row holds and no log may repeat."""

ROW: dict[str, Any] = {
    "id": 7, "channel": "a", "event": "e", "data": "1", "keys": None, "entity": None, "origin": None, "created": "now",
}  # fmt: skip


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(data=json_values, keys=st.lists(st.lists(st.text("ab") | st.integers(-9, 9), max_size=3), max_size=3))
def test_what_is_staged_comes_back_from_the_row_and_from_the_log(data: Any, keys: list[list[Any]]) -> None:
    entity = Entity("task", 7, 2, "update")
    staged = stage("a", "e", data, keys=keys, entity=entity, mutation="m", skip="1.2")
    assert read_row({**ROW, **staged.row()}) == staged
    assert read_emitted(staged.emitted()) == staged
    assert msgspec.json.decode(staged.data) == data


def test_the_least_is_a_channel_and_an_event() -> None:
    staged = stage("a", "e")
    assert staged.row() == {
        "channel": "a", "event": "e", "data": "null", "keys": None, "entity": None, "origin": None,
    }  # fmt: skip
    assert staged.emitted() == b'{"channel":"a","event":"e","data":null}'


def test_it_becomes_a_message_with_what_the_source_knows() -> None:
    staged = stage("a", "e", [1], keys=[["t", 1]], entity={"type": "t", "id": "x"}, mutation="m", skip="1.2")
    message = staged.message("id-1", 17, "trail-1")
    assert (message.id, message.time, message.trail, message.kind) == ("id-1", 17, "trail-1", "event")
    assert (message.channel, message.event, message.data) == ("a", "e", b"[1]")
    assert (message.keys, message.entity) == ((("t", 1),), Entity("t", "x"))
    assert message.origin == Origin("m", SessionId("1.2"))


class Model:
    """A model of somebody's library, by shape; this one writes over several lines."""

    def model_dump_json(self) -> str:
        return '{\n  "id": 7\n}'


def test_models_write_themselves_on_one_line() -> None:
    assert stage("a", "e", Model()).data == b'{"id":7}'


@pytest.mark.parametrize(
    ("given", "code", "field"),
    [
        ({"channel": "two words"}, "bad_channel", "channel"),
        ({"channel": 7}, "bad_channel", "channel"),
        ({"channel": ""}, "bad_channel", "channel"),
        ({"event": "pusher:x"}, "bad_event", "event"),
        ({"event": "client-x"}, "bad_event", "event"),
        ({"event": None}, "bad_event", "event"),
        ({"data": "x" * 99_999}, "message_too_large", "data"),
        ({"data": msgspec.Raw(nested(MAX_DEPTH + 1).encode())}, "too_deep", "data"),
        ({"data": msgspec.Raw(nested(9_999).encode())}, "too_deep", "data"),
        ({"data": msgspec.Raw(b"{")}, "bad_json", "data"),
        ({"data": "\ud800"}, "bad_json", "data"),
        ({"keys": "tasks"}, "bad_message", "keys"),
        ({"keys": 7}, "bad_message", "keys"),
        ({"keys": [7]}, "bad_message", "keys"),
        ({"keys": [["x" * MAX_ASIDE]]}, "message_too_large", "keys"),
        ({"entity": {"type": "task"}}, "bad_message", "entity"),
        ({"entity": {"type": "task", "id": 1, "change": "burnt"}}, "bad_message", "entity"),
        ({"mutation": 7}, "bad_message", "mutation, skip"),
        ({"mutation": "m" * MAX_ASIDE}, "message_too_large", "origin"),
        ({"skip": "1.2\n"}, "bad_message", "skip"),
        ({"skip": ""}, "bad_message", "skip"),
    ],
)  # fmt: skip
def test_a_bad_message_is_refused_with_its_field(given: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(Refusal) as caught:
        stage(**{"channel": "a", "event": "e", **given})
    assert (caught.value.name, caught.value.field) == (code, field)


def test_a_limit_is_named() -> None:
    assert len(stage("a", "e", "x" * 99_998).data) == 100_000
    with pytest.raises(Refusal, match="limit 10"):
        stage("a", "e", "x" * 99, max_bytes=10)
    assert stage("a", "e", msgspec.Raw(nested(MAX_DEPTH).encode())).data == nested(MAX_DEPTH).encode()


def test_what_json_cannot_hold_is_the_callers_error() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(TypeError, match="object"):
        stage("a", "e", object())
    with pytest.raises(Refusal, match="nested"):
        stage("a", "e", endless)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"channel": f"card {SECRET}"}, "characters that are not allowed"),
        ({"channel": None}, "channel: it is not text"),
        ({"event": f"client-{SECRET}"}, "may not begin"),
        ({"event": 7}, "event: it is not text"),
        ({"data": f'{{"card": {SECRET}'}, "data: "),
        ({"data": f"{SECRET} {SECRET}"}, "data: "),
        ({"data": None}, "data: it is not text"),
        ({"data": {"$hex": SECRET}}, "data: it is not text"),
        ({"data": "\ud800"}, "lone surrogate"),
        ({"data": nested(MAX_DEPTH + 1)}, "nested above the limit"),
        ({"data": nested(50_000)}, "nested above the limit"),
        ({"data": f'"{"x" * 100_000}"'}, "above the limit"),
        ({"keys": SECRET}, "keys: it is not a JSON array of arrays"),
        ({"keys": f'["{SECRET}"]'}, "keys: it is not a JSON array of arrays"),
        ({"keys": "["}, "keys: it is not"),
        ({"entity": f'{{"type": "t", "id": 1, "change": "{SECRET}"}}'}, "entity: it is not a JSON object"),
        ({"origin": f'{{"session": "{SECRET}"}}'}, "socket id"),
        ({"origin": "[]"}, "origin: it is not"),
    ],
)
def test_a_row_that_holds_no_message_says_why_and_repeats_nothing(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(Unreadable, match=says) as caught:
        read_row({**ROW, **changes})
    assert SECRET not in str(caught.value)
    assert (
        caught.value.__suppress_context__ or caught.value.__context__ is None
    )  # a traceback would repeat it


@pytest.mark.parametrize("column", ["channel", "event", "data", "keys", "entity", "origin"])
def test_a_column_that_was_not_told_is_not_taken_for_empty(column: str) -> None:
    row = {name: value for name, value in ROW.items() if name != column}
    with pytest.raises(Unreadable, match=f"{column}: the database did not tell it"):
        read_row(row)


def test_json_over_several_lines_is_put_on_one() -> None:
    """A line break would end a line of an event stream."""
    data = '{\n "a":\r\n ["x\\n", 1.0]\n}'
    assert read_row({**ROW, "data": data}).data == b'{"a":["x\\n",1.0]}'
    emitted = f'{{"channel": "a", "event": "e", "data": {data}}}'
    assert read_emitted(emitted.encode()).data == b'{"a":["x\\n",1.0]}'


def test_nulls_and_strange_fields_of_an_emitted_message_are_passed_over() -> None:
    content = b'{"channel": "a", "event": "e", "keys": null, "entity": null, "origin": null, "more": 1}'
    assert read_emitted(content) == stage("a", "e")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (SECRET.encode(), "not a JSON object"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (f'{{"channel": "a", "event": {SECRET}}}'.encode(), "not a JSON object"),
        (f'{{"channel": "{SECRET} x", "event": "e"}}'.encode(), "characters that are not allowed"),
        (f'{{"channel": "a", "event": "e", "data": {nested(40)}}}'.encode(), "nested above the limit"),
        (nested(100_000).encode(), "not a JSON object|nested too deep"),
        (f'{{"channel": "a", "event": "e", "data": "{"x" * 100_000}"}}'.encode(), "above the limit"),
        (f'{{"channel": "a", "event": "e", "keys": ["{SECRET}"]}}'.encode(), "not a JSON object"),
    ],
    ids=str,
)  # fmt: skip
def test_an_emitted_message_that_is_none_says_why_and_repeats_nothing(content: bytes, says: str) -> None:
    with pytest.raises(Unreadable, match=says) as caught:
        read_emitted(content)
    assert SECRET not in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_are_anything_but_a_message_or_unreadable(content: bytes) -> None:
    try:
        read_emitted(content)
    except Unreadable:
        pass


@given(st.dictionaries(st.sampled_from(sorted(ROW)), st.none() | st.integers() | st.text(max_size=9)))
def test_no_row_is_anything_but_a_message_or_unreadable(row: dict[str, Any]) -> None:
    try:
        read_row({**ROW, **row})
    except Unreadable:
        pass
