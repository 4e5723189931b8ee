"""Sends one request: resolve once, connect to a checked address, read the status. Decides nothing about retries.

Redirects are not followed: they would lead past the check, and to whom the app's owner did not name. Proxies of the
environment are not used for the same reason.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from typing import Final

import httpx2
import msgspec

from tidings.ids import AppId
from tidings.node.webhooks.guard import AddressRefused, permitted
from tidings.node.webhooks.letters import Outcome
from tidings.node.webhooks.queue import IN_FLIGHT
from tidings.node.webhooks.settings import WebhookSettings

log = logging.getLogger(__name__)

TOTAL_SECONDS: Final = 10.0
"""For one attempt, name to answer. A receiver that works longer should answer first."""

CONNECT_SECONDS: Final = 3.0
"""For one address, so that a second one may still be tried."""

MAX_ADDRESSES: Final = 3
"""Addresses of a host that are tried in one attempt."""

ANSWER_BYTES: Final = 64 << 10
"""Of an answer's body that are read, and dropped: only a body that was read leaves the connection usable."""

DRAIN_SECONDS: Final = 1.0
"""For that body. After it the connection is given up, and the answer stands."""

REASON_LENGTH: Final = 200
"""Characters of a reason that are kept: it is made of what a stranger sent."""

MAX_POOLS: Final = 1_000
"""URLs whose connections are kept open; beyond it those longest unused are closed."""

RESOLVERS: Final = 8
"""Threads that look up names. One look-up a host at a time, so that one slow name server holds one of them."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to addresses. Raises OSError."""

Sign = Callable[[str, bytes], str]
"""Secret and bytes to a signature in lower-case hex."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: what to send, where, and by whose key. timestamp: of this attempt, Unix seconds."""

    app: AppId
    id: str
    body: bytes
    webhook: WebhookSettings
    key: str
    secret: str
    timestamp: int


def headers_of(mail: Mail, sign: Sign) -> dict[str, str]:
    """The headers of an attempt. Ours come last: a setting cannot contradict them.

    `X-Pusher-Signature` is over the body alone (pusher.md 4). `Tidings-Webhook-Signature` is over id, timestamp and
    body, joined by dots, so that a recorded request is of no use later.
    """
    stamp = str(mail.timestamp)
    signed = b".".join((mail.id.encode(), stamp.encode(), mail.body))
    return {
        "User-Agent": _agent(),
        "Accept-Encoding": "identity",
        **mail.webhook.headers,
        "Content-Type": "application/json",
        "X-Pusher-Key": mail.key,
        "X-Pusher-Signature": sign(mail.secret, mail.body),
        "Tidings-Webhook-Id": mail.id,
        "Tidings-Webhook-Timestamp": stamp,
        "Tidings-Webhook-Signature": f"v1={sign(mail.secret, signed)}",
    }


@cache
def _agent() -> str:
    return f"tidings/{version('tidings')}"


