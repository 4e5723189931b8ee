"""Channel patterns: a star is any run of characters, everything else is itself."""

from __future__ import annotations

import pytest

from tidings.filters import matches


@pytest.mark.parametrize(
    ("pattern", "channel", "fits"),
    [
        ("project-*", "project-1", True),
        ("project-*", "project-", True),
        ("project-*", "my-project-1", False),
        ("project-1", "project-1", True),
        ("project-1", "project-12", False),
        ("project-1", "project-1\n", False),
        ("*", "", True),
        ("private-*-x", "private-a-b-x", True),
        ("a.c", "abc", False),
        ("a+", "aa", False),
        ("[ab]", "a", False),
    ],
)
def test_patterns(pattern: str, channel: str, fits: bool) -> None:
    assert matches(pattern, channel) is fits
