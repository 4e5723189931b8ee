"""The catalogue: complete, unique, and every entry says what to do."""

from __future__ import annotations

import pytest

from tidings.errors import CATALOGUE, RESET_REASONS, Disconnect, Reason, Refusal, Unsubscription


def test_codes_and_names_are_unique() -> None:
    assert len({reason.code for reason in CATALOGUE.values()}) == len(CATALOGUE)
    assert all(name == reason.name for name, reason in CATALOGUE.items())


@pytest.mark.parametrize("reason", CATALOGUE.values(), ids=lambda reason: reason.name)
def test_every_entry_has_a_meaning_a_fix_and_a_status_of_its_range(reason: Reason) -> None:
    assert reason.meaning
    assert reason.fix
    assert 400 <= reason.status <= 507
    assert reason.code // 100 in (1, 2, 3)


def test_a_refusal_names_the_field_the_limit_and_the_fix() -> None:
    text = str(Refusal("message_too_large", field="data", limit=10))
    assert (
        text == "data: the message's data is above the limit (limit 10); send an id and let clients refetch"
    )


def test_a_disconnect_says_whether_and_when_to_return() -> None:
    draining = Disconnect("draining", after=2.5)
    assert draining.reason.retry
    assert draining.after == 2.5
    assert not Disconnect("app_gone").reason.retry


def test_an_unsubscription_is_told_by_name() -> None:
    assert Unsubscription("revoked").name == "revoked"


def test_reset_reasons_are_sentences() -> None:
    assert all(" " in meaning for meaning in RESET_REASONS.values())
