"""`tidings publish`: the request that is signed, and what is said when it fails."""

from __future__ import annotations

import pytest

from tidings.cli.publish import RequestFailed, json_of, post, signed_query, slip
from tidings.config.settings import AppEntry
from tidings.protocols.http import Request
from tidings.protocols.pusher.signatures import verify_request
from tidings.testing.ports import free_port

APP = AppEntry(id="1", key="k", secret="s")


def test_the_signature_is_one_that_the_server_accepts() -> None:
    query = signed_query("POST", "/live/apps/1/events", APP, b"{}", now=1000.0)
    request = Request(method="POST", path="/live/apps/1/events", query=query, body=b"{}")
    assert verify_request(request, {"k": "s"}, 1001.0).signature


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{"a": 1}', b'{"a": 1}'),
        ("7", b"7"),
        ("null", b"null"),
        ("plain text", b'"plain text"'),
        ('{"broken', b'"{\\"broken"'),
        ('"quoted"', b'"quoted"'),
    ],
)
def test_what_is_not_json_is_text(text: str, data: bytes) -> None:
    assert json_of(text) == data


@pytest.mark.parametrize("text", ["{taskId: 7}", '{"broken', "[1,", '"half'])
def test_what_looks_like_json_and_is_none_is_told(text: str) -> None:
    assert "sent as text" in str(slip(text))


@pytest.mark.parametrize("text", ['{"a": 1}', "7", "null", "plain text", "it's {so}"])
def test_nothing_is_told_of_json_and_of_plain_text(text: str) -> None:
    assert slip(text) is None


def test_nobody_there_is_told_with_what_to_do() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(RequestFailed, match=rf"no answer from {url} .*tidings serve.*--url"):
        post(url, APP, "news", "hello", b"1")


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(RequestFailed, match="nonsense"):
        post("nonsense", APP, "news", "hello", b"1")
