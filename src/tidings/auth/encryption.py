"""Encrypted channels: the shared secret of a channel, and sealing with it. Keeps no key; each caller brings its own.

The secret is SHA-256 over the channel's name and the master key (pusher.md 1.10), the seal NaCl's secretbox. The
server only relays. libsodium is loaded when something is sealed, not before.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Final

from tidings.errors import ConfigError, Refusal
from tidings.protocols.pusher.names import is_encrypted, validate_channel

KEY_BYTES: Final = 32
"""Of the master key and of a shared secret: what secretbox takes."""


def read_master(key: bytes | str) -> bytes:
    """The master key as bytes. Raises ConfigError when it is neither 32 bytes nor their base64."""
    try:
        raw = base64.b64decode(key, validate=True) if isinstance(key, str) else bytes(key)
    except (binascii.Error, ValueError) as error:
        raise ConfigError("encryption_master_key: the text is not base64") from error
    if len(raw) != KEY_BYTES:
        raise ConfigError(f"encryption_master_key: {len(raw)} bytes; expected {KEY_BYTES}, or their base64")
    return raw


def shared_secret(master: bytes, channel: str) -> bytes:
    """The key of one channel. Raises Refusal `bad_channel` for a channel that is not encrypted."""
    validate_channel(channel)
    if not is_encrypted(channel):
        raise Refusal("bad_channel", field="channel", detail="only private-encrypted- channels are encrypted")
    return hashlib.sha256(channel.encode() + master).digest()


def shared_secret_text(master: bytes, channel: str) -> str:
    """The same as a client is told it: base64."""
    return base64.b64encode(shared_secret(master, channel)).decode()


def seal(key: bytes, data: bytes) -> dict[str, str]:
    """Encrypt with a fresh random nonce; both parts in base64."""
    from nacl.secret import SecretBox

    sealed = SecretBox(key).encrypt(data)
    return {
        "nonce": base64.b64encode(sealed.nonce).decode(),
        "ciphertext": base64.b64encode(sealed.ciphertext).decode(),
    }


def unseal(key: bytes, sealed: Mapping[str, str]) -> bytes:
    """What was sealed. Raises Refusal `bad_message` for another key, a changed text or a malformed envelope."""
    from nacl.exceptions import CryptoError
    from nacl.secret import SecretBox

    try:
        nonce, text = (base64.b64decode(sealed[part], validate=True) for part in ("nonce", "ciphertext"))
        return SecretBox(key).decrypt(text, nonce)
    except (KeyError, TypeError, ValueError, CryptoError) as error:
        raise Refusal("bad_message", field="ciphertext", detail="it does not open with this key") from error
