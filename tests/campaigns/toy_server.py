"""A server just good enough for a campaign, to try the campaign itself: one file as its log, nothing is fast.

`TOY_BUG` breaks one promise on purpose, so that a test can see whether the campaign notices:
`ack-first` acknowledges without saving, `forget-key` publishes a retry again, `skip` resumes one message too late,
`swap` replays in the wrong order. It shares no code with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

EPOCH = "toy"
BUG = os.environ.get("TOY_BUG", "")

Row = dict[str, Any]


class Log:
    """Every message in memory, and on disk before it is shown. Also remembers keys and the Pusher clients' starts."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log.jsonl"
        self._starts_path = folder / "starts.json"
        lines = self._path.read_bytes().splitlines(keepends=True) if self._path.exists() else []
        self.rows: list[Row] = [json.loads(line) for line in lines if line.endswith(b"\n")]
        self.starts: dict[str, int] = (
            json.loads(self._starts_path.read_text()) if self._starts_path.exists() else {}
        )
        self._keys = {row["key"] for row in self.rows}
        self._heads = {row["channel"]: row["offset"] for row in self.rows}
        self._file = self._path.open("wb")
        self._file.writelines(json.dumps(row).encode() + b"\n" for row in self.rows)
        self._file.flush()
        self._grown = asyncio.Condition()

    @property
    def head(self) -> int:
        return self.rows[-1]["offset"] if self.rows else 0

    async def append(self, key: str, channel: str, data: Any) -> None:
        if key in self._keys and BUG != "forget-key":
            return
        offset = self.head + 1
        row = {
            "key": key,
            "channel": channel,
            "data": data,
            "offset": offset,
            "previous": self._heads.get(channel),
        }
        self._keys.add(key)
        self._heads[channel] = offset
        self.rows.append(row)
        if BUG != "ack-first":
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()
        async with self._grown:
            self._grown.notify_all()

    def start_of(self, client: str) -> int:
        """From where this client is served, over and over: it never acknowledges anything."""
        if client not in self.starts:
            self.starts[client] = self.head
            self._starts_path.write_text(json.dumps(self.starts))
        return self.starts[client]

    async def newer(self, after: int, channels: Iterable[str], limit: float | None = None) -> list[Row]:
        """Wait for rows of the channels; at most `limit` seconds."""
        try:
            async with asyncio.timeout(limit), self._grown:
                while not (found := [row for row in self.rows[after:] if row["channel"] in channels]):
                    await self._grown.wait()
                return list(reversed(found)) if BUG == "swap" else found
        except TimeoutError:
            return []


def shown(row: Row) -> Row:
    message = {
        "type": "message",
        "id": f"id-{row['offset']}",
        "event": "step",
        "position": f"{EPOCH}:{row['offset']}",
    }
    return {**message, "channel": row["channel"], "data": row["data"], "previous": row["previous"]}


def offset_of(cursor: str | None, log: Log) -> int:
    if cursor is None:
        return log.head
    return int(cursor.rpartition(":")[2]) + (BUG == "skip")


async def follow(log: Log, after: int, channels: list[str]) -> AsyncIterator[Row]:
    for channel in channels:
        yield {"type": "subscribed", "channel": channel, "cursor": f"{EPOCH}:{after}"}
    while True:
        for row in await log.newer(after, channels):
            yield shown(row)
            after = max(after, row["offset"])


class Toy:
    """The endpoints of the contract that a campaign uses."""

    def __init__(self, log: Log) -> None:
        self.log = log

    def application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/readyz", self.ready),
                Route("/apps/{app}/events", self.publish, methods=["POST"]),
                Route("/events", self.events),
                Route("/poll", self.poll),
                WebSocketRoute("/ws", self.plain),
                WebSocketRoute("/c/{client}/app/{key}", self.pusher),
            ]
        )

    async def ready(self, request: Request) -> Response:
        return Response("ok")

    async def publish(self, request: Request) -> Response:
        body = await request.json()
        for channel in body["channels"]:
            await self.log.append(request.headers["idempotency-key"], channel, json.loads(body["data"]))
        return JSONResponse({})

    async def events(self, request: Request) -> Response:
        channels = request.query_params.getlist("channel")
        after = offset_of(request.headers.get("last-event-id"), self.log)

        async def stream() -> AsyncIterator[str]:
            yield f'data: {{"type":"connected"}}\nid: {EPOCH}:{after}\n\n'
            async for told in follow(self.log, after, channels):
                yield f"data: {json.dumps(told)}\nid: {told.get('position', told.get('cursor'))}\n\n"

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def poll(self, request: Request) -> Response:
        parameters = request.query_params
        cursor, channels = parameters.get("cursor"), parameters.getlist("channel")
        after = offset_of(cursor, self.log)
        rows = await self.log.newer(after, channels, float(parameters["wait"])) if cursor else []
        last = max((row["offset"] for row in rows), default=after)
        messages = [shown(row) for row in rows]
        return JSONResponse({"cursor": f"{EPOCH}:{last}", "messages": messages, "reset": None})

    async def plain(self, socket: WebSocket) -> None:
        await socket.accept()
        channels = socket.query_params.getlist("channel")
        after = offset_of(socket.query_params.get("cursor"), self.log)
        try:
            await socket.send_json({"type": "connected"})
            async for told in follow(self.log, after, channels):
                await socket.send_json(told)
        except WebSocketDisconnect:
            return

    async def pusher(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            data = json.dumps({"socket_id": "1.1", "activity_timeout": 120})
            await socket.send_json({"event": "pusher:connection_established", "data": data})
            channels = [(await socket.receive_json())["data"]["channel"] for _ in range(3)]
            after = self.log.start_of(socket.path_params["client"])
            async for told in follow(self.log, after, channels):
                event = told.get("event", "pusher_internal:subscription_succeeded")
                await socket.send_json({**told, "event": event, "data": json.dumps(told.get("data", {}))})
        except WebSocketDisconnect:
            return


def main() -> None:
    parser = argparse.ArgumentParser()
    for flag in ("host", "port", "data", "app", "engine"):
        parser.add_argument(f"--{flag}")
    options = parser.parse_args()

    async def serve() -> None:
        config = uvicorn.Config(
            Toy(Log(Path(options.data))).application(),
            host=options.host,
            port=int(options.port),
            log_level="warning",
        )
        await uvicorn.Server(config).serve()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
