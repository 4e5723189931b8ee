"""A real server, and other people's clients that talk to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.clients.agents import Agent
from tidings.testing.process import AppCredentials, ServerProcess

APP = AppCredentials("1001", "app-key", "app-secret")
"""The SDKs insist on an app id of digits."""

Start = Callable[..., Agent]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server"), app=APP) as running:
        yield running


@pytest.fixture
def agent(server: ServerProcess, tmp_path: Path) -> Iterator[Start]:
    """Starts an agent: `agent("node/pusher_js.mjs", user="7")`; ended with the test."""
    numbers = itertools.count()
    with ExitStack() as running:

        def start(script: str, **options: Any) -> Agent:
            given = {
                "appId": server.app.id,
                "key": server.app.key,
                "secret": server.app.secret,
                "host": server.host,
                "port": server.port,
                "user": "7",
                "info": {"name": "Ada"},
                **options,
            }
            return running.enter_context(Agent(script, given, tmp_path / f"agent-{next(numbers)}.err"))

        yield start


@pytest.fixture(params=["node/server_sdk.mjs", "python/server_sdk.py"], ids=["node", "python"])
def sdk(agent: Start, request: pytest.FixtureRequest) -> Agent:
    """One of the server SDKs, ready for calls."""
    started = agent(request.param)
    started.wait_for(ready=True)
    return started


@pytest.fixture
def publisher(agent: Start) -> Agent:
    """A server SDK to publish with, where it does not matter which."""
    started = agent("python/server_sdk.py")
    started.wait_for(ready=True)
    return started
