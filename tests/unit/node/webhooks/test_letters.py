"""Letters, the ids of requests, and how both are written down."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.unit.node.webhooks.builders import APP, URL, letter
from tidings.node.webhooks.letters import (
    Dead,
    decode_dead,
    decode_letter,
    encode,
    parcel_body,
    parcel_id,
)


def test_the_id_of_a_request_follows_from_its_letters() -> None:
    assert parcel_id([letter(1)]) == letter(1).id
    assert parcel_id([letter(1), letter(2)]) == parcel_id([letter(1), letter(2)])
    assert parcel_id([letter(1), letter(2)]) != parcel_id([letter(1), letter(3)])


def test_the_body_is_the_same_at_every_attempt() -> None:
    assert json.loads(parcel_body([letter(1), letter(2)])) == {"time_ms": 1002, "events": ["", ""]}


def test_keys_sort_by_number() -> None:
    assert sorted([letter(10).key, letter(9).key]) == [letter(9).key, letter(10).key]


def test_what_is_written_down_is_read_back() -> None:
    dead = Dead(number=5, app=APP, url=URL, reason="answered 500", tries=3, at=7, letter=letter(1))
    assert decode_letter(encode(letter(1))) == letter(1)
    assert decode_dead(encode(dead)) == dead
    assert (dead.id, dead.size) == ("id1", 2)


def test_a_loss_has_an_id_of_its_own() -> None:
    lost = Dead(number=5, app=APP, url="", reason="full", at=7, lost=12)
    assert (lost.id, lost.size) == ("lost-5", 0)


def test_what_was_never_written_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_letter(b"\xc1")
