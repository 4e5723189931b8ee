"""The door of the HTTP API: which app, which signature, and how no is said. Requests as values, a host in memory."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
import pytest

from tests.unit.protocols.pusher.test_api import NOW, MemoryHost
from tidings.errors import Refusal
from tidings.protocols.http import Request
from tidings.protocols.pusher.api import EventBody
from tidings.protocols.pusher.door import MAX_KEY, admit, error_response, idempotency_key, read_body
from tidings.protocols.pusher.signatures import body_md5, request_text, sign

PATH = "/apps/1001/events"


def signed(path: str = PATH, *, prefix: str = "", body: bytes = b"", at: int = NOW) -> Request:
    """A signed POST; prefix: what the client sees before the path."""
    pairs = [("auth_key", "key"), ("auth_timestamp", str(at)), ("auth_version", "1.0")]
    pairs += [("body_md5", body_md5(body))] if body else []
    pairs.append(("auth_signature", sign("secret", request_text("POST", prefix + path, pairs))))
    params = {"app_id": "1001"}
    return Request(method="POST", path=prefix + path, query=urlencode(pairs), body=body, params=params)


def refusal(request: Request) -> str:
    with pytest.raises(Refusal) as refused:
        admit(request, MemoryHost())
    return refused.value.name


def test_a_signed_request_is_let_in_with_its_app() -> None:
    call = admit(signed(body=b"{}"), MemoryHost())
    assert (call.app.id, call.signed.expires) == ("1001", NOW + 600)


def test_the_path_that_the_client_sees_is_signed() -> None:
    assert admit(signed(prefix="/live"), MemoryHost()).app.id == "1001"


@pytest.mark.parametrize(("at", "name"), [(NOW - 601, "signature_expired"), (NOW + 602, "signature_expired")])
def test_the_clock_must_fit(at: int, name: str) -> None:
    assert refusal(signed(at=at)) == name


def test_an_unsigned_request_is_refused() -> None:
    request = Request(method="POST", path=PATH, params={"app_id": "1001"})
    assert refusal(request) == "not_authenticated"


def test_a_body_that_was_changed_is_refused() -> None:
    request = msgspec.structs.replace(signed(body=b"{}"), body=b"[]")
    assert refusal(request) == "bad_signature"


def test_an_idempotency_key_has_a_name_space_of_its_own() -> None:
    request = Request(method="POST", path=PATH, headers={"idempotency-key": "k" * MAX_KEY})
    assert idempotency_key(request) == "pusher:" + "k" * MAX_KEY
    assert idempotency_key(Request(method="POST", path=PATH)) is None


def test_a_refusal_is_a_line_of_text_with_status_and_name() -> None:
    response = error_response(Refusal("unavailable"))
    assert (response.status, response.headers["tidings-error"]) == (503, "unavailable")
    assert response.body.count(b"\n") == 1


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[1]", b'{"name":1}'])
def test_a_body_of_another_shape_is_refused(body: bytes) -> None:
    with pytest.raises(Refusal):
        read_body(Request(method="POST", path=PATH, body=body), EventBody)
