"""The commands against a real server in a process of its own, through SIGKILL and restart."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tidings.testing.ports import free_port
from tidings.testing.process import ServerProcess

SOON = 30.0
"""Seconds for anything here to happen on a busy machine."""

TIDINGS = (sys.executable, "-m", "tidings")


class BareServer(ServerProcess):
    """A server that is given no app and no engine."""

    def command(self) -> list[str]:
        """Return the command line without `--app`."""
        flags = super().command()
        at = flags.index("--app")
        return [*flags[:at], *flags[at + 2 :]]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with BareServer(tmp_path / "data", logs=tmp_path) as server:
        yield server


def run(server: ServerProcess, *arguments: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One command against the server, with the keys of its data folder."""
    flags = ["--url", server.url, "--data", str(data or server._data)]
    return subprocess.run(
        [*TIDINGS, *arguments, *flags], capture_output=True, text=True, timeout=SOON, check=False
    )


@contextmanager
def listening(
    server: ServerProcess, out: Path, *arguments: str
) -> Iterator[Callable[[str], dict[str, object]]]:
    """`tidings listen --json` beside the test; a function that waits for a line with a text in it."""
    command = [
        *TIDINGS,
        "listen",
        "news",
        "--json",
        "--url",
        server.url,
        "--data",
        str(server._data),
        *arguments,
    ]
    with out.open("w") as file:
        # What is started in the background of a script ignores interrupts; this child must not inherit that.
        hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        child = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, preexec_fn=hears)

    def wait_for(text: str) -> dict[str, object]:
        until = time.monotonic() + SOON
        while time.monotonic() < until:
            for line in out.read_text().splitlines():
                if text in line and line.endswith("}"):
                    found: dict[str, object] = json.loads(line)
                    return found
            time.sleep(0.05)
        raise AssertionError(f"no {text!r} in:\n{out.read_text()}\n{server.tail()}")

    try:
        wait_for('"subscribed"')
        yield wait_for
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(SOON) == 0


def test_serve_with_nothing_configured_says_where_everything_is(
    server: ServerProcess, tmp_path: Path
) -> None:
    kept = json.loads((tmp_path / "data" / "app.json").read_text())
    until = time.monotonic() + SOON
    while "Ctrl-C" not in (said := (tmp_path / "server.out").read_text()) and time.monotonic() < until:
        time.sleep(0.05)
    for part in (server.url, kept["key"], kept["secret"], "/events?channel=news", "log.db", "app.json"):
        assert part in said
    assert kept["secret"] not in (tmp_path / "server.err").read_text()


def test_a_listener_misses_nothing_through_a_kill_and_a_restart(
    server: ServerProcess, tmp_path: Path
) -> None:
    with listening(server, tmp_path / "heard") as wait_for:
        first = run(server, "publish", "news", "hello", '{"n": 1}')
        assert first.stdout.startswith("kept at "), first.stderr
        assert wait_for('{"n":1}')["position"] == first.stdout.split()[-1]
        server.kill9()
        wait_for('"broken"')
        server.start()
        server.wait_ready()
        for n in (2, 3):
            assert run(server, "publish", "news", "hello", f'{{"n": {n}}}').returncode == 0
        wait_for('{"n":3}')
    heard = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
    assert [one["data"]["n"] for one in heard if one["type"] == "message"] == [1, 2, 3]
    assert not [one for one in heard if one["type"] == "reset"]


def test_a_listener_may_begin_at_a_cursor(server: ServerProcess, tmp_path: Path) -> None:
    cursor = run(server, "publish", "news", "one", "1").stdout.split()[-1]
    run(server, "publish", "news", "two", "2")
    with listening(server, tmp_path / "heard", "--cursor", cursor) as wait_for:
        assert wait_for('"message"')["event"] == "two"


def test_a_key_makes_one_message_of_two(server: ServerProcess) -> None:
    first, second = (run(server, "publish", "news", "one", "1", "--key", "k").stdout for _ in range(2))
    assert first == second
    other = run(server, "publish", "news", "one", "2", "--key", "k")
    assert other.returncode == 1
    assert "idempotency key" in other.stderr


