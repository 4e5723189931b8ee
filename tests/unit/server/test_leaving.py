"""Hearing that the process is told to end, without taking the signal from anybody."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from tidings.server.leaving import Leaving


class Host:
    """A server with a handler of its own."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    def handle(self, number: int, frame: object) -> None:
        self.signals.append(number)


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    before = signal.signal(signal.SIGTERM, host.handle)
    yield host
    signal.signal(signal.SIGTERM, before)


async def told(event: asyncio.Event) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(5):
        await event.wait()


async def test_both_hear_the_signal_and_the_hosts_handler_is_put_back(host: Host) -> None:
    heard = asyncio.Event()
    leaving = Leaving(heard.set)
    leaving.listen()
    leaving.listen()
    await told(heard)
    assert host.signals == [signal.SIGTERM]
    leaving.close()
    assert signal.getsignal(signal.SIGTERM) == host.handle


async def test_a_host_that_sets_its_handler_later_is_heard_too(host: Host) -> None:
    heard = asyncio.Event()
    leaving, late = Leaving(heard.set), Host()
    leaving.listen()
    signal.signal(signal.SIGTERM, late.handle)
    leaving.listen()
    await told(heard)
    assert (late.signals, host.signals) == ([signal.SIGTERM], [])
    leaving.close()
    assert signal.getsignal(signal.SIGTERM) == late.handle


async def test_several_in_one_process_all_hear_it_and_none_grows(host: Host) -> None:
    heard = [asyncio.Event(), asyncio.Event()]
    one, other = (Leaving(event.set) for event in heard)
    for _ in range(5):
        one.listen()
        other.listen()
    await told(heard[0])
    assert heard[1].is_set()
    assert host.signals == [signal.SIGTERM]
    one.close()
    other.close()
    assert signal.getsignal(signal.SIGTERM) == host.handle


async def test_a_handler_of_the_loop_goes_on_working() -> None:
    loop, heard, served = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    leaving = Leaving(heard.set)
    loop.add_signal_handler(signal.SIGTERM, served.set)
    try:
        leaving.listen()
        await told(served)
        assert heard.is_set()
    finally:
        leaving.close()
        loop.remove_signal_handler(signal.SIGTERM)


async def test_what_the_system_does_at_a_signal_is_left_alone() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        leaving = Leaving(lambda: None)
        leaving.listen()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        leaving.close()
    finally:
        signal.signal(signal.SIGTERM, before)


def test_elsewhere_than_in_the_main_thread_nothing_is_done(host: Host) -> None:
    async def listen() -> None:
        leaving = Leaving(lambda: None)
        leaving.listen()
        leaving.close()

    thread = threading.Thread(target=lambda: asyncio.run(listen()))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == host.handle
