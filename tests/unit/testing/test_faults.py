"""Each fault of the proxy, seen from both sides of real loopback sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from tidings.testing import faults as faults_module
from tidings.testing.faults import Direction, FaultProxy
from tidings.testing.listening import stop_listening
from tidings.testing.ports import free_port

LIMIT = 10.0
QUIET = 0.15
"""Long enough for loopback to have passed bytes that were let through."""


@dataclass
class EchoServer:
    """Answers each chunk with itself and remembers how its connections ended."""

    port: int = 0
    endings: list[str] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    received: bytearray = field(default_factory=bytearray)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self.tasks.add(task)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                self.received += chunk
                writer.write(chunk)
                await writer.drain()
            self.endings.append("fin")
        except ConnectionResetError:
            self.endings.append("rst")
        finally:
            writer.close()
            self.ended.set()


@pytest.fixture
async def echo() -> AsyncIterator[EchoServer]:
    echo = EchoServer()
    server = await asyncio.start_server(echo.accept, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    yield echo
    await stop_listening(server)
    for task in echo.tasks:
        task.cancel()
    await asyncio.gather(*echo.tasks, return_exceptions=True)


@pytest.fixture
async def proxy(echo: EchoServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy("127.0.0.1", echo.port, seed=1) as proxy:
        yield proxy


class Caller:
    """A client of the echo server, through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def echo(self, data: bytes) -> bytes:
        self.writer.write(data)
        return await asyncio.wait_for(self.reader.readexactly(len(data)), LIMIT)

    async def silent(self) -> bool:
        try:
            await asyncio.wait_for(self.reader.readexactly(1), QUIET)
        except TimeoutError:
            return True
        return False

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self.reader.read(-1), LIMIT)


Dial = Callable[[FaultProxy], Awaitable[Caller]]


@pytest.fixture
async def open_silently() -> AsyncIterator[Dial]:
    """Connects without a word, and closes what it connected."""
    callers: list[Caller] = []

    async def open_silently(proxy: FaultProxy) -> Caller:
        callers.append(Caller(*await asyncio.open_connection(proxy.host, proxy.port)))
        return callers[-1]

    yield open_silently
    for caller in callers:
        caller.writer.transport.abort()


@pytest.fixture
def dial(open_silently: Dial) -> Dial:
    """Connects and has the echo server answer once."""

    async def dial(proxy: FaultProxy) -> Caller:
        caller = await open_silently(proxy)
        assert await caller.echo(b"hello") == b"hello"
        return caller

    return dial


async def test_bytes_pass_unchanged_and_are_counted(proxy: FaultProxy, dial: Dial) -> None:
    caller = await dial(proxy)
    payload = bytes(range(256)) * 2_000
    sending = asyncio.create_task(caller.echo(payload))
    assert await sending == payload
    assert proxy.counts.bytes_up == proxy.counts.bytes_down == len(payload) + 5


async def test_a_cut_is_a_fin_on_both_sides(proxy: FaultProxy, echo: EchoServer, dial: Dial) -> None:
    caller = await dial(proxy)
    assert proxy.cut() == 1
    assert await caller.rest() == b""
    caller.writer.close()
    await asyncio.wait_for(echo.ended.wait(), LIMIT)
    assert echo.endings == ["fin"]
    assert proxy.counts.cut == 1


async def test_a_reset_is_a_rst_on_both_sides(proxy: FaultProxy, echo: EchoServer, dial: Dial) -> None:
    caller = await dial(proxy)
    assert proxy.reset() == 1
    with pytest.raises(ConnectionResetError):
        await caller.rest()
    await asyncio.wait_for(echo.ended.wait(), LIMIT)
    assert echo.endings == ["rst"]
    assert proxy.counts.reset == 1


async def test_one_link_can_be_cut_while_the_other_lives(proxy: FaultProxy, dial: Dial) -> None:
    first = await dial(proxy)
    second = await dial(proxy)
    proxy.links[0].cut()
    assert await first.rest() == b""
    assert await second.echo(b"alive") == b"alive"


async def test_a_full_blackhole_keeps_sockets_and_passes_nothing(
    proxy: FaultProxy, echo: EchoServer, dial: Dial
) -> None:
    caller = await dial(proxy)
    proxy.blackhole()
    caller.writer.write(b"lost?")
    assert await caller.silent()
    assert bytes(echo.received) == b"hello"
    await proxy.heal()
    assert await asyncio.wait_for(caller.reader.readexactly(5), LIMIT) == b"lost?"


