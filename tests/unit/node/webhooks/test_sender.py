"""One attempt, against a receiver that behaves in every way."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx2
import pytest
import trustme

from tests.fixtures.fix_receiver import OK, Receiver, Reply, receiving
from tests.unit.node.webhooks.builders import APP
from tidings.node.webhooks import sender as module
from tidings.node.webhooks.sender import Mail, Resolver, Sender, headers_of
from tidings.node.webhooks.settings import WebhookSettings

BODY = b'{"time_ms":1,"events":[]}'


def sign(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def mail(url: str, *, allow_private: bool = True, **settings: Any) -> Mail:
    webhook = WebhookSettings(url=url, allow_private=allow_private, **settings)
    return Mail(
        app=APP, id="the-id", body=BODY, webhook=webhook, key="k", secret="s", timestamp=1_800_000_000
    )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    one = Sender(sign, context=ssl.create_default_context())
    yield one
    await one.close()


# ── what is sent


def test_headers_name_the_key_and_sign_the_raw_body() -> None:
    headers = headers_of(mail("https://h/"), sign)
    assert headers["X-Pusher-Key"] == "k"
    assert headers["X-Pusher-Signature"] == sign("s", BODY)
    assert headers["Content-Type"] == "application/json"
    assert headers["Tidings-Webhook-Id"] == "the-id"
    assert headers["Tidings-Webhook-Timestamp"] == "1800000000"
    assert headers["Tidings-Webhook-Signature"] == "v1=" + sign("s", b"the-id.1800000000." + BODY)


def test_settings_add_headers_and_cannot_contradict_ours() -> None:
    given = {"Authorization": "Bearer t", "X-Pusher-Key": "forged"}
    headers = headers_of(mail("https://h/", headers=given), sign)
    assert (headers["Authorization"], headers["X-Pusher-Key"]) == ("Bearer t", "k")


async def test_a_request_arrives_as_it_was_signed(sender: Sender, receiver: Receiver) -> None:
    outcome = await sender.send(mail(receiver.url, headers={"X-Tenant": "7"}))
    assert outcome.delivered
    (got,) = receiver.got
    assert (got.path, got.body) == ("/hook", BODY)
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["x-tenant"] == "7"
    assert got.headers["x-pusher-signature"] == sign("s", got.body)


async def test_a_connection_is_used_again(sender: Sender, receiver: Receiver) -> None:
    for _ in range(3):
        assert (await sender.send(mail(receiver.url))).delivered
    assert receiver.connections == 1


async def test_a_receiver_that_closes_after_each_answer_is_no_trouble(
    sender: Sender, receiver: Receiver
) -> None:
    receiver.behave = lambda got: Reply(headers={"connection": "close"})
    for _ in range(3):
        assert (await sender.send(mail(receiver.url))).delivered


# ── answers


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_2xx_is_delivered(status: int, sender: Sender, receiver: Receiver) -> None:
    receiver.behave = lambda got: Reply(status, body=b"")
    assert (await sender.send(mail(receiver.url))).delivered


@pytest.mark.parametrize("status", [304, 400, 401, 404, 410, 429, 500, 503])
async def test_all_else_is_a_failure_with_its_status(status: int, sender: Sender, receiver: Receiver) -> None:
    receiver.behave = lambda got: Reply(status, body=b"")
    outcome = await sender.send(mail(receiver.url))
    assert not outcome.delivered
    assert str(status) in outcome.reason


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int, sender: Sender, receiver: Receiver) -> None:
    with receiving() as inner:
        receiver.behave = lambda got: Reply(status, {"location": inner.url})
        outcome = await sender.send(mail(receiver.url))
        assert not outcome.delivered
        assert "redirect" in outcome.reason
        assert inner.got == []


async def test_cookies_are_not_kept(sender: Sender, receiver: Receiver) -> None:
    receiver.behave = lambda got: Reply(headers={"set-cookie": "a=b"})
    await sender.send(mail(receiver.url))
    await sender.send(mail(receiver.url))
    assert all("cookie" not in got.headers for got in receiver.got)


async def test_a_receiver_that_hangs_is_left_after_the_time(
    sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOTAL_SECONDS", 0.2)
    receiver.behave = lambda got: Reply(hang=True)
    outcome = await sender.send(mail(receiver.url))
    assert outcome.reason == "no answer within 0.2 s"
    receiver.behave = lambda got: OK
    monkeypatch.setattr(module, "TOTAL_SECONDS", 10.0)
    assert (await sender.send(mail(receiver.url))).delivered


async def test_a_cut_connection_is_a_failure(sender: Sender, receiver: Receiver) -> None:
    receiver.behave = lambda got: Reply(drop=True)
    outcome = await sender.send(mail(receiver.url))
    assert not outcome.delivered
    assert outcome.reason


async def test_nobody_there_is_a_failure(sender: Sender) -> None:
    with receiving() as receiver:
        url = receiver.url
    outcome = await sender.send(mail(url))
    assert not outcome.delivered
    assert "Connect" in outcome.reason


async def test_a_body_that_does_not_come_changes_nothing_about_the_answer(
    sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a receiver that took the events, and is slow to end its answer, would be sent them again."""
    monkeypatch.setattr(module, "DRAIN_SECONDS", 0.1)
    receiver.behave = lambda got: Reply(headers={"content-length": "10"}, body=b"half ")
    assert (await sender.send(mail(receiver.url))).delivered
    receiver.behave = lambda got: Reply(500, {"content-length": "10"}, b"half ")
    assert (await sender.send(mail(receiver.url))).reason == "answered 500, an error"


