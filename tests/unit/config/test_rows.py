"""Rows of the table of apps: what each column may hold, and every fault of one."""

from __future__ import annotations

from typing import Any

import pytest

from tidings.config.loading import Faults
from tidings.config.rows import app_settings, entry_of
from tidings.node.apps import ChannelRule
from tidings.node.limits import Limits

ROW = {"id": "7", "key": "k", "secret": "s"}


def test_a_row_needs_an_id_and_a_pair() -> None:
    entry = entry_of(ROW, Limits())
    assert (entry.id, entry.pairs(), entry.enabled) == ("7", {"k": "s"}, True)


def test_every_column_is_read() -> None:
    row = {
        **ROW,
        "id": 7,
        "keys": '[{"key": "k2", "secret": "s2"}]',
        "enabled": 0,
        "client_events": 0,
        "subscription_count": 1,
        "origins": "https://a.example, https://b.example",
        "limits": '{"message_bytes": 10000}',
        "quotas": '{"connections": 5, "hard": true}',
        "webhooks": '[{"url": "https://hooks.example/x"}]',
        "jwt_secret": None,
        "updated_at": "2026-11-20",
        "owner": "somebody",
    }
    settings = app_settings(entry_of(row, Limits(batch=50)), (ChannelRule(match="a"),))
    assert settings.id == "7"
    assert dict(settings.keys) == {"k": "s", "k2": "s2"}
    assert (settings.enabled, settings.client_events, settings.subscription_count) == (False, False, True)
    assert settings.origins == ("https://a.example", "https://b.example")
    assert (settings.limits.message_bytes, settings.limits.batch) == (10_000, 50)
    assert (settings.quotas.connections, settings.quotas.hard) == (5, True)
    assert [hook.url for hook in settings.webhooks] == ["https://hooks.example/x"]
    assert len(settings.channels) == 1


def test_origins_may_be_json_too() -> None:
    assert entry_of({**ROW, "origins": '["https://a.example"]'}, Limits()).origins == ("https://a.example",)


def test_a_secret_is_never_a_reference() -> None:
    entry = entry_of({**ROW, "secret": "env:PATH", "jwt_secret": "file:/etc/hostname"}, Limits())
    assert (entry.secret, entry.jwt_secret) == ("env:PATH", "file:/etc/hostname")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("id", None),
        ("id", "a:b"),
        ("id", ""),
        ("key", "a:b"),
        ("key", None),
        ("secret", ""),
        ("secret", None),
        ("keys", "{"),
        ("keys", '[{"key": "x"}]'),
        ("enabled", 2),
        ("enabled", "yes"),
        ("origins", "[1]"),
        ("limits", "[]"),
        ("limits", '{"batches": 1}'),
        ("limits", '{"batch": 0}'),
        ("quotas", '{"connections": -1}'),
        ("quotas", '{"connection": 1}'),
        ("webhooks", '[{"url": "ftp://x"}]'),
        ("secret", "x" * 70_000),
        ("secret", b"bytes"),
    ],
)
def test_a_faulty_column_is_told_without_its_secret(column: str, value: Any) -> None:
    with pytest.raises(Faults) as faults:
        entry_of({**ROW, column: value}, Limits())
    assert faults.value.lines
    if column == "secret" and value:
        assert str(value) not in str(faults.value)
