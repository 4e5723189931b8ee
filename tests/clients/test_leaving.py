"""The migration guides, followed: each one's settings start a server that its clients and SDKs then use."""

from __future__ import annotations

import re
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.clients.agents import Agent
from tests.fixtures.fix_configured import ConfiguredServer
from tests.unit.tenants.tables import create_table

HOW_TO = Path(__file__).parents[2] / "docs/how-to"
GUIDES = ("leave-pusher", "leave-soketi", "leave-reverb")


def block(guide: str, language: str) -> str:
    """The first block of a language in a guide."""
    found = re.search(rf"```{language}\n(.*?)```", (HOW_TO / f"{guide}.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module", params=GUIDES)
def guide(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def server(guide: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredServer]:
    with ConfiguredServer(tmp_path_factory.mktemp(guide), block(guide, "toml")) as running:
        yield running


@pytest.fixture
def options(guide: str, server: ConfiguredServer) -> dict[str, Any]:
    (app,) = tomllib.loads(block(guide, "toml"))["apps"]
    return {
        "appId": app["id"],
        "key": app["key"],
        "secret": app["secret"],
        "host": server.host,
        "port": server.port,
        "user": "7",
        "info": {"name": "Ada"},
    }


@pytest.fixture
def agents(options: dict[str, Any], tmp_path: Path) -> Iterator[Any]:
    with ExitStack() as running:

        def start(script: str) -> Agent:
            return running.enter_context(Agent(script, options, tmp_path / f"{Path(script).name}.err"))

        yield start


SDK_NEEDS_DIGITS = {"python/server_sdk.py"}
"""Its app ids are digits only; soketi's `app-id` is for the others."""


@pytest.mark.parametrize("sdk", ["node/server_sdk.mjs", "python/server_sdk.py"])
def test_the_sdk_publishes_and_pusher_js_and_echo_hear(
    agents: Any, options: dict[str, Any], sdk: str
) -> None:
    if sdk in SDK_NEEDS_DIGITS and not options["appId"].isdigit():
        sdk = "node/server_sdk.mjs"
    client, echo, publisher = agents("node/pusher_js.mjs"), agents("node/laravel_echo.mjs"), agents(sdk)
    publisher.wait_for(ready=True)
    for channel in ("private-orders", "presence-room"):
        client.do("subscribe", channel=channel)
        client.wait_for(channel=channel, event="pusher:subscription_succeeded")
    echo.do("listen", kind="private", name="orders", event="OrderShipped")
    echo.wait_for(subscribed="orders")
    event = "App\\Events\\OrderShipped"
    answer = publisher.ask("trigger", channels=["private-orders"], event=event, data={"id": 7}, params={})
    assert answer["status"] == 200
    assert client.wait_for(channel="private-orders", event=event)["data"] == {"id": 7}
    assert echo.wait_for(name="orders", event="OrderShipped")["data"] == {"id": 7}


def test_whispers_pass(agents: Any) -> None:
    one, two = agents("node/laravel_echo.mjs"), agents("node/laravel_echo.mjs")
    for echo in (one, two):
        echo.do("whispers", kind="private", name="typing", event="typing")
        echo.wait_for(subscribed="typing")
    one.do("whisper", name="typing", event="typing", data={"on": True})
    assert two.wait_for(whisper="typing")["data"] == {"on": True}


def test_soketis_table_of_apps_becomes_ours(tmp_path: Path) -> None:
    path = tmp_path / "apps.db"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE apps (id, key, secret, max_connections, enable_client_messages, enabled, webhooks)"
        )
        db.execute(
            "INSERT INTO apps VALUES ('1', 'k1', 's1', 200, 1, 1, '[]'), ('2', 'k2', 's2', -1, 0, 0, '[]')"
        )
        db.execute(create_table())
        db.execute(block("leave-soketi", "sql"))
        found = db.execute(
            "SELECT id, key, enabled, client_events, quotas FROM tidings_apps ORDER BY id"
        ).fetchall()
    assert found == [("1", "k1", 1, 1, '{"connections":200}'), ("2", "k2", 0, 0, None)]
