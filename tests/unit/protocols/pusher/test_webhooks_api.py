"""The dead letters over HTTP: signed like the rest, and each app its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.unit.protocols.pusher.test_api import NOW, MemoryHost
from tidings.ids import AppId
from tidings.protocols.http import Request, Response
from tidings.protocols.pusher.signatures import body_md5, request_text, sign
from tidings.protocols.pusher.webhooks_api import MAX_IDS, webhook_routes


class Letters:
    """Who keeps the dead letters; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def dead_letters(
        self, app: AppId, *, after: str | None, limit: int
    ) -> tuple[Sequence[dict[str, Any]], bool]:
        self.asked.append((app, after, limit))
        return [{"id": "a", "reason": "answered 500"}], True

    async def replay(self, app: AppId, ids: Sequence[str] | None) -> int:
        self.asked.append((app, ids))
        return 3


async def call(
    letters: Letters, method: str, path: str, *, body: bytes = b"", secret: str = "secret", **query: str
) -> Response:
    pairs = [
        ("auth_key", "key"),
        ("auth_timestamp", str(NOW)),
        ("auth_version", "1.0"),
        *([("body_md5", body_md5(body))] if body else []),
        *query.items(),
    ]
    full = f"/apps/1001/webhooks/{path}"
    pairs.append(("auth_signature", sign(secret, request_text(method, full, pairs))))
    request = Request(method=method, path=full, query=urlencode(pairs), body=body, params={"app_id": "1001"})
    (route,) = [one for one in webhook_routes(letters) if one.method == method]
    return await route.handler(request, MemoryHost())


async def test_a_page_of_dead_letters() -> None:
    letters = Letters()
    answer = await call(letters, "GET", "dead", limit="2", after="x")
    assert json.loads(answer.body) == {"dead": [{"id": "a", "reason": "answered 500"}], "more": True}
    assert letters.asked == [("1001", "x", 2)]


async def test_without_parameters_the_first_hundred() -> None:
    letters = Letters()
    assert (await call(letters, "GET", "dead")).status == 200
    assert letters.asked == [("1001", None, 100)]


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "a", "²", "99999"])
async def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    assert (await call(Letters(), "GET", "dead", limit=limit)).status == 400


@pytest.mark.parametrize(
    ("body", "ids"),
    [(b"", None), (b"{}", None), (b'{"ids":null}', None), (b'{"ids":["a","b"]}', ("a", "b"))],
)
async def test_a_replay_of_all_or_of_those_named(body: bytes, ids: Any) -> None:
    letters = Letters()
    answer = await call(letters, "POST", "dead/replay", body=body)
    assert json.loads(answer.body) == {"replayed": 3}
    assert letters.asked == [("1001", ids)]


@pytest.mark.parametrize(
    "body", [b"[", b'{"ids":1}', b'{"ids":[1]}', json.dumps({"ids": ["a"] * (MAX_IDS + 1)}).encode()]
)
async def test_a_replay_that_makes_no_sense_is_refused(body: bytes) -> None:
    letters = Letters()
    assert (await call(letters, "POST", "dead/replay", body=body)).status == 400
    assert letters.asked == []


@pytest.mark.parametrize(("method", "path"), [("GET", "dead"), ("POST", "dead/replay")])
async def test_without_the_secret_nothing_is_told_or_sent(method: str, path: str) -> None:
    letters = Letters()
    answer = await call(letters, method, path, secret="wrong")
    assert (answer.status, letters.asked) == (401, [])
