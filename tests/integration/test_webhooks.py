"""Webhooks over real sockets: real clients make things happen, a receiver that misbehaves is told of them."""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import msgspec
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.fixtures.fix_receiver import OK, Got, Receiver, Reply, receiving
from tests.fixtures.fix_server import APP, KEY, SECRET, Running, make_node, running, until
from tidings.bootstrap import options_by_name
from tidings.cli import main
from tidings.engines.memory.webhooks import MemoryStore
from tidings.ids import ChannelName, SessionId
from tidings.node.apps import AppSettings
from tidings.node.limits import Limits
from tidings.node.node import Node
from tidings.node.occurrences import Occurrence
from tidings.node.webhooks import sender as sender_module
from tidings.node.webhooks.sender import Sender
from tidings.node.webhooks.service import Webhooks
from tidings.node.webhooks.settings import BatchSettings, WebhookSettings
from tidings.protocols.pusher.api import ROUTES
from tidings.protocols.pusher.signatures import sign, sign_webhook
from tidings.protocols.pusher.webhooks_api import webhook_routes
from tidings.testing.process import ServerProcess

CHANNELS = ("private-a", "private-b", "private-c", "private-d")
EACH = 12
"""Events a channel."""


class Skipping:
    """A monotonic clock that can be put forward: five minutes of retries need not be waited for."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped


class Rig:
    """A server in this process with webhooks to receivers that it may reach, and a clock that can skip."""

    def __init__(self, server: Running, webhooks: Webhooks, clock: Skipping) -> None:
        self.server = server
        self.webhooks = webhooks
        self.clock = clock

    def settle(self) -> None:
        """Let every event be delivered or given up: while nothing is under way, go on to the next retry."""

        def look() -> bool:
            at = self.webhooks._queue.next_at()
            if at is not None and not self.webhooks._sending:
                self.clock.skipped += max(0.0, at - self.clock())
                self.webhooks._woken.set()
            return not len(self.webhooks._queue) and not self.webhooks._intake

        until(lambda: self.server.call(look), seconds=60.0)

    def say(self, channel: str, number: int) -> None:
        """Tell the node of a client event, as the dispatcher does."""
        occurrence = Occurrence(
            kind="client_event",
            app=APP,
            channel=ChannelName(channel),
            time=0,
            session=SessionId("1.2"),
            event="client-said",
            data=b"%d" % number,
        )
        self.server.call(lambda: self.server.node.tell(occurrence))

    def dead(self) -> list[dict[str, Any]]:
        return self.server.call(lambda: self.webhooks.dead_letters(APP, after=None, limit=1000)[0])

    @property
    def waiting(self) -> int:
        return self.server.call(lambda: len(self.webhooks._queue) + len(self.webhooks._intake))


@contextmanager
def rigged(*hooks: WebhookSettings) -> Iterator[Rig]:
    node: Node = make_node(webhooks=hooks)
    clock = Skipping()
    webhooks = Webhooks(node, MemoryStore(), lambda: Sender(sign_webhook), clock=clock)
    node.observe(webhooks.observe)
    node.attach(webhooks)
    with running(node, routes=(*ROUTES, *webhook_routes(webhooks))) as server:
        yield Rig(server, webhooks, clock)


def hook(receiver: Receiver, **settings: Any) -> WebhookSettings:
    return WebhookSettings(url=receiver.url, allow_private=True, **settings)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def numbers_by_channel(events: list[dict[str, Any]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for event in events:
        found.setdefault(event["channel"], []).append(int(event["data"]))
    return found


# ── a receiver that misbehaves


class Script:
    """Answers by turns as told, then well."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.lock = threading.Lock()

    def __call__(self, got: Got) -> Reply:
        with self.lock:
            return self.replies.pop(0) if self.replies else OK


MISBEHAVIOUR = {
    "fails": [Reply(500)] * 6,
    "refuses": [Reply(404), Reply(429), Reply(503)] * 3,
    "redirects": [Reply(307, {"location": "http://127.0.0.1:1/"})] * 6,
    "drops": [Reply(drop=True)] * 6,
    "hangs": [Reply(hang=True)] * 6,
    "is late": [Reply(late=0.3)] * 4 + [Reply(late=1.2)] * 4,
    "does it all": [Reply(500), Reply(hang=True), Reply(drop=True), Reply(302), Reply(late=1.2), Reply(204)]
    * 2,
}


