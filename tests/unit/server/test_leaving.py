"""Hearing that the process is told to end, without taking the signal from anybody."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from tidings.server import leaving as module
from tidings.server.leaving import Leaving

PATIENCE = 30.0


class Host:
    """A server with a handler of its own."""

    def __init__(self) -> None:
        self.signals: list[int] = []
        self.told = asyncio.Event()

    def handle(self, number: int, frame: object) -> None:
        self.signals.append(number)
        self.told.set()


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    before = signal.signal(signal.SIGTERM, host.handle)
    yield host
    signal.signal(signal.SIGTERM, before)


async def told(event: asyncio.Event) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        await event.wait()


def setting(event: asyncio.Event) -> Callable[[], Awaitable[None]]:
    async def end() -> None:
        event.set()

    return end


async def nothing() -> None:
    pass


async def test_both_hear_the_signal_and_the_hosts_handler_is_put_back(host: Host) -> None:
    heard = asyncio.Event()
    leaving = Leaving(setting(heard))
    leaving.listen()
    leaving.listen()
    await told(host.told)
    assert heard.is_set()
    assert host.signals == [signal.SIGTERM]
    leaving.close()
    assert signal.getsignal(signal.SIGTERM) == host.handle


async def test_a_host_that_sets_its_handler_later_is_heard_too(host: Host) -> None:
    heard = asyncio.Event()
    leaving, late = Leaving(setting(heard)), Host()
    leaving.listen()
    signal.signal(signal.SIGTERM, late.handle)
    leaving.listen()
    await told(late.told)
    assert heard.is_set()
    assert (late.signals, host.signals) == ([signal.SIGTERM], [])
    leaving.close()
    assert signal.getsignal(signal.SIGTERM) == late.handle


async def test_several_in_one_process_all_hear_it_and_none_grows(host: Host) -> None:
    heard = [asyncio.Event(), asyncio.Event()]
    one, other = (Leaving(setting(event)) for event in heard)
    for _ in range(5):
        one.listen()
        other.listen()
    await told(host.told)
    assert all(event.is_set() for event in heard)
    assert host.signals == [signal.SIGTERM]
    one.close()
    other.close()
    assert signal.getsignal(signal.SIGTERM) == host.handle


async def test_the_host_hears_of_it_when_the_end_is_done_and_of_a_second_signal_at_once(host: Host) -> None:
    """Else it closes connections in its own way before they are told goodbye."""
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def end() -> None:
        begun.set()
        await goes_on.wait()

    leaving = Leaving(end)
    leaving.listen()
    await told(begun)
    assert host.signals == []
    await told(host.told)
    assert host.signals == [signal.SIGTERM]
    host.told.clear()
    goes_on.set()
    async with asyncio.timeout(PATIENCE):
        await host.told.wait()
    assert host.signals == [signal.SIGTERM, signal.SIGTERM]
    leaving.close()


@pytest.mark.parametrize("fails", [False, True])
async def test_an_end_that_hangs_or_fails_does_not_keep_the_signal_from_the_host(
    host: Host, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.01)

    async def end() -> None:
        if fails:
            raise RuntimeError
        await asyncio.Event().wait()

    leaving = Leaving(end)
    leaving.listen()
    await told(host.told)
    leaving.close()


async def test_a_handler_of_the_loop_goes_on_working() -> None:
    loop, heard, served = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    leaving = Leaving(setting(heard))
    loop.add_signal_handler(signal.SIGTERM, served.set)
    try:
        leaving.listen()
        await told(served)
        async with asyncio.timeout(PATIENCE):
            await heard.wait()
    finally:
        leaving.close()
        loop.remove_signal_handler(signal.SIGTERM)


async def test_what_the_system_does_at_a_signal_is_left_alone() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        leaving = Leaving(nothing)
        leaving.listen()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        leaving.close()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_elsewhere_than_in_the_main_thread_nothing_is_done(host: Host) -> None:
    async def listen() -> None:
        leaving = Leaving(nothing)
        leaving.listen()
        leaving.close()

    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == host.handle
