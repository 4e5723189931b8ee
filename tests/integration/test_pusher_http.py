"""The Pusher endpoints over real sockets: prefixes, keys, repeats, and the same channels over every other way out."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from tests.clients import local
from tests.fixtures.fix_server import PATIENCE, Peer, Running, client_frame, running
from tidings.bootstrap import options_by_name
from tidings.engines.memory import MemoryEngine
from tidings.ids import AppId, ChannelName
from tidings.node.apps import AppSettings
from tidings.node.limits import Limits
from tidings.node.node import Node
from tidings.protocols.pusher.signatures import body_md5, request_text, sign
from tidings.testing.process import AppCredentials, ServerProcess

APP = AppCredentials(local.APP, local.KEY, local.SECRET)
SOCKET = "/app/app-key?protocol=7"


def connect(port: int) -> Peer:
    return Peer(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))


def ask(
    port: int,
    path: str,
    body: Any = None,
    *,
    method: str = "POST",
    key: str = APP.key,
    secret: str = APP.secret,
    headers: str = "",
    **query: str,
) -> tuple[int, dict[str, str], bytes]:
    """Sign a request over the path that is asked for, and send it."""
    raw = b"" if body is None else json.dumps(body).encode()
    pairs = [*query.items(), ("auth_key", key), ("auth_timestamp", str(int(time.time())))]
    pairs += [("auth_version", "1.0"), *([("body_md5", body_md5(raw))] if raw else [])]
    pairs.append(("auth_signature", sign(secret, request_text(method, path, pairs))))
    with connect(port) as peer:
        head = f"{method} {path}?{urlencode(pairs)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(raw)}\r\n"
        peer.send(f"{head}{headers}\r\n".encode() + raw)
        return peer.response()


def publish(port: int, number: int, channel: str = "a", prefix: str = "", **more: Any) -> dict[str, str]:
    event = {"name": "said", "channel": channel, "data": json.dumps({"n": number})}
    status, headers, body = ask(port, f"{prefix}/apps/1001/events", event, **more)
    assert (status, body) == (200, b"{}"), body
    return headers


def frame(peer: Peer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(peer.frame()[1])
    return found


@contextmanager
def subscribed(port: int, channel: str = "a", *, path: str = SOCKET) -> Iterator[Peer]:
    with connect(port) as peer:
        assert peer.upgrade(path) == 101
        assert frame(peer)["event"] == "pusher:connection_established"
        told = {"event": "pusher:subscribe", "data": {"channel": channel}}
        peer.send(client_frame(1, json.dumps(told).encode()))
        assert frame(peer)["event"] == "pusher_internal:subscription_succeeded"
        yield peer


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with local.server() as found:
        yield found


# ── below a prefix, behind a proxy (pusher.md 8.1 trap 18, 8.2 trap 24)


@contextmanager
def proxy(port: int, *, cuts: str) -> Iterator[int]:
    """A proxy that cuts `cuts` off each connection's first request line, and passes the rest on. Yields its port."""
    threads: list[threading.Thread] = []

    def begin(work: Callable[..., None], *arguments: socket.socket) -> None:
        threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        threads[-1].start()

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):  # closed, as the test is over
            while True:
                begin(serve, listener.accept()[0])

    def serve(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            method, _, rest = client.recv(1 << 16).partition(b" ")
            server.sendall(method + b" " + rest.removeprefix(cuts.encode()))
            back = threading.Thread(target=copy, args=(client, server), daemon=True)
            back.start()
            copy(server, client)
            back.join(PATIENCE)

    def copy(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        begin(accept, listener)
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(PATIENCE)


@pytest.mark.parametrize("cuts", ["/live", ""], ids=["cut off", "left on"])
def test_below_a_prefix_the_signature_is_over_the_path_that_the_client_sees(
    tmp_path: Path, cuts: str
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[server]\npath_prefix = "/live"\n')
    arguments = ("--config", str(settings))
    with (
        ServerProcess(tmp_path, app=APP, arguments=arguments) as process,
        proxy(process.port, cuts=cuts) as port,
        subscribed(port, path="/live" + SOCKET) as peer,
    ):
        publish(port, 1, prefix="/live")
        assert frame(peer)["data"] == '{"n": 1}'
        status, _, body = ask(port, "/live/apps/1001/channels", method="GET")
        assert (status, json.loads(body)) == (200, {"channels": {"a": {}}})
        direct = ask(process.port, "/apps/1001/channels", method="GET")  # signed without the prefix
        assert direct[0] == 401


# ── several keys


def test_every_key_of_an_app_opens_it_and_no_key_of_another() -> None:
    def app(number: str, **keys: str) -> AppSettings:
        return AppSettings(id=AppId(number), keys=keys)

    engine = MemoryEngine(options=lambda app_id, channel: options_by_name(channel))
    apps = [app("1001", new="secret-2", old="secret-1"), app("1002", other="secret-3")]
    node = Node(apps, engine, by_name=options_by_name)
    with running(node) as found, subscribed(found.port, path="/app/old?protocol=7") as peer:
        publish(found.port, 1, key="new", secret="secret-2")
        publish(found.port, 2, key="old", secret="secret-1")
        assert [frame(peer)["data"] for _ in range(2)] == ['{"n": 1}', '{"n": 2}']
        for key, secret in (("other", "secret-3"), ("new", "secret-1"), ("old", "secret-2")):
            assert ask(found.port, "/apps/1001/events", {}, key=key, secret=secret)[0] == 401


# ── what Pusher never had


def test_a_repeated_idempotency_key_is_one_message(server: Running) -> None:
    with subscribed(server.port, "once") as peer:
        key = "Idempotency-Key: order-7\r\n"
        first = publish(server.port, 1, "once", headers=key)
        again = publish(server.port, 1, "once", headers=key)
        publish(server.port, 2, "once")
        assert first["tidings-position"] == again["tidings-position"]
        assert [frame(peer)["data"] for _ in range(2)] == ['{"n": 1}', '{"n": 2}']
        other = {"name": "said", "channel": "once", "data": "another"}
        status, headers, _ = ask(server.port, "/apps/1001/events", other, headers=key)
        assert (status, headers["tidings-error"]) == (422, "key_reused")


def test_a_message_is_the_same_one_on_every_way_out(server: Running) -> None:
    cursor = str(server.call(lambda: server.node.head(server.node.apps.default)))
    with subscribed(server.port, "every") as peer, connect(server.port) as stream:
        stream.send(b"GET /events?channel=every&framing=typed HTTP/1.1\r\nHost: localhost\r\n\r\n")
        stream.read_until(b'"type":"subscribed"')
        publish(server.port, 1, "every")
        told = frame(peer)
        line = stream.read_until(b'"type":"message"') + stream.read_until(b"\n")
        streamed = json.loads(line.rpartition(b"data: ")[2])
        with connect(server.port) as poll:
            target = "/poll?" + urlencode({"channel": "every", "cursor": cursor, "wait": 0})
            poll.send(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            (polled,) = json.loads(poll.response()[2])["messages"]
    assert {one["id"] for one in (told, streamed, polled)} == {told["id"]}
    assert {one["position"] for one in (told, streamed, polled)} == {told["position"]}
    assert json.loads(told["data"]) == streamed["data"] == polled["data"] == {"n": 1}


def test_messages_carry_their_place_and_the_one_before_it(server: Running) -> None:
    with subscribed(server.port, "placed") as peer:
        for number in range(3):
            publish(server.port, number, "placed")
        frames = [frame(peer) for _ in range(3)]
    offsets = [int(one["position"].split(":")[1]) for one in frames]
    assert [one["previous"] for one in frames] == [None, *offsets[:2]]
    assert len({one["id"] for one in frames}) == 3


def test_a_client_with_a_stable_id_gets_what_it_missed(server: Running) -> None:
    path = "/c/tab-7" + SOCKET
    with subscribed(server.port, "missed", path=path) as peer:
        publish(server.port, 0, "missed")
        assert said(peer, 0) == []
    server.until(lambda: not server.node.apps.default.hub.subscribers(ChannelName("missed")))
    for number in (1, 2):
        publish(server.port, number, "missed")
    with subscribed(server.port, "missed", path=path) as peer:
        assert said(peer, 2) in ([1], [0, 1])  # what was not proved to have arrived comes again


def said(peer: Peer, last: int) -> list[int]:
    """The numbers published, up to `last` and without it."""
    numbers: list[int] = []
    while True:
        told = frame(peer)
        if told["event"] == "said":
            numbers.append(json.loads(told["data"])["n"])
            if numbers[-1] == last:
                return numbers[:-1]


def test_the_document_of_the_api_is_served(server: Running) -> None:
    with connect(server.port) as peer:
        peer.send(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, _, body = peer.response()
    assert status == 200
    assert msgspec.json.decode(body)["openapi"].startswith("3.1")


def test_limits_of_an_app_reach_its_sockets() -> None:
    limits = Limits(
        connects_per_second=0.0, channel_name=20, event_name=15, client_event_bytes=10, json_depth=3
    )
    with local.server(limits) as found, subscribed(found.port) as peer:
        for event in (
            {"event": "pusher:subscribe", "data": {"channel": "x" * 21}},
            {"event": "client-" + "x" * 9, "channel": "private-a", "data": 1},
            {"event": "client-a", "channel": "private-a", "data": "x" * 11},
            {"event": "client-a", "channel": "private-a", "data": [[[[1]]]]},
        ):
            peer.send(client_frame(1, json.dumps(event).encode()))
            told = json.dumps(frame(peer))
            assert "limit" in told
            assert "not in" not in told
