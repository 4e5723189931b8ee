"""Query parameters: what passes, and which parameter is named when it does not."""

from __future__ import annotations

import pytest

from tests.unit.protocols.nouns import at
from tidings.errors import Refusal
from tidings.protocols.http import Request
from tidings.protocols.queries import Parameters, check_channel
from tidings.row_filters import RowFilter


def parameters(query: str) -> Parameters:
    request = Request(method="GET", path="/", query=query)
    return Parameters(request.pairs())


def refusal_of(query: str, method: str) -> Refusal:
    with pytest.raises(Refusal) as refused:
        getattr(parameters(query), method)()
    return refused.value


def test_channels_keep_their_order_and_lose_repeats() -> None:
    assert parameters("channel=b&channel=a&channel=b").channels() == ("b", "a")


def test_one_channel_at_least_unless_none_is_needed() -> None:
    assert refusal_of("", "channels").field == "channel"
    assert parameters("").channels(required=False) == ()


def test_a_comma_is_part_of_a_name() -> None:
    assert parameters("channel=a,b").channels() == ("a,b",)


@pytest.mark.parametrize("name", ["", "a b", "a/b", "a:b", "é", "a%00", "a%0A", "x" * 201])
def test_a_bad_channel_is_named(name: str) -> None:
    refusal = refusal_of(f"channel={name}", "channels")
    assert (refusal.name, refusal.field) == ("bad_channel", "channel")


def test_limits_hold_at_the_limit_and_refuse_beyond() -> None:
    assert check_channel("x" * 200)
    assert len(parameters("&".join(f"channel=c{n}" for n in range(100))).channels()) == 100
    refusal = refusal_of("&".join(f"channel=c{n}" for n in range(101)), "channels")
    assert (refusal.name, refusal.limit) == ("too_many_channels", 100)


def test_a_cursor_is_read_and_an_empty_one_is_none() -> None:
    assert parameters("cursor=1f2e3d4c:7").cursor() == at(7)
    assert parameters("cursor=").cursor() is None
    assert parameters("").cursor() is None
    assert refusal_of("cursor=yesterday", "cursor").name == "bad_cursor"


@pytest.mark.parametrize(
    ("query", "method"),
    [("cursor=1&cursor=2", "cursor"), ("app=a&app=b", "app")],
)
def test_two_values_are_not_chosen_from(query: str, method: str) -> None:
    refusal = refusal_of(query, method)
    assert (refusal.name, refusal.field) == ("bad_request", method)


def test_an_app_key_has_a_length() -> None:
    assert parameters("app=demo").app() == "demo"
    assert refusal_of("app=", "app").name == "unknown_app"


def test_a_choice_is_one_of_its_values() -> None:
    assert parameters("").choice("framing", ("named", "typed")) == "named"
    assert parameters("framing=typed").choice("framing", ("named", "typed")) == "typed"
    with pytest.raises(Refusal, match="framing: must be named or typed"):
        parameters("framing=loud").choice("framing", ("named", "typed"))


def test_a_filter_is_read_and_an_empty_one_is_none() -> None:
    found = parameters("filter=project_id%3Deq.42&channel=a").filter()
    assert found == RowFilter.parse("project_id=eq.42")
    assert parameters("filter=").filter() is parameters("").filter() is None
    assert refusal_of("filter=project_id", "filter").name == "bad_filter"
    assert refusal_of("filter=a%3Deq.1&filter=b%3Deq.1", "filter").field == "filter"
