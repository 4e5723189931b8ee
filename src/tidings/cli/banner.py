"""What `tidings serve` says when it is ready: where everything is, and lines to paste. Holds no decision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text

from tidings.cli.options import server_url
from tidings.config.loading import Loaded
from tidings.config.settings import AppEntry, ServerSettings
from tidings.config.urls import without_password

SECRETS_SHOWN: Final = "data folder"
"""Where secrets come from that nobody else knows yet: only those are printed."""

USUAL_URL: Final = "http://127.0.0.1:8000"
USUAL_DATA: Final = ServerSettings().data

WIDTH: Final = 12
"""Columns of the names on the left."""


class Banner:
    """The lines for one configuration. durability: the engine's sentence."""

    def __init__(self, loaded: Loaded, durability: str) -> None:
        self._config = loaded.config
        self._url = server_url(None, loaded)
        self._durability = durability
        origin = loaded.origins.get("apps[1].secret")
        self._made = origin is not None and origin.name.startswith(SECRETS_SHOWN)

    def print(self, console: Console | None = None) -> None:
        """Write it to standard output."""
        console = console or Console(highlight=False, soft_wrap=True)
        for style, line in self.lines():
            console.print(Text(line, style=style))

    def lines(self) -> Iterator[tuple[str, str]]:
        """Style and text of each line."""
        yield "bold green", f"Tidings is ready at {self._url}"
        yield "", ""
        yield from self._apps()
        yield from self._endpoints()
        if self._config.apps:
            yield from self._snippets(self._config.apps[0])
        yield from self._places()

    def _apps(self) -> Iterator[tuple[str, str]]:
        for app in self._config.apps:
            key, secret = next(iter(app.pairs().items()))
            shown = f"   secret {secret}" if self._made else ""
            yield "", _row("app", f"id {app.id}   key {key}{shown}")
        if self._config.apps_table is not None:
            yield "", _row("apps", f"of table {self._config.apps_table.table}")
        yield "", ""

    def _endpoints(self) -> Iterator[tuple[str, str]]:
        socket = self._url.replace("http", "ws", 1)
        app = next(((entry.id, next(iter(entry.pairs()))) for entry in self._config.apps), ("ID", "KEY"))
        yield "", _row("Pusher", f"{socket}/app/{app[1]}")
        yield "", _row("HTTP API", f"{self._url}/apps/{app[0]}/events")
        yield "", _row("EventSource", f"{self._url}/events?channel=news")
        yield "", _row("polling", f"{self._url}/poll?channel=news")
        yield "", _row("WebSocket", f"{socket}/ws?channel=news")
        yield "", _row("health", f"{self._url}/healthz   /readyz   /metrics")
        yield "", ""

    def _snippets(self, app: AppEntry) -> Iterator[tuple[str, str]]:
        address = urlsplit(self._url)
        key = next(iter(app.pairs()))
        port = address.port or 80
        yield "dim", "in a page (pusher-js)"
        yield (
            "",
            f'  const pusher = new Pusher("{key}", {{cluster: "", wsHost: "{address.hostname}", wsPort: {port},',
        )
        yield "", '    forceTLS: false, enabledTransports: ["ws"],'
        yield (
            "",
            "    wsPath: `/c/${crypto.randomUUID()}`});  // a stable id: the server replays what a break made it miss",
        )
        yield "", '  pusher.subscribe("news").bind("hello", console.log);'
        yield (
            "dim",
            "  a page of another host or port that sends cookies needs its origin in `origins` of [[apps]]",
        )
        yield "dim", "in a page (nothing to install)"
        yield (
            "",
            f'  new EventSource("{self._url}/events?channel=news").addEventListener("hello", console.log);',
        )
        yield "dim", "in a terminal"
        yield "", f"  curl -N '{self._url}/events?channel=news'"
        yield "", f"  tidings listen news{self._flags()}"
        yield "", f"""  tidings publish news hello '{{"text": "it works"}}'{self._flags()}"""
        yield "", ""

    def _flags(self) -> str:
        """What the other commands need to find this server and its keys."""
        url = "" if self._url == USUAL_URL else f" --url {self._url}"
        data = self._config.server.data
        return url + (f" --data {data}" if self._made and data != USUAL_DATA else "")

    def _places(self) -> Iterator[tuple[str, str]]:
        yield "", _row("log", f"{self._config.engine_url}  ({self._durability})")
        for source in self._config.sources:
            yield "", _row("source", without_password(source.url))
        if self._made:
            yield "", _row("keys", f"{self._config.server.data}/app.json")
        yield "dim", "Ctrl-C ends it."


def _row(name: str, text: str) -> str:
    return f"{name:<{WIDTH}} {text}"
