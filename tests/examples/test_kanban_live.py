"""K1 with the whole road, from row to WebSocket: no event before its row, and none for what was rolled back."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from examples.demo import DemoPlan
from examples.kanban.app import create_app
from examples.kanban.live import LiveSettings
from tests.fixtures.fix_server import PATIENCE, Running, running
from tidings.bootstrap import assemble

RUNS = 1000
COOKIE = {"Cookie": "kanban_user=Ada"}


class Gate:
    """A commit delay that a test can close and open, or turn into a failure."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.reached = threading.Event()
        self.fails = False

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(PATIENCE)
        if self.fails:
            raise RuntimeError("the commit fails")


class Board:
    """The board behind a running server, with one listener of project atlas."""

    def __init__(self, server: Running, listener: ClientConnection, gate: Gate) -> None:
        self.gate = gate
        self.listener = listener
        self._api = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        headers = {**COOKIE, "Content-Type": "application/json"}
        self._api.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._api.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if answer.status < 300 and text else None

    def create(self, title: str) -> tuple[int, Any]:
        body = {"title": title, "projectId": "atlas", "statusId": "atlas-s1"}
        return self.ask("POST", "/api/tasks", body)

    def event(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """The next message."""
        while True:
            told: dict[str, Any] = json.loads(self.listener.recv(timeout))
            if told["type"] == "message":
                return told


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    plan = DemoPlan(tmp_path, 1)
    plan.prepare()
    gate = Gate()
    app = plan.config.apps[0]
    pages = create_app(tmp_path / "kanban.db", live=LiveSettings(key=app.id), commit_delay=gate)
    server = plan.config.server
    config = type(plan.config)(
        server=type(server)(data=str(tmp_path)),
        sources=plan.config.sources,
        apps=plan.config.apps,
        channels=plan.config.channels,
        rules=plan.config.rules,
    )
    node = assemble(config, sqlite="apsw").node
    for pattern, hook in plan.hooks:
        node.authorizer.add_hook(pattern, hook)
    with running(node, extra=pages) as found:
        url = f"ws://127.0.0.1:{found.port}/ws?channel=project-atlas"
        with connect(url, additional_headers=COOKIE) as listener:
            while json.loads(listener.recv(PATIENCE))["type"] != "subscribed":
                pass
            board = Board(found, listener, gate)
            with closing(board._api):
                yield board


def test_k01_at_every_event_its_row_can_be_read(board: Board) -> None:
    for run in range(RUNS):
        status, task = board.create(f"run {run}")
        assert status == 201
        event = board.event()
        assert (event["event"], event["data"]["taskId"]) == ("task-created", task["id"])
        status, row = board.ask("GET", f"/api/tasks/{task['id']}")
        assert (status, row["title"]) == (200, f"run {run}")


def test_k01_an_event_waits_for_its_commit(board: Board) -> None:
    board.gate.open.clear()
    answers: list[tuple[int, Any]] = []
    writing = threading.Thread(target=lambda: answers.append(board.create("waits")))
    writing.start()
    assert board.gate.reached.wait(PATIENCE)
    with pytest.raises(TimeoutError):
        board.event(timeout=0.3)
    board.gate.open.set()
    writing.join(PATIENCE)
    assert answers[0][0] == 201
    assert board.event()["data"]["taskId"] == answers[0][1]["id"]


def test_k01_what_is_rolled_back_is_never_told(board: Board) -> None:
    board.gate.fails = True
    status, _ = board.create("rolled back")
    assert status == 500
    board._api.close()  # the server ends a connection whose application raised
    board.gate.fails = False
    _, task = board.create("kept")
    assert board.event()["data"]["taskId"] == task["id"]
