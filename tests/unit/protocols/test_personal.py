"""Answers that no shared cache may keep."""

from __future__ import annotations

import msgspec

from tidings.errors import Refusal
from tidings.protocols.personal import refused_response


def test_a_refusal_says_when_to_come_back_and_how_to_prove_oneself() -> None:
    busy = refused_response(Refusal("busy"))
    assert (busy.status, busy.headers["Retry-After"]) == (503, "1")
    unknown = refused_response(Refusal("not_authenticated"))
    assert (unknown.status, unknown.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert msgspec.json.decode(unknown.body)["error"]
