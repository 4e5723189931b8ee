"""The servers that are measured: how each is started, what its clients say, and how a message is published to it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.generator import Talk
from benchmarks.machine import OUTPUT, ROOT, pinned
from benchmarks.native import compiled
from tidings.cli.publish import signed_query
from tidings.config.settings import AppEntry
from tidings.testing.process import AppCredentials, ServerProcess

HERE = Path(__file__).parent / "peers"

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
"""RFC 6455's sample key: the generator does not check answers."""

MARK = "~tide~"
DATA = '{"taskId":4711,"projectId":42,"note":"' + MARK + "x" * 104 + '"}'
"""150 bytes of JSON."""

ENVELOPE = 160
"""Bytes that our own envelope adds to the data; the others send as many, so that all write the same."""

PAYLOAD = ('{"envelope":"' + "e" * (ENVELOPE - 23) + '","data":' + DATA + "}").encode()

END_SECONDS = 10.0
"""For a peer whose input has ended to go; then it is killed."""

CONFIG = """
[server]
drain_seconds = 0
log_level = "warning"

[limits]
connects_per_second = 0.0
activity_seconds = 3600
"""
"""All clients come from one address here, and answer no ping. Everything else is as by default."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A running server. requests: bytes of so many publishes, over its channels in turn."""

    name: str
    pid: int
    port: int
    talk: Talk
    requests: Callable[[int], Sequence[bytes]]
    ingress: str
    channels: int = 1


def upgrade(path: str) -> str:
    """The text of a WebSocket handshake."""
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )


def get(path: str) -> str:
    """The text of a request for an event stream."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


def post(path: str, body: bytes) -> bytes:
    """The bytes of a request on a connection that is kept."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


# ── Tidings

# A publisher asks something at once, because a connection that says nothing is ended after ten seconds.
OURS = {
    carrier: Talk(
        subscribe, '"type":"subscribed"', MARK, publisher=get("/healthz"), publisher_ready="\r\n\r\n"
    )
    for carrier, subscribe in (
        ("ws", upgrade("/ws?channel=bench-{n}")),
        ("sse", get("/events?channel=bench-{n}&framing=typed")),
    )
}


def start_tidings(
    stack: ExitStack,
    *,
    carrier: str = "ws",
    engine: str = "memory",
    groups: int = 1,
    config: str = "",
    arguments: Sequence[str] = (),
) -> Subject:
    """`tidings serve` with a fresh log on the servers' core; ended with the stack."""
    folder = OUTPUT / "servers" / f"{engine}-{carrier}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    settings = folder / "tidings.toml"
    settings.write_text(CONFIG + config)
    url = "memory:" if engine == "memory" else None
    server = ServerProcess(
        folder / "data", engine=url, arguments=["--config", str(settings), *arguments], logs=folder
    )
    with pinned(server=True):
        stack.enter_context(server)

    def requests(count: int) -> Sequence[bytes]:
        return [signed(server.url, server.app, f"bench-{n % groups}") for n in range(count)]

    return Subject(
        f"tidings, {engine} engine",
        server.pid,
        server.port,
        OURS[carrier],
        requests,
        "signed HTTP API",
        groups,
    )


def signed(url: str, app: AppCredentials, channel: str) -> bytes:
    """One signed request of the Pusher HTTP API. A random field makes each one new: a signature counts once."""
    entry = AppEntry(id=app.id, key=app.key, secret=app.secret)
    text = DATA.replace('"', '\\"')
    body = f'{{"name":"task-updated","channel":"{channel}","data":"{text}","n":"{secrets.token_hex(8)}"}}'
    path = urlsplit(url).path + f"/apps/{app.id}/events"
    return post(f"{path}?{signed_query('POST', path, entry, body.encode(), now=time.time())}", body.encode())


# ── the others


def start_send_loop(stack: ExitStack, carrier: str, name: str = "C, send() loop") -> Subject | None:
    """The raw C loop, which knows one channel; None when there is no compiler."""
    program = compiled(HERE / "send_loop.c")
    if program is None:
        return None
    pid, port = _start(stack, [str(program)])
    subscribe = upgrade("/ws") if carrier == "ws" else get("/events")
    talk = Talk(subscribe, "\r\n\r\n", MARK)
    return Subject(name, pid, port, talk, _same(post("/", PAYLOAD)), "unsigned HTTP")


def start_websockets(stack: ExitStack) -> Subject:
    """`websockets.broadcast` on uvloop."""
    pid, port = _start(stack, [sys.executable, str(HERE / "websockets_broadcast.py")])
    talk = Talk(
        upgrade("/ws"),
        "\r\n\r\n",
        MARK,
        publisher=upgrade("/publish"),
        publisher_ready="\r\n\r\n",
        answer="ok",
    )
    mask = b"\x00\x00\x00\x00"
    frame = b"\x81\xfe" + len(PAYLOAD).to_bytes(2, "big") + mask + PAYLOAD
    return Subject("websockets broadcast()", pid, port, talk, _same(frame), "a WebSocket message")


def start_node_ws(stack: ExitStack, *, groups: int = 1) -> Subject | None:
    """Node's `ws`; None when Node or the package is not there."""
    node = shutil.which("node")
    if node is None or not (ROOT / "node_modules" / "ws").exists():
        return None
    pid, port = _start(stack, [node, str(HERE / "ws_broadcast.mjs")])
    talk = Talk(upgrade("/ws/{n}"), "\r\n\r\n", MARK, publisher=get("/healthz"), publisher_ready="\r\n\r\n")

    def requests(count: int) -> Sequence[bytes]:
        return [post(f"/publish/{n % groups}", PAYLOAD) for n in range(count)]

    return Subject("Node ws", pid, port, talk, requests, "unsigned HTTP", groups)


def _same(request: bytes) -> Callable[[int], Sequence[bytes]]:
    return lambda count: [request] * count


def _start(stack: ExitStack, command: Sequence[str]) -> tuple[int, int]:
    """Start a peer on the servers' core; its pid and port. It ends with the stack.

    Raises RuntimeError when it does not tell its port.
    """
    with pinned(server=True):
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
    stack.callback(_end, process)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.strip().isdigit():
        raise RuntimeError(f"{Path(command[-1]).name} did not start")
    return process.pid, int(line)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End one of ours: its input first, by force when it stays."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()
