"""Malformed input of every kind against a real server: a clear error each, the server up, its memory flat."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from tests.fixtures.fix_server import PATIENCE, Peer, client_frame
from tests.integration.malformed import BROKEN, FRAMES, REQUESTS, Bad
from tidings.protocols.pusher.signatures import body_md5, request_text, sign
from tidings.testing.process import AppCredentials, ServerProcess

APP = AppCredentials("1001", "app-key", "app-secret")
SOCKET = "/app/app-key?protocol=7&client=js&version=8.6.0"
PING = client_frame(1, b'{"event":"pusher:ping","data":{}}')

ROUNDS = 15
"""How often the whole table is sent, to see whether something piles up: about 4000 messages."""

FLAT_BYTES = 6 << 20
"""What resident memory may move by over those rounds. A leak of one frame each would be ten times as much."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("malformed")
    settings = folder / "settings.toml"
    settings.write_text("[limits]\nconnects_per_second = 0.0\n")
    with ServerProcess(folder, app=APP, arguments=("--config", str(settings))) as running:
        yield running


def connect(server: ServerProcess) -> Peer:
    return Peer(socket.create_connection((server.host, server.port), timeout=PATIENCE))


def opened(server: ServerProcess) -> Peer:
    """A Pusher connection, welcomed."""
    peer = connect(server)
    assert peer.upgrade(SOCKET) == 101
    assert json.loads(peer.frame()[1])["event"] == "pusher:connection_established"
    return peer


def answers(peer: Peer, message: str | bytes) -> list[dict[str, object]]:
    """What is said to a message. The ping behind it is answered too, and may overtake what needs the node."""
    opcode, payload = (1, message.encode()) if isinstance(message, str) else (2, message)
    peer.send(client_frame(opcode, payload) + PING)
    told = [json.loads(peer.frame()[1]) for _ in range(2)]
    return [frame for frame in told if frame["event"] != "pusher:pong"]


def refused(told: list[dict[str, object]]) -> bool:
    """Whether it is one clear error and nothing else."""
    (frame,) = told
    if frame["event"] == "pusher:error":
        data = frame["data"]
        return isinstance(data, dict) and len(str(data["message"])) > 5
    assert frame["event"] == "pusher:subscription_error"
    return len(json.loads(str(frame["data"]))["error"]) > 5


def request_bytes(bad: Bad) -> bytes:
    """A request, signed and then spoiled as the table says."""
    at = int(time.time()) + {"late": -700, "early": 700}.get(bad.sign, 0)
    version, key = ("2.0" if bad.sign == "version" else "1.0"), ("other" if bad.sign == "key" else APP.key)
    clock = "now" if bad.sign == "time" else str(at)
    pairs = [*bad.query, ("auth_key", key), ("auth_timestamp", clock), ("auth_version", version)]
    if bad.body and bad.sign != "md5":
        pairs.append(("body_md5", body_md5(bad.body)))
    path = "/apps/1001/channels" if bad.sign == "path" else bad.path
    text = request_text("GET" if bad.sign == "method" else bad.method, path, pairs)
    signature = sign("another" if bad.sign == "secret" else APP.secret, text)
    signature = signature.upper() if bad.sign == "capitals" else signature
    pairs += [("auth_signature", signature)] + ([("more", "1")] if bad.sign == "parameter" else [])
    body = bad.body + b" " if bad.sign == "body" else bad.body
    target = quote(bad.path) + ("" if bad.sign == "none" else "?" + urlencode(pairs))
    head = f"{bad.method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{bad.headers}\r\n"
    return head.encode() + body


def test_the_table_is_long_enough() -> None:
    assert len(FRAMES) + len(BROKEN) + len(REQUESTS) >= 150


@pytest.mark.parametrize("name", FRAMES)
def test_a_malformed_frame_is_answered_and_the_connection_stays(server: ServerProcess, name: str) -> None:
    with opened(server) as peer:
        assert refused(answers(peer, FRAMES[name]))


@pytest.mark.parametrize("name", BROKEN)
def test_broken_websocket_bytes_end_the_connection_with_their_code(server: ServerProcess, name: str) -> None:
    data, code = BROKEN[name]
    with opened(server) as peer:
        peer.send(data)
        assert peer.close_code() == code


@pytest.mark.parametrize("name", REQUESTS)
def test_a_malformed_request_is_refused_with_its_status(server: ServerProcess, name: str) -> None:
    bad = REQUESTS[name]
    with connect(server) as peer:
        peer.send(request_bytes(bad))
        status, headers, body = peer.response()
    assert status == bad.status, body
    assert len(body) > 5
    if status in (400, 401) and bad.path.startswith("/apps/"):
        assert "tidings-error" in headers


def test_memory_stays_flat_and_the_server_up(server: ServerProcess) -> None:
    for _ in range(3):
        one_round(server)
    before = server.rss()
    for _ in range(ROUNDS):
        one_round(server)
    assert server.rss() - before < FLAT_BYTES
    with opened(server) as peer:
        assert answers(peer, '{"event":"pusher:subscribe","data":{"channel":"a"}}')[0]["channel"] == "a"


def one_round(server: ServerProcess) -> None:
    with opened(server) as peer:
        for message in FRAMES.values():
            answers(peer, message)
    for bad in REQUESTS.values():
        with connect(server) as peer:
            peer.send(request_bytes(bad))
            peer.response()
