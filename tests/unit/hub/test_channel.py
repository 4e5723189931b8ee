"""Channel options: the defaults that the contract states."""

from __future__ import annotations

from tidings.hub.channel import DEFAULT_OPTIONS, Retention


def test_retention_is_what_the_contract_says() -> None:
    assert Retention() == Retention(count=10_000, bytes=64 * 1024 * 1024, age=24 * 3600)
    assert DEFAULT_OPTIONS.history == Retention()


def test_a_plain_channel_is_open_logged_and_without_presence() -> None:
    options = DEFAULT_OPTIONS
    assert not (options.require_auth)
    assert not (options.presence)
    assert not (options.client_events)
    assert not (options.cache)
    assert not (options.ephemeral)
