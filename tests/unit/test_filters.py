"""Patterns: a star of a channel's name is any run of characters; LIKE has `%` and `_`; each in linear time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import ConfigError
from tidings.filters import like_matcher, matches, template_pattern


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


@pytest.mark.parametrize("template", ["a-{}", "a-{1x}", "a-{b}-{b}", "a-{b c}"])
def test_a_template_that_cannot_be_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match="identifiers"):
        template_pattern(template)


def test_a_template_fits_whole_names_only() -> None:
    fits = template_pattern("family-{id}.x")
    assert fits.match("family-1.x")
    assert not fits.match("my-family-1.x")
    assert not fits.match("family-1yx")
    assert not fits.match("family-.x")


@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_patterns_mean_what_a_regular_expression_would(pattern: str, name: str) -> None:
    meant = ".*".join(re.escape(piece) for piece in pattern.split("*"))
    assert matches(pattern, name) == (re.fullmatch(meant, name) is not None)


def test_many_stars_cost_nothing() -> None:
    assert not matches("*a" * 90 + "b", "a" * 200)  # as a regular expression: longer than the universe


@given(st.text("ab%_", max_size=8), st.text("abA", max_size=10), st.booleans())
def test_like_means_what_a_regular_expression_would(pattern: str, text: str, fold: bool) -> None:
    meant = re.compile(pattern.replace("%", ".*").replace("_", "."), re.IGNORECASE if fold else 0)
    assert like_matcher(pattern, fold=fold)(text) == (meant.fullmatch(text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (r"5\%", "5%", True),
        (r"5\%", "50", False),
        (r"a\_b", "a_b", True),
        (r"a\_b", "axb", False),
        (r"a\\%", "a\\x", True),
        ("a\\", "a\\", True),
        ("a.c", "abc", False),
        ("", "", True),
        ("", "a", False),
        ("%", "", True),
        ("a\n%", "a\nb", True),
    ],
)
def test_a_backslash_takes_the_next_character_as_it_is(pattern: str, text: str, fits: bool) -> None:
    assert like_matcher(pattern)(text) is fits
