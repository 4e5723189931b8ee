"""Templates: what they name, how a row fills them, and when it cannot."""

from __future__ import annotations

import pytest

from tidings.errors import ConfigError
from tidings.sources.templates import Template, TooManyWays, Unfilled


def test_a_template_knows_its_columns_and_its_pattern() -> None:
    template = Template("family-{family id}-day-{day}")
    assert template.columns == ("family id", "day")
    assert template.pattern == "family-*-day-*"
    assert Template("lobby").pattern == "lobby"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        ("a b", "a b"),
        (5.0, "5"),
        (0.5, "0.5"),
        (True, "true"),
        (2**63 - 1, "9223372036854775807"),
        (1e300, "1e+300"),
    ],
)
def test_a_value_is_written_as_text(value: object, text: str) -> None:
    assert Template("x-{c}").fill({"c": value}) == f"x-{text}"


def test_a_lone_column_keeps_its_json_type() -> None:
    assert Template("{id}").value({"id": 7}) == 7
    assert Template("{id}").value({"id": "7"}) == "7"
    assert Template("t{id}").value({"id": 7}) == "t7"
    assert Template("tasks").value({}) == "tasks"


@pytest.mark.parametrize(
    ("row", "null"), [({"c": None}, True), ({}, False), ({"c": {"$hex": "00"}}, False), ({"c": []}, False)]
)
def test_a_row_that_cannot_fill_it_says_why(row: dict[str, object], null: bool) -> None:
    with pytest.raises(Unfilled, match="column c") as told:
        Template("{c}").value(row)
    assert told.value.null is null


@pytest.mark.parametrize("text", ["{", "}", "a{}b", "{a", "a}", "{a{b}}", "{{a}}"])
def test_a_brace_without_partner_or_name_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="brace"):
        Template(text)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("project-{id}", "project-42", [{"id": "42"}]),
        ("project-{id}", "project-", []),
        ("project-{id}", "task-42", []),
        ("{a}-{b}", "1-2-3", [{"a": "1", "b": "2-3"}, {"a": "1-2", "b": "3"}]),
        ("{a}-{a}", "1-1", [{"a": "1"}]),
        ("{a}-{a}", "1-2", []),
        ("news", "news", [{}]),
        ("news", "news-1", []),
        ("{a}.x", "1.x.x", [{"a": "1.x"}]),
    ],
)
def test_a_name_gives_back_the_values_that_made_it(
    text: str, name: str, values: list[dict[str, str]]
) -> None:
    assert Template(text).values(name) == values


def test_a_name_with_too_many_readings_is_not_read_without_end() -> None:
    with pytest.raises(TooManyWays):
        Template("{a}-{b}-{c}-{d}x").values("-".join("y" * 100))
