"""No password in an address that is shown."""

from __future__ import annotations

import pytest

from tidings.config.urls import without_password


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///app.db", "sqlite:///app.db"),
        ("postgresql://ada@db/app", "postgresql://ada@db/app"),
        (
            "postgresql://ada:canary@db:5432/app?sslmode=require",
            "postgresql://ada:…@db:5432/app?sslmode=require",
        ),
        ("postgresql://ada:can@ary@db/app", "postgresql://ada:…@db/app"),
        ("postgresql://:canary@/app?host=/tmp", "postgresql://:…@/app?host=/tmp"),
        ("postgresql://db/app?user=a&password=canary&x=1", "postgresql://db/app?user=a&password=…&x=1"),
        ("postgresql://db/app?sslpassword=canary", "postgresql://db/app?sslpassword=…"),
        ("host=db password='can ary' user=a", "host=db password=… user=a"),
        ("redis://:canary@h:1", "redis://:…@h:1"),
        ("postgresql://ada:can#ary@db/app", "postgresql://ada:…@db/app"),
        ("postgresql://ada:can/ary?x@db/app", "postgresql://ada:…@db/app"),
        ("postgresql:/ada:canary@db/app", "postgresql:/ada:…@db/app"),
    ],
)
def test_what_may_be_a_password_is_masked(url: str, shown: str) -> None:
    assert without_password(url) == shown
    assert "ary" not in without_password(url)
