"""Which name is offered to somebody who mistyped one."""

from __future__ import annotations

import pytest

from tidings.nearest import nearest, no_such

SETTINGS = ("host", "port", "data", "drain_seconds", "trusted_proxies", "log_format", "log_level")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("prot", "port"),
        ("dran", "drain_seconds"),  # by its whole length `data` would be nearer
        ("drian_seconds", "drain_seconds"),
        ("proxies", "trusted_proxies"),
        ("hsot", "host"),
        ("zzz", None),
    ],
)
def test_the_nearest_is_found_by_the_whole_name_or_a_part(name: str, meant: str | None) -> None:
    assert nearest(name, SETTINGS) == meant


def test_nothing_is_near_where_there_is_nothing() -> None:
    assert nearest("port", ()) is None


def test_the_place_stands_before_the_advice() -> None:
    assert no_such("column", "projct_id", ("id", "project_id"), " in table 'tasks'") == (
        "there is no column 'projct_id' in table 'tasks'; did you mean 'project_id'?"
    )


def test_what_there_is_is_told_when_nothing_is_near() -> None:
    assert no_such("table", "x", ("tasks", "notes")) == "there is no table 'x'; there are: notes, tasks"
