"""What is known of a client before a word was said."""

from __future__ import annotations

import pytest

from tidings.errors import Refusal
from tidings.ids import ClientId
from tidings.protocols.http import Request
from tidings.server.visitors import TrustedProxies, check_client, client_of, token_of, visitor_of


def request(query: str = "", **headers: str) -> Request:
    return Request(method="GET", path="/ws", query=query, headers=headers, peer="9.9.9.9")


@pytest.mark.parametrize(
    ("headers", "pairs", "token"),
    [
        ({}, [], None),
        ({"authorization": "Bearer abc"}, [("token", "q")], "abc"),
        ({"authorization": "bearer   abc "}, [], "abc"),
        ({"authorization": "Basic abc"}, [], None),
        ({"authorization": "Bearer a b"}, [], None),
        ({"cookie": "a=b; tidings_token=xyz; c=d"}, [("token", "q")], "xyz"),
        ({"cookie": "not_tidings_token=xyz"}, [("token", "q")], "q"),
        ({"cookie": "tidings_token="}, [("token", "q")], "q"),
        ({"cookie": "tidings_token"}, [], None),
        ({}, [("token", "q")], "q"),
        ({}, [("token", "")], None),
        ({"authorization": "Bearer h", "cookie": "tidings_token=c"}, [], "h"),
    ],
)
def test_a_token_is_found_where_it_may_be(
    headers: dict[str, str], pairs: list[tuple[str, str]], token: str | None
) -> None:
    assert token_of(headers, pairs) == token


def test_two_tokens_in_a_query_are_not_chosen_from() -> None:
    with pytest.raises(Refusal) as caught:
        token_of({}, [("token", "a"), ("token", "b")])
    assert (caught.value.name, caught.value.field) == ("bad_request", "token")


@pytest.mark.parametrize(
    ("trusted", "address", "forwarded", "peer"),
    [
        ([], "10.0.0.1", "1.2.3.4", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "1.2.3.4", "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", None, "10.0.0.1"),
        (["10.0.0.0/8"], "9.9.9.9", "1.2.3.4", "9.9.9.9"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2", "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        (["10.0.0.0/8"], "10.0.0.1", "nonsense", "10.0.0.1"),
        (["10.0.0.0/8"], "10.0.0.1", "nonsense, 1.2.3.4", "1.2.3.4"),
        (["10.0.0.0/8"], "10.0.0.1", "", "10.0.0.1"),
        (["::1"], "::1", "2001:db8::1", "2001:db8::1"),
        (["127.0.0.1"], "", "1.2.3.4", ""),
    ],
)
def test_forwarded_addresses_are_believed_from_proxies_only(
    trusted: list[str], address: str, forwarded: str | None, peer: str
) -> None:
    assert TrustedProxies(trusted).peer(address, forwarded) == peer


def test_a_network_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        TrustedProxies(["somewhere"])


@pytest.mark.parametrize("text", ["", "a b", "a/b", "a" * 65, "ä", "a\n"])
def test_what_cannot_be_a_client_id_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_client(text)
    assert caught.value.field == "client_id"


def test_a_client_id_comes_from_the_query_or_from_the_path() -> None:
    assert client_of([("client_id", "abc")]) == "abc"
    assert client_of([]) is None
    assert visitor_of(request("client_id=q"), client=ClientId("p")).client == "p"
    assert visitor_of(request("client_id=q")).client == "q"


def test_a_visitor_is_what_the_request_says() -> None:
    visitor = visitor_of(request("token=t", origin="http://a", host="h", cookie="x=y"))
    assert (visitor.peer, visitor.origin, visitor.host, visitor.token) == ("9.9.9.9", "http://a", "h", "t")
    assert visitor.headers["cookie"] == "x=y"
    assert visitor.path == "/ws"


def test_a_visitor_keeps_nothing_of_the_handshake_itself() -> None:
    visitor = visitor_of(request(**{"sec-websocket-key": "k", "user-agent": "u"}))
    assert dict(visitor.headers) == {"user-agent": "u"}


def test_values_that_many_clients_send_are_kept_once() -> None:
    one, two = (visitor_of(request(**{"user-agent": "".join(["brow", "ser"])})) for _ in range(2))
    assert one.headers["user-agent"] is two.headers["user-agent"]
