"""The client's side of polling, answered by our own server's side."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.unit.protocols.nouns import CHANNEL, at, message, plainly
from tidings.errors import Refusal, RemoteProtocolError
from tidings.messages import Message
from tidings.protocols.http import Request, Response
from tidings.protocols.personal import refused_response
from tidings.protocols.poll.client import PollClient
from tidings.protocols.poll.server import PollQuery, page_response, parse_poll
from tidings.pushes import Delivered, Push, Reset
from tidings.row_filters import RowFilter


def exchange(
    client: PollClient, messages: Sequence[Message] = (), *, head: int = 9, lost: bool = False
) -> list[Push]:
    """One poll, over values only."""
    headers = {name.lower(): value for name, value in client.headers().items()}
    request = Request(method="GET", path="/poll", query=client.query(25), headers=headers)
    asked: PollQuery = parse_poll(request)
    resets = {CHANNEL: "retention"} if lost else {}
    answer = page_response(request, messages, head=at(head), complete=True, after=asked.after, resets=resets)
    return take(client, answer)


def take(client: PollClient, answer: Response) -> list[Push]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return client.receive(answer.status, headers, answer.body)


def test_it_asks_for_what_the_server_understands() -> None:
    client = PollClient([CHANNEL], after=at(3), app="demo")
    asked = parse_poll(Request(method="GET", path="/poll", query=client.query(2.5)))
    assert asked == PollQuery(channels=(CHANNEL,), after=at(3), wait=2.5, app="demo")
    assert "wait" not in client.query()
    filtered = PollClient([CHANNEL], filter=RowFilter.parse("a=eq.1"))
    asked = parse_poll(Request(method="GET", path="/poll", query=filtered.query()))
    assert asked.filter == RowFilter.parse("a=eq.1")


def test_it_begins_at_the_present_and_follows() -> None:
    client = PollClient([CHANNEL])
    assert exchange(client, head=9) == []
    assert client.cursor == at(9)
    assert plainly(exchange(client, [message(11)])) == plainly([Delivered(message=message(11))])
    assert client.cursor == at(11)


def test_a_quiet_poll_costs_no_body_the_second_time() -> None:
    client = PollClient([CHANNEL], after=at(9))
    assert exchange(client, head=10) == []
    tag = client.headers()["If-None-Match"]
    assert exchange(client, head=11) == []
    assert client.headers()["If-None-Match"] == tag
    assert client.cursor == at(9)


def test_a_gap_is_told_before_what_follows() -> None:
    client = PollClient([CHANNEL], after=at(3))
    pushes = exchange(client, [message(11)], head=12, lost=True)
    assert [type(push) for push in pushes] == [Reset, Delivered]
    assert client.cursor == at(12)


def test_a_refusal_comes_out_as_the_server_told_it() -> None:
    told = Refusal("bad_channel", field="channel", limit=200)
    with pytest.raises(Refusal) as refused:
        take(PollClient([CHANNEL]), refused_response(told))
    assert (refused.value.name, refused.value.text) == ("bad_channel", told.text)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b""])
def test_an_answer_of_somebody_between_is_told_apart(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        PollClient([CHANNEL]).receive(502, {}, body)
    with pytest.raises(RemoteProtocolError):
        PollClient([CHANNEL]).receive(200, {}, body)