async def test_a_one_way_blackhole_lets_the_other_way_pass(
    proxy: FaultProxy, echo: EchoServer, dial: Dial
) -> None:
    caller = await dial(proxy)
    proxy.blackhole(Direction.DOWN)
    caller.writer.write(b"one way")
    assert await caller.silent()
    assert bytes(echo.received) == b"helloone way"


async def test_a_blackhole_swallows_connections_to_come(
    proxy: FaultProxy, echo: EchoServer, open_silently: Dial
) -> None:
    proxy.blackhole()
    caller = await open_silently(proxy)
    caller.writer.write(b"anybody?")
    assert await caller.silent()
    assert bytes(echo.received) == b""


async def test_a_blackholed_link_can_still_be_reset(proxy: FaultProxy, dial: Dial) -> None:
    caller = await dial(proxy)
    proxy.blackhole()
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await caller.rest()


async def test_a_blackhole_stops_reading_so_memory_stays_bounded(proxy: FaultProxy, dial: Dial) -> None:
    caller = await dial(proxy)
    proxy.blackhole()
    block = bytes(1 << 20)

    async def send_64_mib() -> None:
        for _ in range(64):
            caller.writer.write(block)
            await caller.writer.drain()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send_64_mib(), 1.0)


async def test_delay_postpones_and_keeps_the_order(proxy: FaultProxy, dial: Dial) -> None:
    caller = await dial(proxy)
    proxy.delay(0.05, jitter=0.05)
    start = asyncio.get_running_loop().time()
    sent = [b"%03d" % number for number in range(100)]
    for each in sent:
        caller.writer.write(each)
        await asyncio.sleep(0.005)
    assert await asyncio.wait_for(caller.reader.readexactly(300), LIMIT) == b"".join(sent)
    took = asyncio.get_running_loop().time() - start
    # Twice through a line of 50 to 100 ms; a hundred delays one after another would take ten seconds or more.
    assert 0.1 <= took < 10.0


async def test_a_drip_passes_few_bytes_at_a_time(proxy: FaultProxy, dial: Dial) -> None:
    caller = await dial(proxy)
    proxy.drip(2, interval=0.02)
    start = asyncio.get_running_loop().time()
    assert await caller.echo(b"0123456789") == b"0123456789"
    assert asyncio.get_running_loop().time() - start >= 0.08


async def test_drop_after_passes_exactly_that_many_bytes(proxy: FaultProxy, dial: Dial) -> None:
    caller = await dial(proxy)
    assert proxy.drop_after(7) == 1
    caller.writer.write(b"0123456789")
    assert await caller.rest() == b"0123456"
    assert proxy.counts.dropped == 1


async def test_refusing_leaves_present_connections_alone(proxy: FaultProxy, dial: Dial) -> None:
    caller = await dial(proxy)
    await proxy.refuse()
    assert not proxy.accepting
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(proxy.host, proxy.port)
    assert await caller.echo(b"still here") == b"still here"
    await proxy.heal()
    assert await (await dial(proxy)).echo(b"back") == b"back"


async def test_an_unreachable_target_resets_the_client(open_silently: Dial) -> None:
    async with FaultProxy("127.0.0.1", free_port()) as nowhere:
        caller = await open_silently(nowhere)
        with pytest.raises(ConnectionResetError):
            await caller.rest()
        assert nowhere.counts.unreachable == 1


async def test_a_half_close_passes_through(proxy: FaultProxy, dial: Dial) -> None:
    caller = await dial(proxy)
    caller.writer.write(b"last words")
    caller.writer.write_eof()
    assert await caller.rest() == b"last words"


async def test_too_many_connections_are_reset(
    proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch, dial: Dial
) -> None:
    monkeypatch.setattr(faults_module, "LINKS_MAX", 1)
    first = await dial(proxy)
    with pytest.raises(ConnectionResetError):
        await dial(proxy)
    assert await first.echo(b"alive") == b"alive"


async def test_linked_tells_when_a_connection_lives(proxy: FaultProxy, dial: Dial) -> None:
    waiting = asyncio.create_task(proxy.linked())
    await asyncio.sleep(0)
    assert not waiting.done()
    await dial(proxy)
    await asyncio.wait_for(waiting, LIMIT)


async def test_closing_ends_links_and_leaves_no_task(echo: EchoServer, dial: Dial) -> None:
    async with FaultProxy("127.0.0.1", echo.port) as proxy:
        caller = await dial(proxy)
        present = asyncio.all_tasks() - echo.tasks
        assert len(present) > 1
    assert proxy.links == ()
    assert [task for task in asyncio.all_tasks() - echo.tasks if task is not asyncio.current_task()] == []
    with pytest.raises(ConnectionResetError):
        await caller.rest()
    await asyncio.wait_for(echo.ended.wait(), LIMIT)
