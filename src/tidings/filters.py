"""Channel patterns and templates: which names are meant. Row filters will stand beside them; rights do not."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from tidings.errors import ConfigError


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


def template_pattern(template: str) -> re.Pattern[str]:
    """`private-family-{family_id}` → a regular expression with a named group for each pair of braces.

    Raises ConfigError when a name in braces is not an identifier or stands twice.
    """
    parts = re.split(r"\{([^{}]*)\}", template)
    names = parts[1::2]
    if any(not name.isidentifier() for name in names) or len(set(names)) != len(names):
        raise ConfigError(
            f"channel pattern {template!r}: names in braces must be identifiers, each used once"
        )
    return re.compile(
        "".join(re.escape(part) if at % 2 == 0 else f"(?P<{part}>.+)" for at, part in enumerate(parts))
        + r"\Z"
    )
