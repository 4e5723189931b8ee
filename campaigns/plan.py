"""What the nemesis will do, drawn from a seed before the campaign begins. Pure: it strikes nobody."""

from __future__ import annotations

import enum
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

UPTIME_SECONDS = (0.5, 1.0)
"""How long a server lives between two kills: long enough to serve, short enough for many kills."""

CUT_SPACING_SECONDS = 0.1
"""Between cuts when nobody is killed."""

HOLD_SECONDS = (0.1, 0.6)
"""How long a blackhole swallows before it turns into a reset: the server writes into it meanwhile."""

TORN_BYTES = 2_000
"""A torn connection ends within so many bytes: in the middle of a frame, most of the time."""


class Manner(enum.StrEnum):
    """How a connection is broken."""

    FIN = "fin"
    RST = "rst"
    BLACKHOLE = "blackhole"
    DEAF = "deaf"
    TORN = "torn"


MANNERS = {Manner.FIN: 3, Manner.RST: 3, Manner.BLACKHOLE: 2, Manner.DEAF: 1, Manner.TORN: 3}
"""Relative frequency."""


@dataclass(frozen=True, slots=True)
class Cut:
    """After `wait` seconds break the connection of `victim`. `hold` in seconds, `size` in bytes."""

    wait: float
    victim: int
    manner: Manner
    hold: float
    size: int


@dataclass(frozen=True, slots=True)
class Kill:
    """After `wait` seconds kill the server with SIGKILL and start it again."""

    wait: float


Strike = Cut | Kill


def draw(
    seed: int, *, kills: int, cuts: int, victims: int, seconds: float | None = None
) -> tuple[Strike, ...]:
    """Return the strikes in order: `cuts` spread at random over the lives of the servers, each ended by a kill.

    `seconds` is the sum of the waits, start-up times apart; without it each life takes `UPTIME_SECONDS`.
    """
    rng = random.Random(seed)
    lives = _lives(rng, kills, cuts, seconds)
    cuts_in = [0] * len(lives)
    for _ in range(cuts):
        cuts_in[rng.randrange(len(lives))] += 1
    strikes: list[Strike] = []
    for number, life in enumerate(lives):
        moments = sorted(rng.uniform(0.0, life) for _ in range(cuts_in[number]))
        waits = _differences([0.0, *moments, life])
        strikes += [_cut(rng, wait, victims) for wait in waits[:-1]]
        if kills:
            strikes.append(Kill(waits[-1]))
    return tuple(strikes)


def _lives(rng: random.Random, kills: int, cuts: int, seconds: float | None) -> list[float]:
    if not kills:
        return [seconds if seconds is not None else cuts * CUT_SPACING_SECONDS]
    lives = [rng.uniform(*UPTIME_SECONDS) for _ in range(kills)]
    if seconds is None:
        return lives
    return [life * seconds / sum(lives) for life in lives]


def _differences(moments: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(moments)]


def _cut(rng: random.Random, wait: float, victims: int) -> Cut:
    manner = rng.choices(list(MANNERS), list(MANNERS.values()))[0]
    return Cut(wait, rng.randrange(victims), manner, rng.uniform(*HOLD_SECONDS), rng.randint(1, TORN_BYTES))
