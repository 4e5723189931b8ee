"""`python -m examples.kanban`: the board by itself, beside a live server. Only reads the command line."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from examples.kanban.app import create_app
from examples.kanban.live import LiveSettings
from examples.kanban.publishing import publisher


def main() -> None:
    """Serve until interrupted."""
    options = _options()
    uvicorn.run(build(options), host=options.host, port=options.port, log_level="info")


def build(options: argparse.Namespace) -> Starlette:
    """The board, with an HTTP client to the live server that closes with it."""
    client = httpx2.AsyncClient(base_url=options.live)
    live = settings(options)
    board = create_app(options.database, live=live, emit=options.emit, publish=publisher(client, live))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with client, board.router.lifespan_context(board):
            yield

    return Starlette(routes=[Mount("/", board)], lifespan=lifespan)


def settings(options: argparse.Namespace) -> LiveSettings:
    """Where the page finds the live server, from its address."""
    address = urlsplit(options.live)
    tls = address.scheme == "https"
    return LiveSettings(
        key=options.key,
        secret=options.secret,
        app_id=options.app_id,
        host=address.hostname,
        port=address.port or (443 if tls else 80),
        path=address.path.rstrip("/"),
        tls=tls,
        channel_prefix="private-" if options.private else "",
        resume=options.resume,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.kanban", description="The kanban board.")
    parser.add_argument(
        "--database", type=Path, default=Path("kanban.db"), help="SQLite file, made if missing"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001)
    parser.add_argument("--live", default="http://127.0.0.1:8000", help="address of tidings serve")
    parser.add_argument("--key", required=True, help="key of the app")
    parser.add_argument(
        "--secret", default="", help="secret of the app: for --emit client-trigger and --private"
    )
    parser.add_argument("--app-id", default="kanban", help="id of the app")
    parser.add_argument("--emit", choices=["server", "client-trigger"], default="server")
    parser.add_argument(
        "--private", action="store_true", help="subscribe to private- names, signed by this back end"
    )
    parser.add_argument(
        "--resume", action="store_true", help="ask the live server to hold a cursor for each page"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
