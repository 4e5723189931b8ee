"""Ids: their forms are what other people's clients check."""

from __future__ import annotations

import pytest

from tidings.ids import (
    APP_ID_PATTERN,
    CLIENT_ID_PATTERN,
    SESSION_ID_PATTERN,
    new_epoch,
    new_message_id,
    new_session_id,
    new_trail,
)


def test_session_ids_have_the_form_that_pusher_sdks_check() -> None:
    made = {new_session_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(SESSION_ID_PATTERN.match(session) for session in made)


@pytest.mark.parametrize(
    "smuggled", ["1.2:private-x", "1.2\n", "1.2\n3", "1", "a.b", "1.2.3", "", "1." + "9" * 21]
)
def test_nothing_can_be_smuggled_into_a_session_id(smuggled: str) -> None:
    assert SESSION_ID_PATTERN.match(smuggled) is None


@pytest.mark.parametrize("bad", ["a:b", "a/b", "a\n", "", "x" * 65, "ä"])
def test_app_and_client_ids_hold_no_separator(bad: str) -> None:
    assert APP_ID_PATTERN.match(bad) is None
    assert CLIENT_ID_PATTERN.match(bad) is None


def test_other_ids_are_fresh_and_free_of_separators() -> None:
    for make in (new_message_id, new_epoch, new_trail):
        made = {make() for _ in range(100)}
        assert len(made) == 100
        assert not any(set(":/\n ") & set(text) for text in made)


def test_no_message_id_looks_like_an_option_of_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """`tidings webhooks replay ID` is what they are typed into."""
    made = iter(["-L3VOa94rHipDZL6I26oRQ", "-", "9kRzW0h3VJm1o0nUQ2xQ5A"])
    monkeypatch.setattr("secrets.token_urlsafe", lambda size: next(made))
    assert new_message_id() == "9kRzW0h3VJm1o0nUQ2xQ5A"
