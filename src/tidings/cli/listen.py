"""`tidings listen`: follow channels over the event stream, through restarts, with the cursor always in sight.

It is a client like any other: what it prints of gaps and resets is what every client is told.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any, Final

import httpx2
import jwt
import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from tidings.cli import WrongUsage
from tidings.cli.options import Apps, ConfigFile, Data, Url, load_settings, server_url, with_kept_app
from tidings.cli.publish import RequestFailed, unreachable
from tidings.errors import Refusal, RemoteProtocolError
from tidings.messages import Position
from tidings.protocols.sse.events import EventParser, StreamEvent

CONNECT_SECONDS: Final = 10.0
"""For a connection and its first bytes."""

SILENT_SECONDS: Final = 45.0
"""Without a byte the stream is dead: three heartbeats of the server."""

LONGEST_WAIT: Final = 30.0
"""Seconds between two tries, at most."""


def listen(
    channels: Annotated[list[str], Parameter(help="Channels to follow.", negative=(), consume_multiple=True)],
    /,
    *,
    url: Url = None,
    cursor: Annotated[
        str | None, Parameter(help="Begin after this cursor, as an earlier `listen` printed it.")
    ] = None,
    token: Annotated[
        str | None, Parameter(help="Token that opens the channels; `tidings token` makes one.")
    ] = None,
    filter: Annotated[
        str | None, Parameter(help="Which rows to be told of, such as `project_id=eq.42`, in every channel.")
    ] = None,
    json: Annotated[bool, Parameter(help="One JSON object a line, for other programs.", negative=())] = False,
    config: ConfigFile = None,
    app: Apps = None,
    data: Data = None,
) -> int:
    """Follow channels: prints each message with its cursor and times, and comes back by itself after a break.

    A gap is told loudly (RESET): the server no longer has all that was missed. Ctrl-C ends it.

    ```
    tidings listen project-42 project-43
    tidings listen rows-tasks --filter project_id=eq.42
    ```
    """
    check_cursor(cursor)
    check_token(token)
    loaded = load_settings(config=config, data=data, app=app)
    apps = with_kept_app(loaded).config.apps
    key = next(iter(apps[0].pairs())) if apps else None
    follower = Follower(server_url(url, loaded), channels, key=key, token=token, cursor=cursor, filter=filter)
    teller = JsonTeller() if json else Teller()
    for happening in follower.happenings():
        teller.tell(happening)
    return 0


def check_cursor(cursor: str | None) -> None:
    """Raises WrongUsage for what no server ever wrote."""
    try:
        if cursor is not None:
            Position.parse(cursor)
    except Refusal as error:
        raise WrongUsage(f"--cursor {cursor!r}: it is none; {error.detail}, as `listen` prints it") from error


def check_token(token: str | None) -> None:
    """Raises WrongUsage for what cannot be a token; whether it is a good one the server decides."""
    try:
        if token is not None:
            jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise WrongUsage("--token: it is not a JWT; `tidings token` makes one") from error


class Happening(msgspec.Struct, frozen=True):
    """One object of the stream and the cursor after it; or, with `broken`, why the connection ended."""

    object: dict[str, Any]
    cursor: str
    broken: str | None = None


class Follower:
    """The event stream of some channels, over any number of connections. client, sleep: for tests."""

    def __init__(
        self,
        url: str,
        channels: list[str],
        *,
        key: str | None = None,
        token: str | None = None,
        cursor: str | None = None,
        filter: str | None = None,
        client: httpx2.Client | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cursor = cursor or ""
        self._base = url
        self._url = f"{url}/events"
        self._token = token
        self._query: dict[str, str | list[str]] = {"channel": channels, "framing": "typed"}
        if key is not None:
            self._query["app"] = key
        if filter is not None:
            self._query["filter"] = filter
        self._client = client or httpx2.Client(timeout=httpx2.Timeout(CONNECT_SECONDS, read=SILENT_SECONDS))
        self._sleep = sleep
        self._tries = 0
        self._retry: int | None = None

    def happenings(self) -> Iterator[Happening]:
        """Follow for ever. Raises RequestFailed for a refusal that trying again cannot change."""
        with self._client as client:
            while True:
                try:
                    yield from self._connection(client)
                    why = "the server ended the stream"
                except httpx2.ConnectError as error:
                    why = unreachable(self._base, error)
                except (httpx2.TransportError, RemoteProtocolError) as error:
                    why = str(error) or type(error).__name__
                wait = self._wait()
                yield Happening({}, self.cursor, f"{why}; trying again in {wait:.1f} s")
                self._sleep(wait)

    def _connection(self, client: httpx2.Client) -> Iterator[Happening]:
        headers = {"Accept": "text/event-stream"}
        if self.cursor:
            headers["Last-Event-ID"] = self.cursor
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        with client.stream("GET", self._url, params=self._query, headers=headers) as answer:
            if answer.status_code != 200:
                answer.read()
                raise RequestFailed(f"the server refused: {_refusal(answer)}")
            parser = EventParser()
            for chunk in answer.iter_bytes():
                for event in parser.feed(chunk):
                    self._tries = 0
                    yield self._happening(event)
                self._retry = parser.retry or self._retry

    def _happening(self, event: StreamEvent) -> Happening:
        if event.id:
            self.cursor = event.id
        try:
            found = msgspec.json.decode(event.data, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise RemoteProtocolError(f"{self._url} does not speak our event stream") from error
        if found.get("type") == "reset" and isinstance(found.get("cursor"), str):
            self.cursor = found["cursor"]  # the one we came with is what the server could not go on from
        return Happening(found, self.cursor)

    def _wait(self) -> float:
        """Seconds: what the server asked for, doubled with each failure in a row, with jitter."""
        asked = (self._retry or 500) / 1000
        self._tries += 1
        return min(asked * 2.0 ** (self._tries - 1), LONGEST_WAIT) * random.uniform(0.8, 1.2)


class JsonTeller:
    """One JSON object a line: the stream's own, with `cursor` added."""

    def tell(self, happening: Happening) -> None:
        """Print one line."""
        if happening.broken is not None:
            line: dict[str, Any] = {"type": "broken", "why": happening.broken, "cursor": happening.cursor}
        else:
            line = {**happening.object, "cursor": happening.cursor}
        print(msgspec.json.encode(line).decode(), flush=True)