class Resolver:
    """Names to addresses, in threads of its own: a name server that hangs must not hold up the log's file."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVERS, thread_name_prefix="tidings-webhook-names")
        self._asked: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Raises OSError."""
        asked = self._asked.get((host, port))
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._threads, _look_up, host, port)
            self._asked[host, port] = asked
            asked.add_done_callback(lambda done: self._answered(host, port, done))
        return await asyncio.shield(asked)

    def _answered(self, host: str, port: int, done: asyncio.Future[list[str]]) -> None:
        del self._asked[host, port]
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody may be waiting any more

    def close(self) -> None:
        """Wait for nobody: a look-up under way ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for _, _, _, _, address in found]


class _Pool:
    """The open connections to one URL. Shared with no other, because TLS was spoken to that host alone."""

    def __init__(self, context: ssl.SSLContext) -> None:
        limits = httpx2.Limits(
            max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT, keepalive_expiry=5.0
        )
        self.transport = httpx2.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)
        self.busy = 0


class Sender:
    """Sends mails. context: how receivers prove who they are; None for the usual authorities."""

    def __init__(
        self, sign: Sign, *, resolve: Resolve | None = None, context: ssl.SSLContext | None = None
    ) -> None:
        self._sign = sign
        self._resolver = Resolver()
        self._resolve: Resolve = resolve or self._resolver
        self._context = context
        self._making = asyncio.Lock()
        self._pools: OrderedDict[tuple[AppId, str], _Pool] = OrderedDict()

    async def send(self, mail: Mail) -> Outcome:
        """Make one attempt. Raises nothing: whatever goes wrong is the outcome."""
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                status = await self._post(mail)
        except TimeoutError:
            return Outcome(delivered=False, reason=f"no answer within {TOTAL_SECONDS:g} s")
        except AddressRefused as refused:
            return Outcome(delivered=False, reason=_short(str(refused)))
        except socket.gaierror as error:
            return Outcome(delivered=False, reason=_short(f"the host cannot be found: {error.strerror}"))
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return Outcome(delivered=False, reason=_short(f"{type(error).__name__}: {error}"))
        if 200 <= status < 300:
            return Outcome(delivered=True)
        told = "a redirect, which is not followed" if 300 <= status < 400 else "an error"
        return Outcome(delivered=False, reason=f"answered {status}, {told}")

    async def close(self) -> None:
        """Close all connections."""
        self._resolver.close()
        pools, self._pools = list(self._pools.values()), OrderedDict()
        for pool in pools:
            await pool.transport.aclose()

    # ── inside

    async def _post(self, mail: Mail) -> int:
        url = httpx2.URL(mail.webhook.url)
        if url.scheme != "https" and not (url.scheme == "http" and mail.webhook.allow_private):
            raise AddressRefused(f"{url.scheme}: needs allow_private; use https")
        host = url.raw_host.decode("ascii")
        found = await self._resolve(host, url.port or (443 if url.scheme == "https" else 80))
        addresses = permitted(host, found, allow_private=mail.webhook.allow_private)
        headers = {"Host": url.netloc.decode("ascii"), **headers_of(mail, self._sign)}
        pool = await self._pool(mail)
        pool.busy += 1  # nothing was awaited since: it cannot have been closed
        try:
            return await _try_each(pool.transport, url, addresses[:MAX_ADDRESSES], headers, mail.body)
        finally:
            pool.busy -= 1

    async def _pool(self, mail: Mail) -> _Pool:
        context = await self._authorities()
        address = (mail.app, mail.webhook.url)
        await self._close_unused()
        pool = self._pools.get(address)
        if pool is None:
            pool = self._pools[address] = _Pool(context)
        self._pools.move_to_end(address)
        return pool

    async def _authorities(self) -> ssl.SSLContext:
        async with self._making:
            if (
                self._context is None
            ):  # reads their certificates: some 50 ms, in which the loop would stand still
                self._context = await asyncio.to_thread(httpx2.create_ssl_context)
            return self._context

    async def _close_unused(self) -> None:
        if len(self._pools) < MAX_POOLS:
            return
        for address, pool in list(self._pools.items()):
            if len(self._pools) >= MAX_POOLS and not pool.busy and self._pools.get(address) is pool:
                del self._pools[address]  # before waiting: others may do the same meanwhile
                await pool.transport.aclose()


async def _try_each(
    transport: httpx2.AsyncHTTPTransport,
    url: httpx2.URL,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
) -> int:
    """Post to the first address that accepts a connection; returns the status."""
    for at, address in enumerate(addresses, 1):
        try:
            return await _post_to(transport, url, address, headers, body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            if at == len(addresses):
                raise
    raise AddressRefused(f"{url.host} has no address")


async def _post_to(
    transport: httpx2.AsyncHTTPTransport,
    url: httpx2.URL,
    address: str,
    headers: Mapping[str, str],
    body: bytes,
) -> int:
    """Post to an address in place of the host; TLS is spoken to the host by name."""
    host = url.raw_host.decode("ascii")
    request = httpx2.Request(
        "POST",
        url.copy_with(host=address, fragment=None),
        headers=dict(headers),
        content=body,
        extensions={"sni_hostname": host, "timeout": {"connect": CONNECT_SECONDS}},
    )
    response = await transport.handle_async_request(request)
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await _drain(response)
    except (TimeoutError, httpx2.HTTPError):
        pass  # the status has been told: a body that fails to come changes nothing about it
    finally:
        await response.aclose()
    return response.status_code


async def _drain(response: httpx2.Response) -> None:
    size = 0
    stream = response.stream
    assert isinstance(stream, httpx2.AsyncByteStream)
    async for chunk in stream:
        size += len(chunk)
        if size > ANSWER_BYTES:
            break


def _short(reason: str) -> str:
    clean = "".join(char if char.isprintable() else " " for char in reason)
    return clean if len(clean) <= REASON_LENGTH else f"{clean[:REASON_LENGTH]}…"
