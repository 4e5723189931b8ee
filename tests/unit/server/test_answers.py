"""Answers as bytes."""

from __future__ import annotations

import msgspec
import pytest

from tidings.errors import CATALOGUE, Disconnect, Refusal
from tidings.protocols.http import Response
from tidings.server.answers import FAULT, TOO_SLOW, head_bytes, head_refusal, refusal_response, response_bytes
from tidings.server.guard import BadHead


def test_a_refusal_tells_name_code_text_and_field() -> None:
    response = refusal_response(Refusal("bad_channel", field="channel", limit=200))
    told = msgspec.json.decode(response.body)["error"]
    assert response.status == 400
    assert (told["name"], told["code"], told["field"], told["limit"]) == ("bad_channel", 103, "channel", 200)
    assert "200" in told["message"]


def test_what_may_succeed_later_says_when() -> None:
    assert refusal_response(Refusal("rate_limited")).headers == {"Retry-After": "1"}
    assert refusal_response(Disconnect("draining")).status == 503


def test_an_answer_is_written_whole() -> None:
    data = response_bytes(Response(body=b"abc"), [(b"date", b"now")], head_only=False, close=False)
    assert data == (
        b"HTTP/1.1 200 OK\r\ndate: now\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\nabc"
    )


def test_head_is_answered_with_the_length_alone() -> None:
    data = response_bytes(Response(body=b"abc"), [], head_only=True, close=True)
    assert data.endswith(b"content-length: 3\r\nconnection: close\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_have_no_length(status: int) -> None:
    data = response_bytes(Response(status=status, body=b"abc"), [], head_only=False, close=False)
    assert data.endswith(b"\r\n\r\n")
    assert b"content-length" not in data


@pytest.mark.parametrize("value", ["a\r\nset-cookie: x", "a\nb", "a\0"])
def test_a_header_cannot_begin_another_one(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        head_bytes(200, [("x", value)], [], close=False)


def test_a_status_without_a_name_is_written_too() -> None:
    assert head_bytes(299, [], [], close=False) == b"HTTP/1.1 299 \r\n\r\n"


@pytest.mark.parametrize(
    ("bad", "name"),
    [
        (BadHead(400, "why"), "bad_request"),
        (BadHead(400, "why", name="bad_host"), "bad_host"),
        (BadHead(405, "why"), "method_not_allowed"),
        (BadHead(414, "why"), "request_too_large"),
        (BadHead(426, "why"), "bad_request"),
        (BadHead(431, "why"), "request_too_large"),
    ],
)
def test_an_unreadable_request_is_told_why_in_the_catalogues_words(bad: BadHead, name: str) -> None:
    answer = head_refusal(bad)
    told = msgspec.json.decode(answer.body)["error"]
    reason = CATALOGUE[name]
    assert answer.status == bad.status
    assert (told["name"], told["code"], told["retry"]) == (name, reason.code, reason.retry)
    assert told["message"] == f"why; {reason.fix}"


@pytest.mark.parametrize("answer", [TOO_SLOW, FAULT, refusal_response(Disconnect("draining"))])
def test_every_no_has_one_shape(answer: Response) -> None:
    assert list(msgspec.json.decode(answer.body)["error"]) == ["code", "name", "message", "retry"]
