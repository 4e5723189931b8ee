"""The client's side of plain WebSocket, spoken to by our own server's side."""

from __future__ import annotations

import pytest

from tests.unit.protocols.nouns import CHANNEL, at, message, plainly, welcome
from tidings.commands import Subscribe
from tidings.errors import Disconnect, RemoteProtocolError
from tidings.protocols.plain.client import PlainClient
from tidings.protocols.plain.server import ConnectQuery, PlainServer, parse_connect
from tidings.pushes import Delivered, Push, Subscribed
from tidings.row_filters import RowFilter


def test_it_asks_for_what_the_server_understands() -> None:
    query = PlainClient().query([CHANNEL], after=at(3), app="demo")
    assert parse_connect(query) == ConnectQuery(channels=(CHANNEL,), after=at(3), app="demo")
    assert parse_connect(PlainClient().query()) == ConnectQuery()
    filter = RowFilter.parse('a=eq."x,y",b=like.%&')
    query = PlainClient().query([CHANNEL], filter=filter)
    assert parse_connect(query) == ConnectQuery(channels=(CHANNEL,), filter=filter)


def test_the_server_reads_its_commands() -> None:
    command = Subscribe(channels=(CHANNEL,), after=at(3), ref="s1")
    assert PlainServer().receive(PlainClient().send(command)) == [command]


def test_it_hears_what_the_server_says() -> None:
    told: list[Push] = [welcome(9), Subscribed(channel=CHANNEL, head=at(9)), Delivered(message=message(11))]
    heard = [
        push
        for said in told
        for payload in PlainServer().push(said)
        for push in PlainClient().receive(payload.decode())
    ]
    assert plainly(heard) == plainly(told)


def test_what_a_newer_server_says_is_passed_over() -> None:
    assert PlainClient().receive('{"type":"weather"}') == []


@pytest.mark.parametrize("frame", [b'{"type":"heartbeat","time":1}', "{", "[]"])
def test_what_no_server_of_ours_says_is_told_apart(frame: str | bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        PlainClient().receive(frame)


def test_a_close_says_whether_to_come_back() -> None:
    for name in ("slow", "ended"):
        disconnect = Disconnect(name)
        heard = PlainClient().closed(*PlainServer().close_code(disconnect))
        assert heard is not None
        assert (heard.name, heard.reason.retry) == (name, disconnect.reason.retry)


@pytest.mark.parametrize("code", [1000, 1006, 4000, 4100, 4299, 4999])
def test_other_closes_are_not_ours(code: int) -> None:
    assert PlainClient().closed(code, "") is None
