"""`tidings webhooks list` and `replay`: the dead letters of a running server, over its signed HTTP API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import httpx2
import msgspec
from cyclopts import Parameter

from tidings.cli.options import Apps, ConfigFile, Data, Url, first_app, load_settings, server_url
from tidings.cli.publish import RequestFailed, signed_query, unreachable
from tidings.config.loading import Loaded
from tidings.config.settings import AppEntry

TIMEOUT: Final = 30.0
"""Seconds for the server to answer."""

PAGE: Final = 500
"""Entries asked for at a time."""

AT_ONCE: Final = 1_000
"""Entries that the server replays for one request."""

AppId = Annotated[str | None, Parameter(help="Id of the app, where there are several; default: the first.")]
Json = Annotated[bool, Parameter(help="One JSON object a line, for scripts.", negative=())]


class _Page(msgspec.Struct, frozen=True):
    dead: tuple[dict[str, Any], ...]
    more: bool


class _Replayed(msgspec.Struct, frozen=True):
    replayed: int


def list_dead(
    *,
    json: Json = False,
    url: Url = None,
    app_id: AppId = None,
    config: ConfigFile = None,
    app: Apps = None,
    data: Data = None,
) -> int:
    """List the webhook events that could not be delivered, oldest first, with the last reason.

    ```
    tidings webhooks list
    tidings webhooks list --json | jq .event
    ```
    """
    server = _Server(url, app_id, load_settings(config=config, data=data, app=app))
    count = 0
    for row in server.dead():
        count += 1
        print(msgspec.json.encode(row).decode() if json else line_of(row))
    if not json:
        print(f"{count} in the dead-letter list")
    return 0


def replay(
    *ids: str,
    url: Url = None,
    app_id: AppId = None,
    config: ConfigFile = None,
    app: Apps = None,
    data: Data = None,
) -> int:
    """Send dead letters again: those named by their ids, or all. A statement of a loss goes when it is named.

    ```
    tidings webhooks replay
    tidings webhooks replay 9kRzW0h3VJm1o0nUQ2xQ5A
    ```

    Parameters
    ----------
    ids
        As `tidings webhooks list` prints them.
    """
    server = _Server(url, app_id, load_settings(config=config, data=data, app=app))
    parts = [list(ids[at : at + AT_ONCE]) for at in range(0, len(ids), AT_ONCE)] if ids else server.parts()
    replayed = sum(server.replay(part) for part in parts)
    print(f"{replayed} on the way again")
    return 0


def line_of(row: dict[str, Any]) -> str:
    """An entry for a person: id, when, what, where, why."""
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row["time_ms"] / 1000))
    event = row.get("event") or {}
    what = f"{event.get('name')} {event.get('channel')}" if event else f"LOST {row.get('lost')} event(s)"
    where = row.get("url") or "all webhooks"
    return f"{row['id']}  {when}Z  {_plain(what)}  {_plain(where)}  ({row['tries']} tries) {_plain(row['reason'])}"


def _plain(text: str) -> str:
    """Without what would move a terminal's cursor: names come from strangers."""
    return "".join(char if char.isprintable() else "�" for char in text)


class _Server:
    """The server's endpoints for one app."""

    def __init__(self, url: str | None, app_id: str | None, loaded: Loaded) -> None:
        self._url = server_url(url, loaded)
        self._app = app_of(app_id, loaded)

    def dead(self) -> Iterator[dict[str, Any]]:
        """Every entry, page by page."""
        after, more = "", True
        while more:
            query = [("limit", str(PAGE)), *([("after", after)] if after else [])]
            page = self._ask("GET", "dead", _Page, query=query)
            yield from page.dead
            more = page.more and bool(page.dead)
            after = page.dead[-1]["id"] if page.dead else ""

    def parts(self) -> Iterator[list[str]]:
        """The ids of all that can be replayed, in parts. Taken first: what fails again comes to the end of the list."""
        ids = [row["id"] for row in self.dead() if not row.get("lost")]
        for at in range(0, len(ids), AT_ONCE):
            yield ids[at : at + AT_ONCE]

    def replay(self, ids: list[str]) -> int:
        """Replay one part; returns how many."""
        answer: _Replayed = self._ask(
            "POST", "dead/replay", _Replayed, body=msgspec.json.encode({"ids": ids})
        )
        return answer.replayed

    def _ask(
        self,
        method: str,
        path: str,
        kind: Any,
        *,
        body: bytes = b"",
        query: list[tuple[str, str]] | None = None,
    ) -> Any:
        path = f"/apps/{self._app.id}/webhooks/{path}"
        signed = signed_query(
            method, urlsplit(self._url).path + path, self._app, body, now=time.time(), more=query or ()
        )
        try:
            answer = httpx2.request(method, f"{self._url}{path}?{signed}", content=body, timeout=TIMEOUT)
        except httpx2.TransportError as error:
            raise RequestFailed(unreachable(self._url, error)) from error
        except (httpx2.InvalidURL, ValueError) as error:
            raise RequestFailed(
                f"{self._url} is not a server's address; give one such as --url http://127.0.0.1:8000"
            ) from error
        if answer.status_code != 200:
            raise RequestFailed(f"the server refused: {answer.text.strip() or answer.status_code}")
        return msgspec.json.decode(answer.content, type=kind)


def app_of(app_id: str | None, loaded: Loaded) -> AppEntry:
    """The app with an id, else the first. Raises RequestFailed, ConfigError."""
    if app_id is None:
        return first_app(loaded)
    found = next((entry for entry in loaded.config.apps if entry.id == app_id), None)
    if found is None:
        known = ", ".join(entry.id for entry in loaded.config.apps) or "none"
        raise RequestFailed(f"no app has the id {app_id!r}; configured are {known}")
    return found
