"""What every endpoint asks before it lets somebody in."""

from __future__ import annotations

import pytest

from tests.fixtures.fix_server import make_node
from tidings.errors import Refusal
from tidings.node.limits import Limits
from tidings.protocols.http import Request, Response
from tidings.server.door import MAX_TOLD, Door, preflight, with_headers


def request(**headers: str) -> Request:
    return Request(method="GET", path="/", headers={"host": "here", **headers}, peer="1.1.1.1")


def test_connects_are_counted_per_address() -> None:
    door = Door(make_node(Limits(connects_per_second=1.0)), clock=lambda: 5.0)
    for _ in range(10):
        door.admit(request())
    with pytest.raises(Refusal) as caught:
        door.admit(request())
    assert caught.value.name == "rate_limited"


def test_the_load_is_a_share() -> None:
    node = make_node(Limits(connections=10))
    node.connections = 5
    assert Door(node).load() == 0.5
    node.connections = 50
    assert Door(node).load() == 1.0


def test_a_page_that_may_is_told_so() -> None:
    door = Door(make_node(origins=("https://good.example",)))
    app = door.node.apps.default
    assert door.check_origin(app, request()) == {}
    headers = door.check_origin(app, request(origin="https://good.example", cookie="a=b"))
    assert headers["Access-Control-Allow-Origin"] == "https://good.example"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    with pytest.raises(Refusal) as caught:
        door.check_origin(app, request(origin="https://evil.example"))
    assert caught.value.name == "bad_origin"


def test_a_refused_page_is_logged_once_with_the_line_that_lets_it_in(
    caplog: pytest.LogCaptureFixture,
) -> None:
    door = Door(make_node(origins=("https://good.example",)))

    def refused(origin: str) -> None:
        with pytest.raises(Refusal):
            door.check_origin(door.node.apps.default, request(origin=origin))

    for _ in range(3):
        refused("https://other.example")
    refused("null")
    refused('https://a.example"\nforged')
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert 'origins = ["https://good.example", "https://other.example"]' in record.getMessage()
    for at in range(MAX_TOLD * 2):
        refused(f"https://{at}.example")
    assert len(caplog.records) == MAX_TOLD


def test_a_preflight_names_methods_and_headers() -> None:
    response = preflight({"Vary": "Origin"}, "GET", "X")
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Methods"] == "GET"
    assert response.headers["Vary"] == "Origin"


def test_headers_are_added_to_an_answer() -> None:
    assert with_headers(Response(headers={"A": "1"}), {"B": "2"}).headers == {"A": "1", "B": "2"}
