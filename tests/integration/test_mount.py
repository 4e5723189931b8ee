"""Library mode: mounted into a Starlette host under a plain uvicorn, that is, without our own protocol classes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
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

from tidings import Tidings
from tidings.cli.publish import signed_query
from tidings.config.settings import AppEntry
from tidings.node.authorizer import Visitor

SOON = 10.0
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


@contextlib.asynccontextmanager
async def listening(address: str, query: str) -> AsyncIterator[Any]:
    """A plain WebSocket that has been told `subscribed`; a function that gives the next message."""
    async with connect(f"ws://{address}/live/ws?{query}") as socket, asyncio.timeout(SOON):

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
