"""Repeats of one figure: subjects measured in turn, round by round, so that noise falls on all alike. No process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done. rounds: of each figure. scale: what share of the full number of messages a round has."""

    rounds: int = 5
    scale: float = 1.0
    subscribers: int = 1_000
    idle: int = 2_000

    def some(self, count: int) -> int:
        """So many, scaled; at least two of each in flight, so that bursts remain bursts."""
        return max(32, int(count * self.scale))

    def many(self, count: int) -> int:
        """So many, unless nothing is to be measured at all."""
        return count if self.scale else self.some(count)


QUICK = Plan(rounds=2, scale=0.25, idle=1_000)

SMOKE = Plan(rounds=1, scale=0.0, subscribers=20, idle=40)


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one subject, one a round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """What is printed as the figure."""
        return median(self.values)

    @property
    def low(self) -> float:
        """The least of the rounds."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The greatest of the rounds."""
        return max(self.values)

    def ratio(self, other: Series) -> float:
        """Ours to another's: the median over the rounds of what both gave in the same round."""
        return median(mine / its for mine, its in zip(self.values, other.values, strict=True))


def interleaved(measures: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, Series]:
    """Measure A B C A B C …; each once before, unseen, so that every path is warm."""
    values: dict[str, list[float]] = {name: [] for name in measures}
    for measure in measures.values():
        measure()
    for _ in range(rounds):
        for name, measure in measures.items():
            values[name].append(measure())
    return {name: Series(tuple(found)) for name, found in values.items()}
