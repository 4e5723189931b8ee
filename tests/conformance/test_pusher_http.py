"""The exchanges of conformance/pusher_http against the API's routes and a host in memory. Signed as the SDKs sign."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.conformance.conversations import FOLDER, fits
from tests.unit.protocols.pusher.test_api import MemoryHost, ask
from tidings.protocols.http import Cached


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One request and its answer. occupied: channel to subscriptions and users; kept: channel to data and seconds."""

    name: str
    method: str
    path: str
    status: int
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    body: Any = None
    answer: Any = None
    error: str | None = None
    published: list[list[str]] = []
    ended: list[str] = []
    occupied: dict[str, list[int]] = {}
    kept: dict[str, tuple[str, float]] = {}


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file of exchanges."""

    protocol: str
    clause: str
    exchanges: list[Exchange]


FILES = {
    path.stem: msgspec.json.decode(path.read_bytes(), type=File)
    for path in sorted((FOLDER / "pusher_http").glob("*.json"))
}
EXCHANGES = [
    pytest.param(exchange, id=f"{file.clause}: {exchange.name}")
    for file in FILES.values()
    for exchange in file.exchanges
]


@pytest.mark.parametrize("exchange", EXCHANGES)
async def test_the_api_answers_as_written(exchange: Exchange) -> None:
    host = MemoryHost()
    for channel, counts in exchange.occupied.items():
        host.occupy(channel, *counts)
    for channel, (data, seconds) in exchange.kept.items():
        host.kept[channel] = Cached(data=data.encode(), seconds=seconds)
    body = exchange.body.encode() if isinstance(exchange.body, str) else exchange.body
    response = await ask(
        host, exchange.method, exchange.path, body=body, query=exchange.query, headers=exchange.headers
    )
    assert response.status == exchange.status, response.body
    if exchange.error is None:
        assert fits(json.loads(response.body), exchange.answer)
    else:
        assert response.headers["tidings-error"] == exchange.error
        assert len(response.body) > 5
    told = [[message.channel, message.event, message.data.decode()] for message in host.messages]
    assert (told, host.ended) == (exchange.published, exchange.ended)


def test_every_clause_of_the_api_has_exchanges() -> None:
    assert {file.clause.split()[0] for file in FILES.values()} >= {"2.1", "2.2", "2.3", "8.2"}
