"""The name that somebody meant who mistyped one. Pure; knows no setting, no table and no column."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

CUTOFF: Final = 0.5
"""Below this two names have nothing to do with one another."""

PART_WEIGHT: Final = 0.9
"""`dran` is `drain_seconds` sooner than `data`; but a whole name that is as near comes before a part of one."""

LISTED: Final = 20
"""Names that are told when none is near."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The name in `known` that is most like `name`, by the whole or by one part between `_`; None when none is."""
    scored = [(_likeness(name, one), one) for one in sorted(known)]
    score, best = max(scored, key=lambda pair: pair[0], default=(0.0, ""))
    return best if score >= CUTOFF else None


def no_such(kind: str, name: str, known: Iterable[str], where: str = "") -> str:
    """`there is no {kind} 'name'{where}; did you mean …?`, or what there is."""
    names = sorted(known)
    near = nearest(name, names)
    fix = f"did you mean {near!r}?" if near else f"there are: {', '.join(names[:LISTED]) or 'none'}"
    return f"there is no {kind} {name!r}{where}; {fix}"


def _likeness(given: str, known: str) -> float:
    parts = [PART_WEIGHT * _ratio(given, part) for part in known.split("_")] if "_" in known else []
    return max(_ratio(given, known), *parts, 0.0)


def _ratio(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, one).ratio()
