"""The handshake's judgement; over a socket: tests/integration/test_websocket_limits.py."""

from __future__ import annotations

import pytest

from tidings.server.guard import BadHead, Header
from tidings.server.upgrade import check_upgrade, switching

GOOD: tuple[Header, ...] = (
    (b"host", b"h"),
    (b"connection", b"keep-alive, Upgrade"),
    (b"upgrade", b"WebSocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
)


def without(name: bytes, *more: Header) -> list[Header]:
    return [header for header in GOOD if header[0] != name] + list(more)


def test_the_rfcs_own_example_is_answered_as_it_says() -> None:
    accept, offered = check_upgrade("GET", [*GOOD, (b"sec-websocket-protocol", b"chat, superchat")])
    assert accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert offered == ["chat", "superchat"]


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", list(GOOD), 405),
        ("GET", without(b"upgrade"), 426),
        ("GET", without(b"connection"), 426),
        ("GET", without(b"sec-websocket-version"), 400),
        ("GET", without(b"sec-websocket-version", (b"sec-websocket-version", b"8")), 400),
        ("GET", without(b"sec-websocket-key"), 400),
        ("GET", without(b"sec-websocket-key", (b"sec-websocket-key", b"YWJj")), 400),
        ("GET", without(b"sec-websocket-key", (b"sec-websocket-key", b"!")), 400),
        ("GET", [*GOOD, (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")], 400),
        ("GET", [*GOOD, (b"sec-websocket-protocol", b"gr\xfc\xdf")], 400),
        ("GET", [*GOOD, (b"sec-websocket-protocol", b"a b")], 400),
        ("GET", [*GOOD, (b"origin", b"http://a"), (b"origin", b"http://b")], 400),
    ],
)
def test_a_handshake_that_is_wrong_has_its_status(method: str, headers: list[Header], status: int) -> None:
    with pytest.raises(BadHead) as caught:
        check_upgrade(method, headers)
    assert caught.value.status == status


def test_one_judge_serves_all_and_remembers_none() -> None:
    first = check_upgrade("GET", [*GOOD, (b"origin", b"http://a"), (b"sec-websocket-protocol", b"x")])
    with pytest.raises(BadHead):
        check_upgrade("GET", without(b"sec-websocket-key"))
    assert check_upgrade("GET", list(GOOD)) == (first[0], [])


def test_the_answer_confirms_what_was_chosen() -> None:
    assert b"sec-websocket-protocol: chat\r\n" in switching("token", "chat")
    assert switching("token", None).endswith(b"sec-websocket-accept: token\r\n\r\n")