@pytest.mark.parametrize("batch", [None, BatchSettings(events=5, seconds=0.05)], ids=["single", "batches"])
@pytest.mark.parametrize("how", MISBEHAVIOUR)
def test_every_event_arrives_once_or_more_and_in_order_per_channel(
    how: str, batch: BatchSettings | None, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "TOTAL_SECONDS", 0.8)
    receiver.behave = Script(*MISBEHAVIOUR[how])
    with rigged(hook(receiver, batch=batch)) as rig:
        for number in range(EACH):
            for channel in CHANNELS:
                rig.say(channel, number)
        rig.settle()
        assert rig.dead() == []
    for channel, numbers in numbers_by_channel(receiver.events).items():
        assert list(dict.fromkeys(numbers)) == list(range(EACH)), channel
        assert batch is not None or numbers == sorted(numbers), channel
    assert set(numbers_by_channel(receiver.events)) == set(CHANNELS)
    if batch is None:
        assert {len(got.events) for got in receiver.got} == {1}


@pytest.mark.parametrize("batch", [None, BatchSettings(events=5, seconds=0.05)], ids=["single", "batches"])
def test_a_receiver_that_fails_for_one_channel_gets_the_others_and_that_one_lies_in_the_dead_letters(
    batch: BatchSettings | None, receiver: Receiver
) -> None:
    receiver.behave = lambda got: Reply(500) if "private-a" in got.channels else OK
    with rigged(hook(receiver, batch=batch)) as rig:
        for number in range(EACH):
            for channel in CHANNELS:
                rig.say(channel, number)
        rig.settle()
        dead = [json.loads(bytes(row["event"])) for row in rig.dead()]
        assert {row["reason"] for row in rig.dead()} == {"answered 500, an error"}
    assert numbers_by_channel(dead) == {"private-a": list(range(EACH))}
    taken = numbers_by_channel(receiver.events)
    assert {channel: list(dict.fromkeys(numbers)) for channel, numbers in taken.items()} == {
        channel: list(range(EACH)) for channel in CHANNELS[1:]
    }


def test_a_redirect_to_an_inner_address_is_never_followed(receiver: Receiver) -> None:
    with receiving() as inner:
        receiver.behave = lambda got: Reply(308, {"location": inner.url})
        with rigged(hook(receiver)) as rig:
            rig.say("private-a", 1)
            rig.settle()
            assert "redirect" in rig.dead()[0]["reason"]
        assert inner.connections == 0


def test_an_address_of_this_computer_is_refused_unless_it_is_allowed(receiver: Receiver) -> None:
    url = receiver.url.replace("http:", "https:").replace("127.0.0.1", "localhost")
    with rigged(WebhookSettings(url=url)) as rig:
        rig.say("private-a", 1)
        rig.settle()
        assert "set allow_private" in rig.dead()[0]["reason"]
    assert receiver.connections == 0


def test_messages_reach_subscribers_while_no_webhook_is_ever_answered(receiver: Receiver) -> None:
    """Structural: each message arrives although each request hangs, so none of them waits for one."""
    receiver.behave = lambda got: Reply(hang=True)
    with rigged(hook(receiver)) as rig, pusher(rig.server.port) as ann, pusher(rig.server.port) as bob:
        for client in (ann, bob):
            client.join("private-talk")
        until(lambda: bool(receiver.got))
        for number in range(200):
            rig.say("private-busy", number)
            rig.server.publish("private-talk", b"%d" % number)
        for client in (ann, bob):
            heard = [client.wait("e")["data"] for _ in range(200)]
            assert heard == [str(number) for number in range(200)]
        assert receiver.taken == []
        assert rig.waiting >= 200
        assert len(receiver.got) <= 8


# ── real clients


class Client:
    """A Pusher client by hand: what it sends is what pusher-js sends."""

    def __init__(self, socket: ClientConnection, key: str, secret: str) -> None:
        self.socket = socket
        self._key, self._secret = key, secret
        self.id = json.loads(self.wait("pusher:connection_established")["data"])["socket_id"]

    def wait(self, event: str) -> dict[str, Any]:
        while True:
            frame: dict[str, Any] = json.loads(self.socket.recv(timeout=10))
            if frame["event"] == event:
                return frame

    def say(self, event: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"event": event, **fields}))

    def join(self, channel: str, user: str | None = None) -> None:
        data: dict[str, Any] = {"channel": channel}
        text = f"{self.id}:{channel}"
        if user is not None:
            data["channel_data"] = json.dumps({"user_id": user})
            text = f"{text}:{data['channel_data']}"
        if channel.startswith(("private-", "presence-")):
            data["auth"] = f"{self._key}:{sign(self._secret, text)}"
        self.say("pusher:subscribe", data=data)
        self.wait("pusher_internal:subscription_succeeded")

    def leave(self, channel: str) -> None:
        self.say("pusher:unsubscribe", data={"channel": channel})


