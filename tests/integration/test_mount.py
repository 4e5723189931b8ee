"""Library mode: mounted into a Starlette host under a plain uvicorn, that is, without our own protocol classes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from websockets.asyncio.client import connect

from tests.fixtures.fix_server import Peer, until
from tidings import Tidings
from tidings.cli.publish import signed_query
from tidings.config.settings import AppEntry
from tidings.node.authorizer import Visitor
from tidings.testing.ports import free_port

SOON = 30.0
"""Seconds for anything here to happen on a busy machine."""


def host(live: Tidings, *, lifespan: bool = True) -> Starlette:
    """An application of somebody's own, with one route that publishes."""

    async def save(request: Request) -> JSONResponse:
        position = await live.publish("news", "saved", await request.json())
        return JSONResponse({"position": str(position)})

    @contextlib.asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        async with live:
            yield

    routes = [Route("/save", save, methods=["POST"]), Mount("/live", live.asgi)]
    return Starlette(routes=routes, lifespan=life if lifespan else None)


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The address of a plain uvicorn with an application."""
    sock = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, lifespan="auto", timeout_graceful_shutdown=1)
    )
    with contextlib.ExitStack() as put_back:
        put_back.callback(sock.close)
        running = asyncio.create_task(server.serve(sockets=[sock]))
        async with asyncio.timeout(SOON):
            while not server.started:
                await asyncio.sleep(0.01)
        try:
            yield f"127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


def listening(address: str, query: str) -> AbstractAsyncContextManager[Any]:
    """A plain WebSocket below the mount."""
    return listening_at(f"{address}/live/ws?{query}")


@contextlib.asynccontextmanager
async def listening_at(url: str) -> AsyncIterator[Any]:
    """A plain WebSocket that has been told `subscribed`; a function that gives the next message."""
    async with connect(f"ws://{url}") as socket, asyncio.timeout(SOON):

        async def told(type: str) -> dict[str, Any]:
            while True:
                found: dict[str, Any] = json.loads(await socket.recv())
                if found["type"] == type:
                    return found

        await told("subscribed")
        yield told


async def test_what_the_host_publishes_reaches_a_websocket_on_the_hosts_own_port(tmp_path: Path) -> None:
    live = Tidings(f"sqlite:///{tmp_path}/live.db")
    async with served(host(live)) as address, listening(address, "channel=news") as told:
        async with httpx2.AsyncClient(base_url=f"http://{address}") as client:
            kept = (await client.post("/save", json={"id": 7})).json()
        message = await told("message")
    assert message["data"] == {"id": 7}
    assert message["position"] == kept["position"]


async def test_a_client_that_was_away_resumes_by_polling_or_event_stream() -> None:
    live = Tidings()
    async with served(host(live)) as address, httpx2.AsyncClient(base_url=f"http://{address}/live") as client:
        cursor = (await client.get("/poll?channel=news")).json()["cursor"]
        await live.publish("news", "one", 1)
        await live.publish("news", "two", 2)
        page = (await client.get("/poll", params={"channel": "news", "cursor": cursor})).json()
        assert [message["event"] for message in page["messages"]] == ["one", "two"]
        async with client.stream("GET", "/events?channel=news", headers={"Last-Event-ID": cursor}) as stream:
            events = []
            async for line in stream.aiter_lines():
                if line.startswith("event: ") and line != "event: connected":
                    events.append(line.removeprefix("event: "))
                if "two" in events:
                    break
    assert events[:2] == ["one", "two"]


async def test_the_publish_api_works_below_the_mount() -> None:
    live = Tidings(apps=["1001:key:secret"])
    app = AppEntry(id="1001", key="key", secret="secret")
    body = b'{"name":"hello","channels":["news"],"data":"{}"}'
    query = signed_query("POST", "/live/apps/1001/events", app, body, now=time.time())
    async with served(host(live)) as address, listening(address, "channel=news") as told:
        async with httpx2.AsyncClient(base_url=f"http://{address}") as client:
            answer = await client.post(f"/live/apps/1001/events?{query}", content=body)
        assert answer.status_code == 200, answer.text
        assert (await told("message"))["event"] == "hello"


async def test_the_hosts_own_users_decide_who_may_read() -> None:
    live = Tidings()

    @live.authorize("private-family-{family_id}")
    async def member(visitor: Visitor, family_id: str) -> str | None:
        return "ann" if visitor.headers.get("cookie") == f"family={family_id}" else None

    async with served(host(live)) as address:
        url = f"http://{address}/live/poll?channel=private-family-1"
        async with httpx2.AsyncClient() as client:
            assert (await client.get(url, headers={"cookie": "family=1"})).status_code == 200
            assert (await client.get(url, headers={"cookie": "family=2"})).status_code in (401, 403)


@pytest.mark.parametrize("path", ["/live/healthz", "/live/readyz"])
async def test_without_a_lifespan_it_starts_at_the_first_request(path: str) -> None:
    live = Tidings()
    async with served(host(live, lifespan=False)) as address, httpx2.AsyncClient() as client:
        assert (await client.get(f"http://{address}{path}")).status_code == 200
        await live.stop()


async def test_it_can_be_the_whole_application() -> None:
    live = Tidings()
    async with served(live.asgi) as address, httpx2.AsyncClient() as client:
        assert (await client.get(f"http://{address}/readyz")).json()["ready"] is True


async def test_the_log_outlives_the_host(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/live.db"
    async with Tidings(url) as live:
        first = await live.publish("news", "one", 1)
    async with Tidings(url) as live:
        second = await live.publish("news", "two", 2)
    assert first is not None
    assert second is not None
    assert second.epoch == first.epoch
    assert second.offset > first.offset


# ── the page docs/how-to/library-mode.md, as it is


PAGE = Path(__file__).parents[2] / "docs/how-to/library-mode.md"
STARLETTE, PLAIN = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def written(snippet: str) -> dict[str, Any]:
    """The names that a snippet makes."""
    names: dict[str, Any] = {}
    exec(compile(snippet, PAGE.name, "exec"), names)
    return names


async def test_the_pages_starlette_application_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = written(STARLETTE)
    async with served(names["app"]) as address:
        async with httpx2.AsyncClient(base_url=f"http://{address}") as client:
            key = (await client.get("/settings")).json()["key"]
            poll = "/live/poll?channel=private-family-1"
            assert (await client.get(poll, headers={"cookie": "user=bob"})).status_code == 403
            cursor = (await client.get(poll, headers={"cookie": "user=ann"})).json()["cursor"]
            url = f"ws://{address}/live/c/tab-1/app/{key}?protocol=7"
            async with connect(url, additional_headers={"cookie": "user=ann"}) as pusher:
                data = {"channel": "private-family-1", "auth": ""}
                await pusher.send(json.dumps({"event": "pusher:subscribe", "data": data}))
                kept = (await client.post("/tasks", json={"id": 7})).json()["kept"]
                async with asyncio.timeout(SOON):
                    while json.loads(message := await pusher.recv())["event"] != "task-created":
                        pass
            page = await client.get(f"{poll}&cursor={cursor}", headers={"cookie": "user=ann"})
        await names["live"].stop()
    assert json.loads(message)["data"] == '{"id":7}'
    assert [one["position"] for one in page.json()["messages"]] == [kept]
    assert key == written(STARLETTE)["live"].apps[0].key, "keys last beside the engine's file"


async def test_the_pages_plain_application_works() -> None:
    names = written(PLAIN)
    async with served(names["app"]) as address, listening_at(f"{address}/ws?channel=news") as told:
        async with httpx2.AsyncClient() as client:
            assert (await client.get(f"http://{address}/api/hello")).status_code == 200
        assert (await told("message"))["data"] == {"text": "it works"}
        await names["live"].stop()


# ── the end of the host


@contextlib.contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Peer]]:
    """uvicorn with the page's application, in a process of its own, and a connection to it."""
    (folder / "app.py").write_text(STARLETTE)
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", str(port), "--log-level", "critical"]
    running = subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)})
    try:
        until(lambda: answers(port), seconds=3 * SOON)
        with contextlib.closing(socket.create_connection(("127.0.0.1", port), timeout=SOON)) as sock:
            yield running, Peer(sock)
    finally:
        running.kill()
        running.wait()


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def open_stream(peer: Peer) -> bytes:
    peer.send(b"GET /live/events?channel=news HTTP/1.1\r\nHost: h\r\n\r\n")
    peer.read_until(b"subscribed")
    return b"goodbye"


def open_poll(peer: Peer) -> bytes:
    peer.send(b"GET /live/poll?channel=news HTTP/1.1\r\nHost: h\r\n\r\n")
    cursor = json.loads(peer.response()[2])["cursor"]
    peer.send(f"GET /live/poll?channel=news&wait=50&cursor={cursor} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    with socket.create_connection(peer.sock.getpeername(), timeout=SOON) as other:  # a request behind it
        after = Peer(other)
        after.send(b"GET /live/healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        after.response()
    return b'"messages":[]'


def open_socket(peer: Peer) -> bytes:
    assert peer.upgrade("/live/ws?channel=news") == 101
    peer.read_until(b"subscribed")
    return b"goodbye"


@pytest.mark.parametrize("open", [open_stream, open_poll, open_socket])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whoever_is_connected_does_not_keep_the_host_from_its_end(
    tmp_path: Path, open: Callable[[Peer], bytes], number: signal.Signals
) -> None:
    with process(tmp_path) as (running, peer):
        last_word = open(peer)
        running.send_signal(number)
        assert last_word in peer.read_all()
        running.wait(SOON)
