"""Channel patterns: which names a rule or a token speaks of. Row filters will stand beside them; rights do not."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(
    maxsize=1024
)  # patterns come from configuration and signed tokens; the bound stops a hostile stream of them
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Turn a channel pattern into a regular expression: `*` stands for any run of characters, all else for itself."""
    return re.compile(
        "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern)) + r"\Z", re.S
    )


def matches(pattern: str, channel: str) -> bool:
    """True when the channel's whole name fits the pattern."""
    return compile_pattern(pattern).match(channel) is not None
