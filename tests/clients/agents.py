"""Other people's clients, each in a process of its own that is told what to do line by line. Knows no protocol.

An agent reads commands `{"do": …}` and writes what happened, one JSON object a line.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

WAIT_SECONDS = 30.0
"""How long anything may take that is bound to happen: a slow machine, a client's back-off."""

STOP_SECONDS = 10.0

Seen = dict[str, Any]


class Agent:
    """One client process. As a context manager it is started, and ended by closing its standard input."""

    def __init__(self, script: str, options: dict[str, Any], log: Path) -> None:
        self.script = FOLDER / script
        self._command = [*_interpreter(self.script), str(self.script), json.dumps(options)]
        self._log = log
        self._seen: list[Seen] = []
        self._taken = 0
        self._news = threading.Condition()
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
            )
        assert self._child.stdout is not None
        threading.Thread(target=self._read, args=(self._child.stdout,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        child = self._running()
        if child.stdin is not None:
            with suppress(BrokenPipeError):
                child.stdin.close()
        child.send_signal(signal.SIGCONT)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout is not None:
            child.stdout.close()

    def kill(self) -> None:
        """End the process with SIGKILL: it says goodbye to nobody."""
        self._running().kill()

    def freeze(self) -> None:
        """Stop the process in its tracks: its connections stay and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def do(self, command: str, **fields: Any) -> None:
        """Tell the agent to do something."""
        stdin = self._running().stdin
        assert stdin is not None
        stdin.write(json.dumps({"do": command, **fields}) + "\n")
        stdin.flush()

    def ask(self, command: str, **fields: Any) -> Seen:
        """Tell it to do something and return its next line; for agents that answer each command with one."""
        self.do(command, **fields)
        return self.wait(lambda seen: True)

    def wait(self, fits: Callable[[Seen], bool], *, limit: float = WAIT_SECONDS) -> Seen:
        """Return the first line that fits among those not taken yet; it and all before it are taken.

        Raises AssertionError after `limit` seconds, with what came instead.
        """
        end = time.monotonic() + limit
        with self._news:
            while True:
                for at in range(self._taken, len(self._seen)):
                    if fits(self._seen[at]):
                        self._taken = at + 1
                        return self._seen[at]
                left = end - time.monotonic()
                if left <= 0 or not self._news.wait(left):
                    raise AssertionError(f"{self.script.name} waited in vain; {self.report()}")

    def wait_for(self, *, limit: float = WAIT_SECONDS, **fields: Any) -> Seen:
        """Return the first line not taken yet that has these fields."""
        return self.wait(lambda seen: fields.items() <= seen.items(), limit=limit)

    def seen(self, **fields: Any) -> list[Seen]:
        """All lines so far that have these fields."""
        with self._news:
            return [seen for seen in self._seen if fields.items() <= seen.items()]

    def report(self) -> str:
        """What it wrote on both outputs, for an error."""
        return f"lines: {self._seen[-20:]}; errors: {self._log.read_text(errors='replace')[-2000:]}"

    def _read(self, lines: IO[str]) -> None:
        try:
            for line in lines:
                with self._news:
                    self._seen.append(json.loads(line))
                    self._news.notify_all()
        except ValueError:  # closed while reading
            return

    def _running(self) -> subprocess.Popen[str]:
        assert self._child is not None, "the agent was not started"
        return self._child


def _interpreter(script: Path) -> list[str]:
    """Node for scripts in its language; for Python the environment that holds other people's clients."""
    return ["node"] if script.suffix == ".mjs" else [str(ROOT / ".venv-compat/bin/python"), "-u"]