async def test_of_an_answer_only_so_much_is_read(sender: Sender, receiver: Receiver) -> None:
    """A body that never ends would otherwise cost the whole time, and all our memory."""
    receiver.behave = lambda got: Reply(headers={"content-length": str(1 << 40)}, body=b"x" * (1 << 20))
    assert (await sender.send(mail(receiver.url))).delivered


async def test_a_reason_is_short_and_plain(sender: Sender, receiver: Receiver) -> None:
    outcome = await sender.send(mail("http://" + "x" * 3000 + "/"))
    assert len(outcome.reason) <= module.REASON_LENGTH + 1
    assert outcome.reason.isprintable()


@pytest.mark.parametrize(
    "url", ["ftp://h/", "http://[::1", "http://h:99999/", "nonsense", "http://" + "ü" * 80]
)
async def test_an_address_that_is_none_is_a_failure_and_no_exception(url: str, sender: Sender) -> None:
    outcome = await sender.send(mail(url))
    assert not outcome.delivered
    assert outcome.reason


async def test_a_header_that_cannot_be_sent_is_a_failure(sender: Sender, receiver: Receiver) -> None:
    outcome = await sender.send(mail(receiver.url, headers={"X-A": "a\r\nX-B: b"}))
    assert not outcome.delivered
    assert receiver.got == []


# ── addresses


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0.0.0.0",
        "0",
    ],
)
async def test_this_computer_is_not_reached_however_it_is_written(host: str) -> None:
    with receiving(tls=None) as receiver:
        sender = Sender(sign, context=ssl.create_default_context())
        outcome = await sender.send(mail(f"https://{host}:{receiver.port}/", allow_private=False))
        await sender.close()
        assert not outcome.delivered
        assert receiver.connections == 0


async def test_plain_http_needs_leave(sender: Sender, receiver: Receiver) -> None:
    outcome = await sender.send(mail(receiver.url, allow_private=False))
    assert "use https" in outcome.reason
    assert receiver.connections == 0


class Rebinding:
    """A name server that says something else each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        return self.answers.pop(0)


async def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Public when checked, inner when connected to: with one look-up there is no second answer to fall for."""
    resolve = Rebinding(["203.0.112.1"], ["127.0.0.1"])
    reached: list[str] = []

    async def post(transport: Any, url: Any, address: str, headers: Any, body: bytes) -> int:
        reached.append(address)
        return 200

    monkeypatch.setattr(module, "_post_to", post)
    sender = Sender(sign, resolve=resolve, context=ssl.create_default_context())
    assert (await sender.send(mail("https://rebinding.example/", allow_private=False))).delivered
    assert (reached, resolve.asked) == (["203.0.112.1"], 1)
    outcome = await sender.send(mail("https://rebinding.example/", allow_private=False))
    await sender.close()
    assert "127.0.0.1, which is of this computer" in outcome.reason
    assert reached == ["203.0.112.1"]