def test_a_token_opens_a_private_channel(server: ServerProcess, tmp_path: Path) -> None:
    command = [*TIDINGS, "token", "--subscribe", "private-*", "--data", str(server._data)]
    token = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SOON).stdout.strip()
    refused = run(server, "listen", "private-x")
    assert refused.returncode == 1
    assert "needs a proof" in refused.stderr
    request = urllib.request.Request(
        f"{server.url}/poll?channel=private-x", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=SOON) as answer:
        assert answer.status == 200


def test_a_wrong_secret_is_told(server: ServerProcess) -> None:
    flags = ["--url", server.url, "--app", "1001:k:wrong"]
    done = subprocess.run(
        [*TIDINGS, "publish", "news", "x", *flags], capture_output=True, text=True, timeout=SOON, check=False
    )
    assert done.returncode == 1
    assert "signature" in done.stderr


def failed(*arguments: str, cwd: Path) -> str:
    """What a start that must fail says; one line."""
    done = subprocess.run(
        [*TIDINGS, *arguments], capture_output=True, text=True, timeout=SOON, cwd=cwd, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_busy_port_names_the_flag(command: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = failed(command, "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert "in use" in said
    assert "--port" in said
    assert ("make demo ARGS=" in said) == (command == "demo")


def test_a_log_that_another_process_holds_is_told(server: ServerProcess, tmp_path: Path) -> None:
    said = failed("serve", "--port", str(free_port()), "--data", str(server._data), cwd=tmp_path)
    assert "in use by another process" in said
    assert "stop the other server, or wait for it if it is ending" in said


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--engine", "redis://localhost"], "not in this build yet"),
        (["--source", "sqlite:///none.db"], "there is no database none.db"),
        (["--data", "file"], "--data"),
        (["--config", "none.toml"], "--config"),
    ],
)
def test_a_start_that_cannot_be_says_why(flags: list[str], hint: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert hint in failed("serve", "--port", str(free_port()), *flags, cwd=tmp_path)


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_start_that_fails_leaves_nothing_behind(command: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        failed(command, "--port", str(taken.getsockname()[1]), cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "flags", [["--source", "sqlite:///none.db"], ["--engine", "redis://x"], ["--config", "none.toml"]]
)
def test_a_configuration_that_cannot_be_leaves_nothing_behind(flags: list[str], tmp_path: Path) -> None:
    failed("serve", "--port", str(free_port()), *flags, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_sigterm_drains_and_ends_well(tmp_path: Path) -> None:
    server = BareServer(tmp_path / "data", logs=tmp_path)
    server.start()
    server.wait_ready()
    assert server.terminate() == 0


def test_rows_of_a_database_become_messages(tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    create = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()"

    def sql(text: str) -> None:
        subprocess.run([sys.executable, "-c", create, str(database), text], check=True, timeout=SOON)

    sql("CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id INTEGER, title TEXT)")
    settings = tmp_path / "tidings.toml"
    settings.write_text(
        f'[[sources]]\nurl = "sqlite:///{database}"\n'
        '[[rules]]\ntable = "tasks"\nchannel = "news"\ninsert = "task-created"\n'
    )
    with (
        BareServer(tmp_path / "data", logs=tmp_path, arguments=["--config", str(settings)]) as server,
        listening(server, tmp_path / "heard") as wait_for,
    ):
        sql("INSERT INTO tasks (project_id, title) VALUES (42, 'paint')")
        assert wait_for("task-created")["data"] == {"id": 1}


def test_the_demo_serves_its_stage(tmp_path: Path) -> None:
    class Demo(ServerProcess):
        def command(self) -> list[str]:
            return [*TIDINGS, "demo", "--port", str(self.port), "--data", str(tmp_path / "demo")]

    with (
        Demo(tmp_path / "demo", logs=tmp_path) as server,
        urllib.request.urlopen(server.url, timeout=SOON) as answer,
    ):
        assert answer.status == 200
        assert b"<html" in answer.read()