@contextmanager
def pusher(port: int, key: str = KEY, secret: str = SECRET) -> Iterator[Client]:
    with connect(f"ws://127.0.0.1:{port}/app/{key}?protocol=7", compression=None) as socket:
        yield Client(socket, key, secret)


class Configured(ServerProcess):
    """`tidings serve` with a configuration of its own."""

    def __init__(self, folder: Path, webhooks: str, **given: Any) -> None:
        config = folder / "tidings.toml"
        super().__init__(folder / "data", arguments=("--config", str(config)), **given)
        config.write_text(
            f'[[apps]]\nid = "1001"\nkey = "{self.app.key}"\nsecret = "{self.app.secret}"\n'
            f"subscription_count = false\n{webhooks}\n"
        )

    def command(self) -> list[str]:
        whole = super().command()
        at = whole.index("--app")
        return whole[:at] + whole[at + 2 :]

    def client(self) -> Any:
        return pusher(self.port, self.app.key, self.app.secret)

    def metric(self, name: str) -> float:
        with urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def told(receiver: Receiver, name: str) -> list[dict[str, Any]]:
    return [event for event in receiver.events if event["name"] == name]


@pytest.fixture
def server(receiver: Receiver, tmp_path: Path) -> Iterator[Configured]:
    webhooks = (
        f'webhooks = [{{ url = "{receiver.url}", allow_private = true, headers = {{ X-Tenant = "7" }} }}]'
    )
    with Configured(tmp_path, webhooks) as one:
        yield one


def test_what_real_clients_do_is_told_signed_and_with_the_headers_asked_for(
    receiver: Receiver, server: Configured
) -> None:
    with server.client() as ann, server.client() as ann_again, server.client() as bob:
        ann.join("presence-room", "ann")
        ann_again.join("presence-room", "ann")
        bob.join("presence-room", "bob")
        bob.join("cache-news")
        ann.say("client-typing", channel="presence-room", data={"a": [1]})
        bob.wait("client-typing")
        bob.leave("presence-room")
        receiver.wait(lambda: bool(told(receiver, "member_removed")))
    receiver.wait(lambda: len(told(receiver, "channel_vacated")) == 2)
    receiver.wait(lambda: len(told(receiver, "member_removed")) == 2)
    (event,) = told(receiver, "client_event")
    assert event == {
        "name": "client_event",
        "channel": "presence-room",
        "event": "client-typing",
        "data": '{"a": [1]}',
        "socket_id": event["socket_id"],
        "user_id": "ann",
    }
    assert told(receiver, "cache_miss") == [{"name": "cache_miss", "channel": "cache-news"}]
    assert sorted(event["channel"] for event in told(receiver, "channel_occupied")) == [
        "cache-news",
        "presence-room",
    ]
    assert [event["user_id"] for event in told(receiver, "member_added")] == ["ann", "bob"]
    assert [event["user_id"] for event in told(receiver, "member_removed")] == ["bob", "ann"]
    for got in receiver.got:
        expected = hmac.new(server.app.secret.encode(), got.body, hashlib.sha256).hexdigest()
        assert (got.headers["x-pusher-key"], got.headers["x-pusher-signature"]) == (server.app.key, expected)
        assert (got.headers["content-type"], got.headers["x-tenant"]) == ("application/json", "7")
        assert len(got.events) == 1


def test_a_client_that_comes_back_within_three_seconds_was_never_away(
    receiver: Receiver, server: Configured
) -> None:
    for _ in range(3):
        with server.client() as client:
            client.join("presence-page", "ann")
    receiver.wait(lambda: len(receiver.events) == 4)
    names = [event["name"] for event in receiver.events]
    assert sorted(names[:2]) == ["channel_occupied", "member_added"]
    assert sorted(names[2:]) == ["channel_vacated", "member_removed"]


