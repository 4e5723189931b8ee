"""Apps from a SQL table against a running server: each change takes effect without a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx2 as httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.fixtures.fix_configured import ConfiguredServer
from tests.fixtures.fix_publish import publish
from tests.unit.tenants.tables import create_table, insert, run

PATIENCE = 20.0


@pytest.fixture
def table(tmp_path: Path) -> Path:
    run(tmp_path / "apps.db", create_table())
    insert(tmp_path / "apps.db", "2001", "wiki")
    return tmp_path / "apps.db"


@pytest.fixture
def server(tmp_path: Path, table: Path) -> Iterator[ConfiguredServer]:
    config = f'[apps_table]\nurl = "sqlite:///{table}"\npoll_seconds = 0.1\n'
    with ConfiguredServer(tmp_path, config) as running:
        yield running


def say(server: ConfiguredServer, app: str, key: str) -> int:
    return publish(server.url, app, key, f"secret-of-{key}", "news", "said", {}).status_code


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.05)


@pytest.fixture
def client(server: ConfiguredServer) -> Iterator[Callable[[str], ClientConnection]]:
    """`client(key)`: connected as pusher-js is."""
    with ExitStack() as stack:

        def start(key: str) -> ClientConnection:
            socket = stack.enter_context(connect(address(server, key), proxy=None))
            assert "connection_established" in str(socket.recv(PATIENCE))
            return socket

        yield start


def address(server: ConfiguredServer, key: str) -> str:
    return f"ws://{server.host}:{server.port}/app/{key}?protocol=7"


def close_code(socket: ClientConnection) -> int | None:
    """Read on to the close."""
    with suppress(ConnectionClosed):
        for _ in socket:
            pass
    return socket.close_code


def turned_away(server: ConfiguredServer, key: str) -> int | None:
    with connect(address(server, key), proxy=None) as socket:
        return close_code(socket)


def test_apps_come_change_and_go_while_the_server_runs(
    server: ConfiguredServer, table: Path, client: Callable[[str], ClientConnection]
) -> None:
    assert say(server, "2001", "wiki") == 200
    assert say(server, "2002", "blog") == 404
    insert(table, "2002", "blog")
    until(lambda: say(server, "2002", "blog") == 200)

    # a key is added, then the old one goes: who is there stays, nobody new comes in by it
    before = client("blog")
    keys = json.dumps([{"key": "blog2", "secret": "secret-of-blog2"}])
    run(table, "UPDATE tidings_apps SET keys = ? WHERE id = '2002'", keys)
    until(lambda: say(server, "2002", "blog2") == 200)
    assert say(server, "2002", "blog") == 200
    run(
        table,
        "UPDATE tidings_apps SET key = 'blog2', secret = 'secret-of-blog2', keys = NULL WHERE id = '2002'",
    )
    until(lambda: say(server, "2002", "blog") == 401)
    assert turned_away(server, "blog") == 4001
    before.send('{"event":"pusher:ping","data":{}}')
    assert "pong" in str(before.recv(PATIENCE))

    # limits, switching off and on, deletion
    run(table, "UPDATE tidings_apps SET quotas = '{\"messages_per_day\": 1}' WHERE id = '2002'")
    until(lambda: say(server, "2002", "blog2") == 403)
    run(table, "UPDATE tidings_apps SET quotas = NULL, enabled = 0 WHERE id = '2002'")
    assert close_code(before) == 4003
    assert turned_away(server, "blog2") == 4003
    assert say(server, "2002", "blog2") == 403
    run(table, "UPDATE tidings_apps SET enabled = 1 WHERE id = '2002'")
    until(lambda: say(server, "2002", "blog2") == 200)
    again = client("blog2")
    run(table, "DELETE FROM tidings_apps WHERE id = '2002'")
    assert close_code(again) == 4001
    assert say(server, "2002", "blog2") == 404
    assert say(server, "2001", "wiki") == 200


@pytest.mark.parametrize(("hard", "code"), [(False, 4100), (True, 4004)])
def test_connections_above_the_quota(
    server: ConfiguredServer, table: Path, client: Callable[[str], ClientConnection], hard: bool, code: int
) -> None:
    quotas = json.dumps({"connections": 1, "hard": hard})
    insert(table, "2003", "small", quotas=quotas)
    until(lambda: say(server, "2003", "small") == 200)
    first = client("small")
    assert turned_away(server, "small") == code
    client("wiki").close()
    first.close()
    until(lambda: is_let_in(server, "small"))


def is_let_in(server: ConfiguredServer, key: str) -> bool:
    with connect(address(server, key), proxy=None) as socket:
        try:
            return "connection_established" in str(socket.recv(PATIENCE))
        except ConnectionClosed:
            return False


def test_the_metrics_tell_the_state_of_the_table(server: ConfiguredServer, table: Path) -> None:
    def metric(name: str) -> str:
        text = httpx.get(f"{server.url}/metrics").text
        return next(line for line in text.splitlines() if line.startswith(name))

    assert metric("tidings_apps_table_readable") == "tidings_apps_table_readable 1.0"
    run(table, "ALTER TABLE tidings_apps RENAME TO elsewhere")
    until(lambda: metric("tidings_apps_table_readable").endswith(" 0.0"))
    assert say(server, "2001", "wiki") == 200
    run(table, "ALTER TABLE elsewhere RENAME TO tidings_apps")
    until(lambda: metric("tidings_apps_table_readable").endswith(" 1.0"))
