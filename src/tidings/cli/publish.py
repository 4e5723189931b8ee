"""`tidings publish`: one signed request of the Pusher HTTP API. Holds no retry: the key makes repeating it safe."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

import httpx2
import msgspec
from cyclopts import Parameter

from tidings.cli.options import Apps, ConfigFile, Data, Url, first_app, load_settings, server_url
from tidings.config.settings import AppEntry
from tidings.errors import TidingsError
from tidings.protocols.pusher.signatures import body_md5, request_text, sign

TIMEOUT: Final = 30.0
"""Seconds for the server to have the message on disk."""


class RequestFailed(TidingsError):
    """The server could not be reached, or said no. The text says what to do."""


def publish(
    channel: str,
    event: str,
    data: str = "null",
    /,
    *,
    url: Url = None,
    key: Annotated[
        str | None, Parameter(help="Idempotency key: repeated with it, it is one message.")
    ] = None,
    config: ConfigFile = None,
    app: Apps = None,
    data_dir: Annotated[Data, Parameter(name="--data")] = None,
) -> int:
    """Send one message, and print its position once it is kept.

    DATA is JSON, between single quotes so that the shell leaves it alone; what is not JSON is sent as text.

    ```
    tidings publish project-42 task-created '{"taskId": 7}'
    ```

    Parameters
    ----------
    channel
        Channel to send to.
    event
        Name of the event.
    data
        What it carries.
    """
    if warning := slip(data):
        print(f"tidings: note: {warning}", file=sys.stderr)
    loaded = load_settings(config=config, data=data_dir, app=app)
    answer = post(server_url(url, loaded), first_app(loaded), channel, event, json_of(data), key=key)
    position = answer.headers.get("tidings-position")
    print(f"kept at {position}" if position else "kept")
    return 0


def json_of(text: str) -> bytes:
    """The text itself when it is JSON, else the JSON string of it."""
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return msgspec.json.encode(text)
    return text.encode()


def slip(text: str) -> str | None:
    """What to tell of a text that looks like JSON and is none; None when it is well."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        return f"DATA looks like JSON and is not ({error}): sent as text. Put it between single quotes"
    return None


def post(
    url: str, app: AppEntry, channel: str, event: str, data: bytes, *, key: str | None = None
) -> httpx2.Response:
    """Send it. Raises RequestFailed with what the server said."""
    body = msgspec.json.encode({"name": event, "channels": [channel], "data": msgspec.Raw(data)})
    path = f"/apps/{app.id}/events"
    query = signed_query("POST", urlsplit(url).path + path, app, body, now=time.time())
    headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key is not None else {})}
    try:
        answer = httpx2.post(f"{url}{path}?{query}", content=body, headers=headers, timeout=TIMEOUT)
    except httpx2.TransportError as error:
        raise RequestFailed(unreachable(url, error)) from error
    except (httpx2.InvalidURL, ValueError) as error:
        raise RequestFailed(
            f"{url} is not a server's address; give one such as --url http://127.0.0.1:8000"
        ) from error
    if answer.status_code != 200:
        raise RequestFailed(f"the server refused: {answer.text.strip() or answer.status_code}")
    return answer


def unreachable(url: str, error: Exception) -> str:
    """What to tell when nobody answers."""
    why = str(error) or type(error).__name__
    return f"no answer from {url} ({why}); is `tidings serve` running there? --url names another"


def signed_query(
    method: str,
    path: str,
    app: AppEntry,
    body: bytes,
    *,
    now: float,
    more: Sequence[tuple[str, str]] = (),
) -> str:
    """The query of a signed request (pusher.md 3.1). now: seconds since the Unix epoch. more: parameters of its own."""
    key, secret = next(iter(app.pairs().items()))
    parameters: list[tuple[str, Any]] = [
        ("auth_key", key),
        ("auth_timestamp", str(int(now))),
        ("auth_version", "1.0"),
        *([("body_md5", body_md5(body))] if body else []),
        *more,
    ]
    signature = sign(secret, request_text(method, path, parameters))
    return urlencode([*parameters, ("auth_signature", signature)])
