"""The example shops beside a real `tidings serve`: what was committed arrives, once and in order, whoever is killed."""

from __future__ import annotations

import http.client
import json
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.fix_configured import ConfiguredServer
from tests.fixtures.fix_postgres import MAJORS, Database, shared_cluster
from tests.outbox.service import DEADLY, SHOPS
from tidings.testing.process import ServerProcess

PATIENCE = 30.0

DATABASES = ["sqlite", *MAJORS]
"""`*MAJORS` belongs here too as soon as `--source` takes `postgresql://`."""

CONFIG = """\
[[sources]]
url    = "{url}"
tables = ["tidings_outbox"]
"""

LAST = "the last one"


class Shop(ServerProcess):
    """An example service in a process of its own."""

    def __init__(self, kind: str, url: str, folder: Path) -> None:
        super().__init__(folder, environment={"DATABASE_URL": url})
        self._kind = kind

    def command(self) -> list[str]:
        """Return the command line of the next start."""
        return [sys.executable, "-m", "tests.outbox.service", self._kind, str(self.port)]

    def order(self, item: str, **body: str) -> int:
        """Place an order; returns the status of the answer."""
        return self._post({"item": item, **body}, {})

    def order_and_die(self, item: str) -> None:
        """Place an order whose answer never comes: the process ends after its commit."""
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            self._post({"item": item}, {DEADLY.decode(): "1"})
        assert self._child is not None
        self._child.wait(PATIENCE)

    def items(self) -> list[str]:
        with urllib.request.urlopen(f"{self.url}/orders", timeout=PATIENCE) as answer:
            return [order["item"] for order in json.load(answer)]

    def _post(self, body: dict[str, str], headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.request("POST", "/orders", json.dumps(body), headers)
            return connection.getresponse().status
        finally:
            connection.close()


class Reader:
    """A client that polls. cursor: from where it has not read."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.cursor: str = self._poll()["cursor"]
        self.messages: list[dict[str, Any]] = []

    def until_last(self) -> list[tuple[str, Any]]:
        """Everything up to the order named `LAST`: the event and what it is about. Each message is another one."""
        while not any(message["data"].get("item") == LAST for message in self.messages):
            page = self._poll(cursor=self.cursor, wait="5")
            assert not page["reset"], page
            self.messages += page["messages"]
            self.cursor = page["cursor"]
        ids = [message["id"] for message in self.messages]
        assert len(set(ids)) == len(ids), ids
        told = [(message["event"], message["data"]) for message in self.messages]
        at = next(at for at, (_, data) in enumerate(told) if data.get("item") == LAST)
        return [
            (event, data.get("item") or data.get("code") or data["discount"]) for event, data in told[:at]
        ]

    def _poll(self, **query: str) -> dict[str, Any]:
        given = "".join(f"&{name}={value}" for name, value in query.items())
        with urllib.request.urlopen(
            f"{self._server.url}/poll?channel=orders{given}", timeout=PATIENCE
        ) as answer:
            found: dict[str, Any] = json.load(answer)
            return found


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database for the shop and its server."""
    if request.param not in MAJORS:
        yield f"sqlite:///{tmp_path / 'orders.db'}"
        return
    postgres = Database(shared_cluster(request.param))
    yield postgres.url
    postgres.drop()


@pytest.fixture(params=SHOPS)
def shop(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> Iterator[Shop]:
    with Shop(request.param, database, tmp_path / "shop") as shop:
        yield shop


@pytest.fixture
def tidings(shop: Shop, database: str, tmp_path: Path) -> Iterator[ServerProcess]:
    with ConfiguredServer(tmp_path, CONFIG.format(url=database)) as server:
        yield server


def test_only_what_was_committed_is_told(shop: Shop, tidings: ServerProcess) -> None:
    reader = Reader(tidings)
    assert shop.order("book") == 201
    assert shop.order("pen", coupon="TEN", card="declined") == 402  # all of it is undone, the coupon too
    assert shop.order("ink", coupon="TEN") == 201
    assert (
        shop.order("pad", coupon="TEN") == 201
    )  # the coupon was used: the nested transaction alone is undone
    assert shop.order(LAST) == 201
    assert reader.until_last() == [
        ("order-placed", "book"),
        ("order-paid", False),
        ("order-placed", "ink"),
        ("coupon-redeemed", "TEN"),
        ("order-paid", True),
        ("order-placed", "pad"),
        ("coupon-refused", "TEN"),
        ("order-paid", False),
    ]
    assert shop.items() == ["book", "ink", "pad", LAST]


def test_a_service_killed_between_commit_and_answer_has_told(shop: Shop, tidings: ServerProcess) -> None:
    reader = Reader(tidings)
    shop.order("book")
    shop.order_and_die("pen")
    shop.start()
    shop.wait_ready()
    shop.order(LAST)
    placed = [what for event, what in reader.until_last() if event == "order-placed"]
    assert placed == ["book", "pen"]
    assert shop.items() == ["book", "pen", LAST]


def test_a_server_killed_before_it_could_publish_tells_once(shop: Shop, tidings: ServerProcess) -> None:
    reader = Reader(tidings)
    items = []
    for round in range(3):
        items += [f"up-{round}", f"down-{round}"]
        shop.order(f"up-{round}")
        tidings.kill9()  # perhaps before it read the commit, perhaps after it published it
        shop.order(f"down-{round}")
        shop.order("never", card="declined")
        tidings.start()
        tidings.wait_ready()
    shop.order(LAST)
    placed = [what for event, what in reader.until_last() if event == "order-placed"]
    assert placed == items
