"""Channel patterns: which names a rule or a token speaks of. Row filters will stand beside them; rights do not."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache


@lru_cache(
    maxsize=1024
)  # patterns come from configuration and signed tokens; the bound stops a hostile stream of them
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a whole name fits a pattern: `*` stands for any run of characters, all else for itself.

    Linear in the name for any pattern. A regular expression would not be: five stars in a token were enough to hold
    the loop for seconds.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern.__eq__
    *middle, last = rest
    shortest = len(pattern) - len(rest)

    def fits(name: str) -> bool:
        if len(name) < shortest or not name.startswith(first) or not name.endswith(last):
            return False
        at, end = len(first), len(name) - len(last)
        for piece in middle:  # the leftmost place for each leaves most room for the others
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return at <= end

    return fits


def matches(pattern: str, channel: str) -> bool:
    """True when the channel's whole name fits the pattern."""
    return matcher(pattern)(channel)
