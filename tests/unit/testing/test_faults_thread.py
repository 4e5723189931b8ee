"""The fault proxy driven from plain blocking code."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tidings.testing.faults import Direction
from tidings.testing.faults_thread import FaultProxyThread

LIMIT = 10.0
QUIET = 0.15


@pytest.fixture
def echo_port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_serve, args=(listener,), daemon=True).start()
    yield listener.getsockname()[1]
    # shutdown wakes the thread that waits in accept; close alone would not.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(connection,), daemon=True).start()


def _echo(connection: socket.socket) -> None:
    with connection:
        try:
            while chunk := connection.recv(4096):
                connection.sendall(chunk)
        except OSError:
            return


def dial(proxy: FaultProxyThread) -> socket.socket:
    caller = socket.create_connection((proxy.host, proxy.port), timeout=LIMIT)
    caller.sendall(b"hello")
    assert caller.recv(5) == b"hello"
    return caller


def test_cut_and_reset_are_seen_by_blocking_clients(echo_port: int) -> None:
    with FaultProxyThread("127.0.0.1", echo_port) as proxy:
        with dial(proxy) as caller:
            assert proxy.link_count == 1
            assert proxy.cut() == 1
            assert caller.recv(1) == b""
        with dial(proxy) as caller:
            assert proxy.reset() >= 1
            with pytest.raises(ConnectionResetError):
                caller.recv(1)
        assert proxy.counts.accepted == 2


def test_a_blackhole_heals(echo_port: int) -> None:
    with FaultProxyThread("127.0.0.1", echo_port) as proxy, dial(proxy) as caller:
        proxy.blackhole(Direction.DOWN)
        caller.sendall(b"x")
        caller.settimeout(QUIET)
        with pytest.raises(TimeoutError):
            caller.recv(1)
        proxy.heal()
        caller.settimeout(LIMIT)
        assert caller.recv(1) == b"x"


def test_delay_drip_and_drop_reach_the_proxy(echo_port: int) -> None:
    with FaultProxyThread("127.0.0.1", echo_port) as proxy, dial(proxy) as caller:
        proxy.delay(0.01, jitter=0.01)
        proxy.drip(2, interval=0.001)
        assert proxy.drop_after(3) == 1
        caller.sendall(b"abcdef")
        assert b"".join(iter(lambda: caller.recv(10), b"")) == b"abc"
        assert proxy.counts.dropped == 1


def test_refusing_and_accepting_again(echo_port: int) -> None:
    with FaultProxyThread("127.0.0.1", echo_port) as proxy:
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((proxy.host, proxy.port), timeout=LIMIT)
        proxy.accept()
        dial(proxy).close()


def test_a_taken_port_is_told_and_leaves_no_thread(echo_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        proxy = FaultProxyThread("127.0.0.1", echo_port, port=taken.getsockname()[1])
        with pytest.raises(OSError):
            proxy.start()
    assert [thread for thread in threading.enumerate() if thread.name == "fault-proxy"] == []
