"""Close codes and error codes: clients must be able to come back, except where coming back cannot help."""

from __future__ import annotations

import pytest

from tidings.errors import CATALOGUE, Disconnect, Refusal
from tidings.protocols.pusher.codes import (
    CLOSE_CODES,
    MAX_CLOSE_REASON,
    NO_PROTOCOL,
    BadProtocol,
    close_code,
    error_code,
)

FOR_GOOD = {"app_gone", "app_off", "bad_protocol", "not_signed_in", "ended", "quota_reached"}
"""The ends after which pusher-js must not try again."""

DISCONNECTS = [name for name, reason in CATALOGUE.items() if reason.code >= 300]


def test_every_end_of_a_connection_has_a_code() -> None:
    assert set(CLOSE_CODES) == set(DISCONNECTS)


@pytest.mark.parametrize("name", DISCONNECTS)
def test_a_client_gives_up_exactly_where_coming_back_cannot_help(name: str) -> None:
    code, _ = close_code(Disconnect(name))
    assert (4000 <= code < 4100) == (name in FOR_GOOD)


@pytest.mark.parametrize("name", DISCONNECTS)
def test_no_connection_is_closed_with_43xx(name: str) -> None:
    code, _ = close_code(Disconnect(name))
    assert code < 4300


@pytest.mark.parametrize(("name", "code"), [("draining", 4200), ("silent", 4201), ("over_capacity", 4100)])
def test_passing_trouble_has_the_code_that_brings_clients_back(name: str, code: int) -> None:
    assert close_code(Disconnect(name))[0] == code


def test_a_bad_protocol_carries_its_own_code() -> None:
    assert close_code(BadProtocol(NO_PROTOCOL, "none"))[0] == 4008


def test_the_reason_fits_into_a_close_frame_and_stays_utf8() -> None:
    _, reason = close_code(Disconnect("slow", detail="ä" * 200))
    assert 0 < len(reason.encode()) <= MAX_CLOSE_REASON
    assert reason == "ä" * (MAX_CLOSE_REASON // 2)


def test_only_client_events_above_their_rate_carry_a_number() -> None:
    assert error_code(Refusal("rate_limited"), "publish") == 4301
    assert error_code(Refusal("rate_limited"), "subscribe") is None
    assert error_code(Refusal("bad_signature"), "publish") is None
