"""When commits reach those who watch a database: threads that write it down, rounds of commits. Opens no database."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from benchmarks.rounds import Series
from benchmarks.subjects import upgrade

POLL_SECONDS = 0.1
"""What everything is held against: a page that asks ten times a second."""

PAUSE_SECONDS = (0.005, 0.025)
"""Between two commits, at random: so that they fall on every moment of a poll."""

PATIENCE_SECONDS = 20.0


class Arrivals:
    """A thread that writes down when it has seen how many rows in all. wait: blocks until it sees more."""

    def __init__(self, wait: Callable[[], int]) -> None:
        self._wait = wait
        self._changed = threading.Condition()
        self._over = False
        self.at: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Arrivals:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()

    def until(self, count: int) -> None:
        """Wait until so many were seen. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.at) >= count, PATIENCE_SECONDS):
                raise TimeoutError(f"{len(self.at)} of {count} rows have arrived")

    def _run(self) -> None:
        while not self._over:
            more = self._wait()
            now = time.perf_counter()
            with self._changed:
                self.at += [now] * more
                self._changed.notify_all()


def listen(stack: ExitStack, port: int) -> Callable[[], int]:
    """A subscriber over WebSocket; counts the messages in what it reads."""
    peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS))
    peer.sendall(upgrade("/ws?channel=bench-0").encode())
    data = b""
    while b'"type":"subscribed"' not in data:
        data += peer.recv(65536)
    peer.settimeout(POLL_SECONDS)  # so that the thread sees its end
    mark = b'"event":"task-created"'
    rest = b""

    def wait() -> int:
        nonlocal rest
        try:
            data = rest + peer.recv(65536)
        except TimeoutError:
            return 0
        count = data.count(mark)
        rest = data[data.rfind(mark) + len(mark) :][-len(mark) + 1 :] if count else data[-len(mark) + 1 :]
        return count

    return wait


def taken(
    commit: Callable[[], float], watchers: Mapping[str, Arrivals], count: int
) -> dict[str, list[float]]:
    """Commit so many rows; how long each took to each watcher, in ms. commit: returns the moment that counts."""
    first = {name: len(arrivals.at) for name, arrivals in watchers.items()}
    committed = []
    for _ in range(count):
        time.sleep(random.uniform(*PAUSE_SECONDS))
        committed.append(commit())
    found = {}
    for name, arrivals in watchers.items():
        arrivals.until(first[name] + count)
        at = arrivals.at[first[name] : first[name] + count]
        found[name] = [(arrived - begun) * 1e3 for arrived, begun in zip(at, committed, strict=True)]
    return found


def quantiles(rounds: list[dict[str, list[float]]], name: str, share: float) -> Series:
    """What so large a share of a round's commits did not exceed, for each round."""
    return Series(tuple(quantile(found[name], share) for found in rounds))


def quantile(values: list[float], share: float) -> float:
    """What so large a share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
