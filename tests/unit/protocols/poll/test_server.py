"""What a poll asks and how it is answered."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.protocols.nouns import CHANNEL, at, message
from tidings.errors import Refusal
from tidings.protocols.http import Request, Response
from tidings.protocols.personal import refused_response
from tidings.protocols.poll.server import PollQuery, page_response, parse_poll


def request(query: str = "channel=project-42", **headers: str) -> Request:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method="GET", path="/poll", query=query, headers=names)


def answer(asked: Request, **changes: Any) -> Response:
    page: dict[str, Any] = {"head": at(9), "complete": True, "after": at(5), "resets": {}}
    return page_response(asked, changes.pop("messages", ()), **(page | changes))


def test_a_bare_poll_asks_for_the_present_cursor_at_once() -> None:
    assert parse_poll(request()) == PollQuery(channels=(CHANNEL,), after=None, wait=0.0)


def test_everything_can_be_asked() -> None:
    asked = parse_poll(request("channel=project-42&cursor=1f2e3d4c:7&wait=2.5&app=demo"))
    assert asked == PollQuery(channels=(CHANNEL,), after=at(7), wait=2.5, app="demo")


@pytest.mark.parametrize(
    "wait", ["-1", "nan", "inf", "1e1", "61", "60.001", "", "1_0", "٣", "5s", "1.", "0x5"]
)
def test_a_wait_is_seconds_within_the_limit(wait: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_poll(request(f"channel=a&wait={wait}"))
    assert (refused.value.name, refused.value.field, refused.value.limit) == ("bad_request", "wait", 60)


def test_a_wait_at_the_limit_passes() -> None:
    assert parse_poll(request("channel=a&wait=60")).wait == 60.0


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "bad_request"),
        ("channel=a&cursor=x", "bad_cursor"),
        ("channel=a/b", "bad_channel"),
        ("&".join(f"channel=c{n}" for n in range(101)), "too_many_channels"),
        ("channel=a&" + "&".join("x=1" for _ in range(200)), "bad_request"),
    ],
)
def test_a_bad_request_is_refused_by_name(query: str, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_poll(request(query))
    assert refused.value.name == name


def test_a_page_comes_with_its_tag_and_is_not_kept_by_caches() -> None:
    got = answer(request(), messages=[message(7)])
    assert (got.status, got.content_type) == (200, "application/json")
    assert msgspec.json.decode(got.body)["cursor"] == "1f2e3d4c:7"
    assert got.headers["ETag"].startswith('"')
    assert got.headers["Cache-Control"] == "no-store"


def test_the_same_page_again_is_not_sent_again() -> None:
    tag = answer(request()).headers["ETag"]
    again = answer(request(if_none_match=tag), head=at(12))
    assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)


def test_a_page_with_something_new_is_sent() -> None:
    tag = answer(request()).headers["ETag"]
    assert answer(request(if_none_match=tag), messages=[message(7)]).status == 200
    assert answer(request(if_none_match=tag), resets={CHANNEL: "retention"}).status == 200


def test_a_refusal_has_its_own_status_and_says_how_to_go_on() -> None:
    assert refused_response(Refusal("forbidden")).status == 403
    assert refused_response(Refusal("bad_token")).headers["WWW-Authenticate"] == "Bearer"
    busy = refused_response(Refusal("unavailable"))
    assert (busy.status, busy.headers["Retry-After"]) == (503, "1")
    assert "Retry-After" not in refused_response(Refusal("forbidden")).headers
    told = msgspec.json.decode(refused_response(Refusal("bad_channel", field="channel")).body)
    assert (told["error"]["name"], told["error"]["field"]) == ("bad_channel", "channel")
