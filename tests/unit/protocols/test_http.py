"""HTTP as values: parameters in order, bounded, and JSON answers."""

from __future__ import annotations

import pytest

from tidings.errors import Refusal
from tidings.protocols.http import Request, json_response


def request(query: str) -> Request:
    return Request(method="GET", path="/x", query=query)


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        ("", []),
        ("a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        ("a=&b", [("a", ""), ("b", "")]),
        ("a=%2Fx+y%C3%A4", [("a", "/x yä")]),
        ("channels[]=a&channels%5B%5D=b", [("channels[]", "a"), ("channels[]", "b")]),
        ("a=b=c", [("a", "b=c")]),
    ],
)
def test_parameters_come_decoded_and_in_order(query: str, pairs: list[tuple[str, str]]) -> None:
    assert request(query).pairs() == pairs


def test_a_flood_of_parameters_is_refused_with_the_limit() -> None:
    assert len(request("&".join(["a=1"] * 200)).pairs()) == 200
    with pytest.raises(Refusal) as refused:
        request("&".join(["a=1"] * 201)).pairs()
    assert (refused.value.name, refused.value.limit) == ("bad_request", 200)


def test_a_json_answer_says_so() -> None:
    answer = json_response({"a": 1}, status=202)
    assert (answer.status, answer.body, answer.content_type) == (202, b'{"a":1}', "application/json")
