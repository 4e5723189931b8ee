"""Drives one load generator: a process that holds subscribers and publishers of one server. Knows no protocol.

The program is `load/load.c`; without a C compiler `load/slow.py`, which takes the same words.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.machine import pinned
from benchmarks.native import compiled

HERE = Path(__file__).parent

END_SECONDS = 10.0
"""For a generator whose input has ended to go; then it is killed."""


class LoadFailed(RuntimeError):
    """The generator gave up; the text is its own."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What a server wants to hear and says, as the generator must know it.

    subscribe: text of a subscriber's handshake, `{n}` its group. ready: what it then receives. mark: once in each
    delivery. publisher: text of a publisher's handshake, empty for plain HTTP. publisher_ready: its answer.
    answer: once in the answer to each publish.
    """

    subscribe: str
    ready: str
    mark: str
    publisher: str = ""
    publisher_ready: str = "-"
    answer: str = "HTTP/1.1 200"


@dataclass(frozen=True, slots=True)
class Done:
    """One burst of publishes.

    received, reads: bytes, and in how many pieces they came. p50, p99: µs from send to last
    delivery, with one in flight; else 0.
    """

    seconds: float
    deliveries: int
    received: int
    reads: int
    p50: float
    p99: float


class Generator:
    """The subscribers and publishers of one server. Opens them when made; a context manager."""

    def __init__(
        self, port: int, talk: Talk, *, subscribers: int, groups: int = 1, publishers: int = 1
    ) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        words = (
            *(str(port), str(subscribers), str(groups), talk.subscribe, talk.ready, talk.mark),
            *(str(publishers), talk.publisher, talk.publisher_ready, talk.answer),
        )
        with pinned(server=False):
            self._process = subprocess.Popen(
                [*program(), *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )
        try:
            self._answer("ready")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def run(self, requests: Sequence[bytes], *, flight: int, per: int) -> Done:
        """Publish, `flight` at a time, and wait until each has been answered and delivered `per` times.

        Raises LoadFailed.
        """
        with tempfile.NamedTemporaryFile(prefix="bench-", suffix=".requests") as file:
            for request in requests:
                file.write(len(request).to_bytes(4, "little") + request)
            file.flush()
            self._say(f"run {file.name} {flight} {per}\n")
            seconds, deliveries, received, reads, p50, p99 = self._answer("done")
        return Done(float(seconds), int(deliveries), int(received), int(reads), float(p50), float(p99))

    @contextmanager
    def receiving(self, deliveries: int) -> Iterator[None]:
        """What is done inside leads to so many deliveries, without a publish of ours; leaves when all are there.

        Raises LoadFailed.
        """
        self._say(f"wait {deliveries}\n")
        self._answer("waiting")
        yield
        self._answer("done")

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._errors.close()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()

    def _answer(self, first: str) -> list[str]:
        assert self._process.stdout is not None
        found = self._process.stdout.readline().decode().split()
        if not found or found[0] != first:
            self._process.wait(END_SECONDS)
            self._errors.seek(0)
            raise LoadFailed(self._errors.read().decode(errors="replace").strip() or "the generator ended")
        return found[1:]


def program() -> list[str]:
    """The command of the generator."""
    native = compiled(HERE / "load" / "load.c")
    return [str(native)] if native else [sys.executable, str(HERE / "load" / "slow.py")]
