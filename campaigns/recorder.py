"""Takes observations as they happen: keeps them for the judge and writes them to a file. It judges nothing."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tidings.testing.observations import AnyObservation, encode

FLUSH_LINES = 1_000
"""Lines kept in memory before they go to the file: one write instead of a thousand."""


class Recorder:
    """The history of one campaign, in order of time. `now` is its clock, in seconds since the beginning."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.observations: list[AnyObservation] = []
        self._written = 0
        self._began = time.monotonic()
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._file.close()

    def now(self) -> float:
        """Return seconds since the campaign began; never goes back."""
        return time.monotonic() - self._began

    def add(self, observation: AnyObservation) -> None:
        """Append an observation; its `at` must be `now()`."""
        self.observations.append(observation)
        if len(self.observations) - self._written >= FLUSH_LINES:
            self._flush()

    def _flush(self) -> None:
        self._file.writelines(map(encode, self.observations[self._written :]))
        self._written = len(self.observations)