async def test_of_a_mixed_answer_the_inner_address_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    reached: list[str] = []

    async def post(transport: Any, url: Any, address: str, headers: Any, body: bytes) -> int:
        reached.append(address)
        raise httpx2.ConnectError("refused")

    monkeypatch.setattr(module, "_post_to", post)
    resolve = Rebinding(["10.0.0.1", "203.0.112.1", "169.254.169.254", "203.0.112.2"])
    sender = Sender(sign, resolve=resolve, context=ssl.create_default_context())
    assert not (await sender.send(mail("https://mixed.example/", allow_private=False))).delivered
    await sender.close()
    assert reached == ["203.0.112.1", "203.0.112.2"]


async def test_the_host_is_named_and_only_the_address_is_dialled(receiver: Receiver) -> None:
    """No name server knows receiver.invalid: the request arrives only if the checked address is what is dialled."""
    sender = Sender(sign, resolve=Rebinding(["127.0.0.1"]), context=ssl.create_default_context())
    outcome = await sender.send(mail(f"http://receiver.invalid:{receiver.port}/a?b=c"))
    await sender.close()
    assert outcome.delivered
    (got,) = receiver.got
    assert (got.path, got.headers["host"]) == ("/a?b=c", f"receiver.invalid:{receiver.port}")


async def test_a_name_that_nobody_knows_is_a_failure() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    sender = Sender(sign, resolve=resolve, context=ssl.create_default_context())
    outcome = await sender.send(mail("https://nowhere.invalid/"))
    await sender.close()
    assert outcome.reason == "the host cannot be found: Name or service not known"


async def test_the_environments_proxy_is_not_used(
    sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert (await sender.send(mail(receiver.url))).delivered


# ── TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def proving(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_certificate_is_checked_against_the_name_and_not_the_address(authority: trustme.CA) -> None:
    with receiving(tls=proving(authority, "hooks.example")) as receiver:
        resolve = Rebinding(["127.0.0.1"], ["127.0.0.1"])
        sender = Sender(sign, resolve=resolve, context=trusting(authority))
        good = await sender.send(mail(f"https://hooks.example:{receiver.port}/"))
        bad = await sender.send(mail(f"https://other.example:{receiver.port}/"))
        await sender.close()
        assert good.delivered
        assert not bad.delivered
        assert "certificate" in bad.reason.lower()
        assert len(receiver.got) == 1


async def test_a_receiver_without_a_certificate_of_the_authorities_is_refused(authority: trustme.CA) -> None:
    with receiving(tls=proving(authority, "127.0.0.1")) as receiver:
        sender = Sender(sign)
        outcome = await sender.send(mail(receiver.url))
        await sender.close()
        assert not outcome.delivered
        assert receiver.got == []


# ── looking up


async def test_one_look_up_serves_all_who_wait_for_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["192.0.2.1"]

    monkeypatch.setattr(module, "_look_up", look_up)
    resolver = Resolver()
    answers = await asyncio.gather(*(resolver("h", 1) for _ in range(20)))
    assert answers == [["192.0.2.1"]] * 20
    assert asked == ["h"]
    await resolver("h", 1)
    assert asked == ["h", "h"]
    resolver.close()


async def test_a_name_that_cannot_be_found_raises_for_all_who_wait() -> None:
    resolver = Resolver()
    found = await asyncio.gather(*(resolver("nowhere.invalid", 1) for _ in range(3)), return_exceptions=True)
    assert [isinstance(one, OSError) for one in found] == [True] * 3
    resolver.close()


async def test_connections_that_nobody_uses_are_closed_beyond_a_number(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_POOLS", 2)
    sender = Sender(sign, context=ssl.create_default_context())
    for at in range(5):
        assert (await sender.send(mail(f"{receiver.url}/{at}"))).delivered
    assert len(sender._pools) == 2
    await sender.close()
    assert json.loads(receiver.got[-1].body)["time_ms"] == 1
