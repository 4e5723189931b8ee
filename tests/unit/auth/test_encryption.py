"""Keys and seals of encrypted channels."""

from __future__ import annotations

from base64 import b64encode

import pytest

from tidings.auth.encryption import read_master, seal, shared_secret, unseal
from tidings.errors import ConfigError, Refusal

MASTER = bytes(range(32))


def test_a_master_key_may_be_bytes_or_their_base64() -> None:
    assert read_master(MASTER) == read_master(b64encode(MASTER).decode()) == MASTER


@pytest.mark.parametrize(
    "key", [b"", b"short", b"x" * 33, "not base64!", b64encode(b"x" * 31).decode(), "x" * 32]
)
def test_another_master_key_is_refused_without_being_shown(key: bytes | str) -> None:
    with pytest.raises(ConfigError, match="encryption_master_key") as refused:
        read_master(key)
    assert str(key) not in str(refused.value) or not key


def test_a_secret_belongs_to_one_channel() -> None:
    secrets = {shared_secret(MASTER, f"private-encrypted-{name}") for name in ("a", "b", "cache-a")}
    assert len(secrets) == 3


@pytest.mark.parametrize("channel", ["private-a", "encrypted-a", "private-encrypted-a\n", ""])
def test_no_other_channel_has_a_secret(channel: str) -> None:
    with pytest.raises(Refusal):
        shared_secret(MASTER, channel)


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"nonce": "x"},
        {"nonce": "AA==", "ciphertext": "AA=="},
        {"nonce": "é", "ciphertext": "AA=="},
        {"nonce": None, "ciphertext": None},
    ],
)
def test_a_broken_envelope_is_told(broken: dict[str, str]) -> None:
    with pytest.raises(Refusal) as refused:
        unseal(MASTER, broken)
    assert refused.value.name == "bad_message"


def test_a_changed_text_does_not_open() -> None:
    sealed = seal(MASTER, b"secret")
    assert unseal(MASTER, sealed) == b"secret"
    other = seal(MASTER, b"secret")
    with pytest.raises(Refusal):
        unseal(MASTER, {**sealed, "ciphertext": other["ciphertext"]})
