"""Start, drain, end; and that uvicorn is still what we build on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.fixtures.fix_server import make_node
from tidings.errors import ConfigError
from tidings.server import lifecycle
from tidings.server.app import TidingsApp
from tidings.server.http import TidingsHttpProtocol
from tidings.server.lifecycle import bind, check_uvicorn, uvicorn_config
from tidings.server.websocket import TidingsWebSocketProtocol


def test_uvicorn_is_what_we_build_on() -> None:
    check_uvicorn()


def test_a_uvicorn_that_moved_is_told_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(HttpToolsProtocol, "on_response_complete")
    with pytest.raises(ConfigError, match="on_response_complete"):
        check_uvicorn()


def test_our_limits_reach_uvicorn() -> None:
    config = uvicorn_config(TidingsApp(make_node()))
    config.load()
    assert config.http_protocol_class is TidingsHttpProtocol
    assert config.ws_protocol_class is TidingsWebSocketProtocol
    assert config.ws_max_size == 1 << 20
    assert config.ws_per_message_deflate is False
    assert config.access_log is False
    assert config.server_header is False
    assert config.proxy_headers is False
    assert isinstance(config.timeout_graceful_shutdown, int)
    assert isinstance(config.loaded_app, TidingsApp)
    assert uvicorn.__version__.startswith("0.5")


def test_an_address_that_is_taken_is_an_error_and_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        bind("127.0.0.1", taken.getsockname()[1])


def test_the_loop_is_uvloop_where_there_is_one() -> None:
    assert lifecycle.loop_name() == "uvloop"


PROGRAM = """
    import sys
    from tests.fixtures.fix_server import make_node
    from tidings.server.app import TidingsApp
    from tidings.server.lifecycle import run
    node = make_node()
    sys.exit(run(node, TidingsApp(node), port=0, drain_seconds=0.2, started=lambda s: print(s.ports[0], flush=True)))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_and_ends_with_0(number: signal.Signals) -> None:
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
            sock.sendall(b"GET /events?channel=a HTTP/1.1\r\nHost: h\r\n\r\n")
            got = b""
            while b"subscribed" not in got:
                got += sock.recv(65536)
            process.send_signal(number)
            while data := sock.recv(65536):
                got += data
        assert b"goodbye" in got
        assert process.wait(10) == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=10)
