"""Channel patterns and templates: which names are meant. Row filters will stand beside them; rights do not."""

from __future__ import annotations

import re
from functools import lru_cache

from tidings.errors import ConfigError


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
