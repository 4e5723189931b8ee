"""Addresses: which file is meant, and no password in what is told of one."""

from __future__ import annotations

import pytest

from tidings.bootstrap.addresses import is_postgres, sqlite_path
from tidings.errors import ConfigError


@pytest.mark.parametrize("url", ["", "log.db", "sqlite://", "sqlite:///", "sqlite:log.db", "mysql://h"])
def test_an_unknown_address_is_told_with_what_is_known(url: str) -> None:
    with pytest.raises(ConfigError, match=r"engine\.url.*sqlite:///path"):
        sqlite_path("engine.url", url)


def test_three_slashes_are_relative_and_four_absolute() -> None:
    assert sqlite_path("x", "sqlite:///a/b.db") == "a/b.db"
    assert sqlite_path("x", "sqlite:////a/b.db") == "/a/b.db"


def test_both_spellings_of_postgres_are_known() -> None:
    assert [is_postgres(url) for url in ("postgresql://h/d", "postgres://h/d", "sqlite:///d")] == [
        True,
        True,
        False,
    ]


def test_an_address_is_told_without_its_password() -> None:
    with pytest.raises(ConfigError) as caught:
        sqlite_path("engine.url", "mysql://u:canary@h/d")
    assert "canary" not in str(caught.value)