class Teller:
    """Lines for a person: time, cursor, channel, event, data. Control characters from outside are shown, not obeyed."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    def tell(self, happening: Happening) -> None:
        """Print what happened; heartbeats and the like are silent."""
        if happening.broken is not None:
            self._line(f"-- {happening.broken}; cursor {happening.cursor or '-'}", "yellow")
            return
        match happening.object.get("type"):
            case "connected":
                self._line(f"-- connected, cursor {happening.object.get('cursor', '-')}", "green")
            case "reset":
                self._reset(happening)
            case "reply" if happening.object.get("ok") is False:
                self._line(f"-- refused: {happening.object.get('error')}", "red")
            case "unsubscribed" | "goodbye":
                found = happening.object
                self._line(
                    f"-- {found['type']}: {found.get('channel', '')} {found.get('message', '')}", "yellow"
                )
            case "message" | "joined" | "left":
                self._message(happening)
            case _:
                pass

    def _message(self, happening: Happening) -> None:
        found = happening.object
        cursor = str(found.get("position", "-"))
        event = found.get("event", found["type"])
        data = msgspec.json.encode(found.get("data", found.get("info"))).decode()
        self._line(f"{_clock(found.get('time'))}  {cursor:<16}  {found.get('channel')}  {event}  {data}", "")

    def _reset(self, happening: Happening) -> None:
        found = happening.object
        names = ", ".join(map(str, found.get("channels", ())))
        self._line(
            f"!! RESET {names}: {found.get('reason')}. Messages may be missing; read the present state anew,"
            f" then go on from {happening.cursor or found.get('cursor')}",
            "bold red",
        )

    def _line(self, text: str, style: str) -> None:
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
        self._console.print(Text(shown, style=style))


def _clock(milliseconds: Any) -> str:
    if not isinstance(milliseconds, int):
        return "--:--:--.---"
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _refusal(answer: httpx2.Response) -> str:
    try:
        error = msgspec.json.decode(answer.content, type=dict[str, Any])["error"]
        return str(error["message"]) if isinstance(error, dict) else str(error)
    except (msgspec.DecodeError, KeyError):
        return f"status {answer.status_code}; is this a Tidings server?"