def kept(path: Path, kind: str) -> int:
    """How many of a kind the store holds: what is in there survives a kill."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        found: int = db.execute("SELECT count(*) FROM kept WHERE substr(key, 1, 1) = ?", (kind,)).fetchone()[
            0
        ]
        return found


def test_what_was_not_delivered_at_a_kill_9_is_delivered_after_the_start(
    receiver: Receiver, server: Configured, tmp_path: Path
) -> None:
    receiver.behave = lambda got: Reply(500)
    with server.client() as ann, server.client() as bob:
        for client in (ann, bob):
            client.join("private-talk")
        for number in range(5):
            ann.say("client-said", channel="private-talk", data=number)
        for _ in range(5):
            bob.wait("client-said")
        until(lambda: server.metric("tidings_webhook_events_waiting") == 6)
        until(lambda: len(receiver.got) >= 1)
        first = receiver.got[0].id
        until(lambda: kept(tmp_path / "data" / "log-webhooks.db", "w") == 6)
        server.kill9()
    receiver.behave = lambda got: OK
    server.restart()
    receiver.wait(lambda: len(receiver.events) >= 6)
    assert [event["name"] for event in receiver.events] == ["channel_occupied"] + ["client_event"] * 5
    assert [int(event["data"]) for event in receiver.events[1:]] == list(range(5))
    assert receiver.taken[0].id == first
    until(lambda: server.metric("tidings_webhook_events_waiting") == 0)


def test_a_stop_keeps_what_waits_and_a_second_start_repeats_nothing(
    receiver: Receiver, server: Configured
) -> None:
    receiver.behave = lambda got: Reply(500)
    with server.client() as client:
        client.join("private-talk")
        until(lambda: len(receiver.got) >= 1)
    assert server.terminate() == 0
    receiver.behave = lambda got: OK
    server.restart()
    receiver.wait(lambda: len(receiver.events) == 1)
    until(lambda: server.metric("tidings_webhook_events_waiting") == 0)
    assert server.terminate() == 0
    server.restart()
    until(lambda: server.metric("tidings_webhook_events_waiting") == 0)
    assert [event["name"] for event in receiver.events] == ["channel_occupied"]


# ── the dead letters, by the command


def test_dead_letters_are_listed_and_replayed_by_the_command(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    receiver.behave = lambda got: Reply(500)
    with rigged(hook(receiver)) as rig:
        for number in range(3):
            rig.say("private-a", number)
        rig.settle()
        server = ["--url", f"http://127.0.0.1:{rig.server.port}", "--app", f"{APP}:{KEY}:{SECRET}"]
        assert main(["webhooks", "list", *server]) == 0
        printed = capsys.readouterr().out
        assert printed.count("client_event private-a") == 3
        assert "answered 500" in printed
        assert "3 in the dead-letter list" in printed
        assert main(["webhooks", "list", "--json", *server]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["event"]["data"] for row in rows] == ["0", "1", "2"]
        receiver.behave = lambda got: OK
        assert main(["webhooks", "replay", rows[0]["id"], *server]) == 0
        receiver.wait(lambda: len(receiver.taken) == 1)
        assert receiver.taken[0].id == rows[0]["id"]
        assert main(["webhooks", "replay", *server]) == 0
        assert capsys.readouterr().out == "1 on the way again\n2 on the way again\n"
        receiver.wait(lambda: len(receiver.taken) == 3)
        assert [event["data"] for event in receiver.events] == ["0", "1", "2"]
        assert rig.dead() == []


def test_another_apps_secret_opens_no_dead_letters(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with rigged(hook(receiver)) as rig:
        url = f"http://127.0.0.1:{rig.server.port}"
        assert main(["webhooks", "list", "--url", url, "--app", f"{APP}:{KEY}:wrong"]) == 1
        assert "the server refused" in capsys.readouterr().err


# ── two apps


def test_each_app_is_told_of_its_own_and_signed_with_its_own_key(receiver: Receiver) -> None:
    with ExitStack() as stack:
        other = stack.enter_context(receiving())
        first = AppSettings(id=APP, keys={KEY: SECRET}, webhooks=(hook(receiver),))
        second = msgspec.structs.replace(first, id="2", keys={"key2": "secret2"}, webhooks=(hook(other),))
        node = Node(
            [first, second],
            make_node().engine,
            by_name=options_by_name,
            limits=Limits(connects_per_second=0.0),
        )
        webhooks = Webhooks(node, MemoryStore(), lambda: Sender(sign_webhook))
        node.observe(webhooks.observe)
        node.attach(webhooks)
        server = stack.enter_context(running(node))
        one = stack.enter_context(pusher(server.port))
        two = stack.enter_context(pusher(server.port, "key2", "secret2"))
        one.join("same-name")
        two.join("same-name")
        receiver.wait(lambda: bool(receiver.taken) and bool(other.taken))
        assert {got.headers["x-pusher-key"] for got in receiver.got} == {KEY}
        assert {got.headers["x-pusher-key"] for got in other.got} == {"key2"}
