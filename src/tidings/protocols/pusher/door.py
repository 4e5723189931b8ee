"""The door of the Pusher HTTP API: who asks, whether it is signed, and how a refusal is told. Holds no endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec

from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.protocols.http import AppView, Handler, Host, Request, Response
from tidings.protocols.json_values import MAX_DEPTH, refuse_shape
from tidings.protocols.pusher.messages import check_bounds
from tidings.protocols.pusher.names import validate_channel
from tidings.protocols.pusher.signatures import Signed, verify_request

MAX_KEY: Final = 128
"""Characters of an `Idempotency-Key`: each is remembered for as long as the log."""

BODY_DEPTH: Final = MAX_DEPTH + 3
"""Levels of a body's JSON: data, within an event, within a batch, within the body."""


class Call(msgspec.Struct, frozen=True):
    """A request whose app and signature are known to be good."""

    request: Request
    host: Host
    app: AppView
    signed: Signed

    def channel(self) -> ChannelName:
        """The channel in the path. Raises Refusal `bad_channel`."""
        return validate_channel(self.request.params["channel"], max_length=self.app.max_channel_name)


T = TypeVar("T")
Endpoint = Callable[[Call], Awaitable[Response]]


def admit(request: Request, host: Host) -> Call:
    """Find the app and check the signature before anything else of the request is looked at.

    Raises Refusal `unknown_app`, `app_disabled`, or as `verify_request` does, or `signature_replayed`.
    """
    app = _app(request, host)
    signed = verify_request(request, app.secrets, host.now())
    if request.method == "POST":
        _refuse_replay(app, signed, host, idempotency_key(request))
    return Call(request, host, app, signed)


def _app(request: Request, host: Host) -> AppView:
    """The app of the path; where the path names none, that of the key. The signature is checked with its secrets."""
    if "app_id" in request.params:
        return host.app(request.params["app_id"])
    return host.app_of(next((value for name, value in request.pairs() if name == "auth_key"), ""))


def _refuse_replay(app: AppView, signed: Signed, host: Host, key: str | None) -> None:
    """A signature counts once; but with the idempotency key it first came with it is a retry, and makes no second
    message. The key must be that one: it is not signed, and a thief could add a fresh one."""
    if key is None:
        fresh = host.accept_signature(app.id, signed.signature, signed.expires)
    else:
        fresh = host.accept_signature(app.id, signed.signature, signed.expires, key=key)
    if not fresh:
        raise Refusal("signature_replayed", field="auth_signature")


def idempotency_key(request: Request) -> str | None:
    """The key of a publish, in a name space of its own. Raises Refusal `bad_key`."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise Refusal("bad_key", field="Idempotency-Key", limit=MAX_KEY)
    return f"pusher:{key}"


def endpoint(answer: Endpoint) -> Handler:
    """An endpoint as a route's handler: admitted first, and a refusal told in Pusher's way."""

    async def handle(request: Request, host: Host) -> Response:
        try:
            return await answer(admit(request, host))
        except Refusal as refusal:
            return error_response(refusal)

    return handle


def error_response(refusal: Refusal) -> Response:
    """A refusal as Pusher's callers read it: the status, and the reason as text (pusher.md 2.2)."""
    headers = {"tidings-error": refusal.name}
    if refusal.reason.retry:
        headers["retry-after"] = "1"
    body = f"{refusal.text}\n".encode(errors="replace")
    return Response(
        status=refusal.reason.status, body=body, content_type="text/plain; charset=utf-8", headers=headers
    )


def read_body(request: Request, kind: type[T]) -> T:
    """Read the JSON of a body. Raises Refusal `bad_json`, `too_deep` or `bad_message`."""
    check_bounds(request.body, max_depth=BODY_DEPTH)
    try:
        return msgspec.json.decode(request.body, type=kind)
    except msgspec.ValidationError as error:
        raise refuse_shape(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("bad_json", field="body", detail=str(error)) from error
