"""The driver, tried on a small stand-in for the server that takes the same flags."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidings.testing.process import AppCredentials, ServerFailed, ServerProcess

STAND_IN = """
import argparse, http.server, json, pathlib, signal, sys

parser = argparse.ArgumentParser()
for flag in ("host", "port", "data", "app", "engine", "mode"):
    parser.add_argument("--" + flag)
options = parser.parse_args()
starts = pathlib.Path(options.data, "starts")
starts.write_text(str(int(starts.read_text()) + 1 if starts.exists() else 1))
print("stand-in", options.app, options.engine, flush=True)
if options.mode == "fail":
    sys.exit("no such engine")
if options.mode == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if options.mode == "red" else 200)
        self.end_headers()
    def log_message(self, *_):
        pass

http.server.HTTPServer((options.host, int(options.port)), Handler).serve_forever()
"""

Make = Callable[..., ServerProcess]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    made: list[ServerProcess] = []

    def make(mode: str = "well", engine: str | None = None) -> ServerProcess:
        server = ServerProcess(
            tmp_path / "data",
            engine=engine,
            app=AppCredentials("1", "key", "secret"),
            program=[sys.executable, str(script)],
            arguments=["--mode", mode],
        )
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_starts_waits_and_leaves_nothing_behind(make: Make) -> None:
    with make() as server:
        pid = server.pid
        assert server.alive
        assert server.wait_ready() >= 0
    assert gone(pid)
    assert not server.alive


def test_the_flags_are_those_of_serve(make: Make) -> None:
    server = make(engine="memory:")
    flags = server.command()[2:]
    assert flags[:4] == ["--host", "127.0.0.1", "--port", str(server.port)]
    assert flags[4] == "--data"
    assert flags[6:10] == ["--engine", "memory:", "--app", "1:key:secret"]


def test_without_a_program_the_real_server_is_meant(tmp_path: Path) -> None:
    assert ServerProcess(tmp_path).command()[:4] == [sys.executable, "-m", "tidings", "serve"]


def test_a_kill_and_a_restart_keep_port_and_data(make: Make, tmp_path: Path) -> None:
    with make() as server:
        first, port = server.pid, server.port
        server.kill9()
        assert gone(first)
        assert not server.alive
        server.restart()
        assert (server.port, server.starts) == (port, 2)
        assert server.pid != first
        assert (tmp_path / "data" / "starts").read_text() == "2"


def test_restarting_a_running_server_ends_it_first(make: Make) -> None:
    with make() as server:
        first = server.pid
        server.restart()
        assert gone(first)


def test_termination_gives_the_exit_code(make: Make) -> None:
    with make() as server:
        assert server.terminate() == 0


def test_a_server_deaf_to_sigterm_is_killed_and_told(make: Make) -> None:
    with make("deaf") as server:
        pid = server.pid
        with pytest.raises(ServerFailed, match="SIGTERM"):
            server.terminate(0.1)
        assert gone(pid)


def test_a_server_that_ends_early_tells_its_last_words(make: Make) -> None:
    with pytest.raises(ServerFailed, match="no such engine"):
        make("fail").__enter__()


def test_a_server_that_is_never_ready_is_told_and_ended(make: Make) -> None:
    server = make("red")
    server.start()
    with pytest.raises(ServerFailed, match="not ready"):
        server.wait_ready(0.3)
    server.close()
    assert not server.alive


def test_it_is_not_started_twice(make: Make) -> None:
    with make() as server, pytest.raises(ServerFailed, match="already"):
        server.start()


def test_without_a_process_there_is_nothing_to_kill(make: Make) -> None:
    with pytest.raises(ServerFailed, match="never started"):
        make().kill9()


def test_output_goes_to_files(make: Make) -> None:
    with make() as server:
        assert "stand-in 1:key:secret" in server.tail()


def test_memory_and_time_are_measured(make: Make) -> None:
    with make() as server:
        assert 1 << 20 < server.rss() < 1 << 30
        assert 0 < server.cpu_seconds() < 60


def test_a_paused_server_answers_only_after_it_goes_on(make: Make) -> None:
    with make() as server:
        server.pause()
        limit = time.monotonic() + 10
        while Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            assert time.monotonic() < limit
        server.resume()
        server.wait_ready()


def test_it_stands_in_a_group_of_its_own(make: Make) -> None:
    with make() as server:
        assert os.getpgid(server.pid) == server.pid != os.getpgid(0)
