"""A real `tidings serve` in a process of its own: start, wait until ready, kill, restart, measure.

It knows the command line and /readyz, nothing of what the server does. It signals its own child by pid and
no other process.
"""

from __future__ import annotations

import http.client
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tidings.testing.ports import free_port

READY_SECONDS = 60.0
"""How long a start may take: a busy machine, a long log to open."""

STOP_SECONDS = 30.0
"""How long draining may take after SIGTERM before the process is killed."""

POLL_SECONDS = 0.02
"""Between two looks at /readyz: small against a start, cheap for the server."""

PROBE_SECONDS = 5.0
"""Limit of one look at /readyz."""

LOG_TAIL_BYTES = 4_000
"""How much of the server's own words goes into an error."""

SERVE = (sys.executable, "-m", "tidings", "serve")


class ServerFailed(RuntimeError):
    """The server ended, or was not ready in time; carries the end of what it wrote."""


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """An app as `--app ID:KEY:SECRET` names it."""

    id: str
    key: str
    secret: str

    @classmethod
    def random(cls) -> AppCredentials:
        """Return credentials that nobody else has."""
        return cls("proof", secrets.token_hex(10), secrets.token_hex(20))

    def flag(self) -> str:
        """Return the value of `--app`."""
        return f"{self.id}:{self.key}:{self.secret}"


class ServerProcess:
    """One server on one port and one data folder, over any number of starts.

    `data` is created when missing; output is appended to `server.out` and `server.err` in `logs` (default:
    `data`). `program` is the command before the flags, so that a test can put another one in its place.
    As a context manager it starts, waits until ready, and leaves no process behind.
    """

    def __init__(
        self,
        data: Path,
        *,
        app: AppCredentials | None = None,
        engine: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        logs: Path | None = None,
        program: Sequence[str] = SERVE,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.host = host
        self.port = port or free_port(host)
        self.app = app or AppCredentials.random()
        self.starts = 0
        self._data = data
        self._engine = engine
        self._logs = logs or data
        self._program = tuple(program)
        self._arguments = tuple(arguments)
        self._environment = dict(environment or {})
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address of the server: http://host:port."""
        return f"http://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        """The pid of the running server. Raises ServerFailed when none runs."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.poll() is None

    def command(self) -> list[str]:
        """Return the command line of the next start."""
        engine = ["--engine", self._engine] if self._engine else []
        flags = ["--host", self.host, "--port", str(self.port), "--data", str(self._data), *engine]
        return [*self._program, *flags, "--app", self.app.flag(), *self._arguments]

    def start(self) -> None:
        """Start the process in a group of its own, so that a Ctrl-C for the test does not reach it.

        Raises ServerFailed when it runs already, OSError when the program is missing.
        """
        if self.alive:
            raise ServerFailed("the server runs already")
        self._data.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        with self._log("out") as out, self._log("err") as err:
            self._child = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **self._environment},
                start_new_session=True,
            )
        self.starts += 1

    def wait_ready(self, limit: float = READY_SECONDS) -> float:
        """Wait until /readyz answers 200; returns the seconds it took.

        Raises ServerFailed when the process ends, or `limit` seconds pass before.
        """
        began = time.monotonic()
        while not self._is_ready():
            if not self.alive:
                raise ServerFailed(f"the server ended: {self._exit_code()}\n{self.tail()}")
            if time.monotonic() - began > limit:
                raise ServerFailed(f"not ready in {limit} s\n{self.tail()}")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began

    def kill9(self) -> None:
        """Kill it with SIGKILL and wait until it is gone: nothing is flushed, nobody is told."""
        child = self._running()
        child.kill()
        child.wait()

    def terminate(self, limit: float = STOP_SECONDS) -> int:
        """Ask it to drain with SIGTERM; returns its exit code.

        Kills it and raises ServerFailed when it does not end within `limit` seconds.
        """
        child = self._running()
        child.terminate()
        try:
            return child.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise ServerFailed(f"did not end in {limit} s after SIGTERM\n{self.tail()}") from None

    def restart(self, limit: float = READY_SECONDS) -> float:
        """Start again on the same port and data, ending a running one with SIGKILL first; returns seconds."""
        if self.alive:
            self.kill9()
        self.start()
        return self.wait_ready(limit)

    def pause(self) -> None:
        """Stop the process in its tracks with SIGSTOP."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on with SIGCONT."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the process if it runs. Safe to call twice."""
        if self.alive:
            self.kill9()

    def rss(self) -> int:
        """Return the resident memory in bytes (Linux: VmRSS)."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise ServerFailed("the kernel tells no VmRSS for it")

    def cpu_seconds(self) -> float:
        """Return user and system time used since the last start, in seconds (Linux)."""
        stat = Path(f"/proc/{self.pid}/stat").read_text()
        # The name in brackets may hold blanks; utime and stime are the 12th and 13th field after it.
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tail(self) -> str:
        """Return the end of what the server wrote to both outputs."""
        return "\n".join(f"{name}: {self._end_of(name)}" for name in ("out", "err"))

    def _end_of(self, name: str) -> str:
        path = self._logs / f"server.{name}"
        if not path.exists():
            return ""
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace")

    def _log(self, name: str) -> IO[bytes]:
        return (self._logs / f"server.{name}").open("ab")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            raise ServerFailed(f"the server does not run: {self._exit_code()}\n{self.tail()}")
        return self._child

    def _exit_code(self) -> str:
        if self._child is None:
            return "never started"
        return f"exit code {self._child.returncode}"

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
