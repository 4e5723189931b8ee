"""`Auth`: what a back end signs with an app's key and secret. Asks nobody for rights: its caller has decided.

Nothing from outside enters a signed text before its form is known: a colon or newline in a socket id or channel name
would make it the signed text of another channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from tidings.auth import encryption
from tidings.auth.webhooks import WebhookEvent, open_webhook
from tidings.errors import ConfigError, Refusal
from tidings.ids import SessionId
from tidings.protocols.pusher.names import MAX_USER_ID, USER_PATTERN, is_encrypted, is_presence
from tidings.protocols.pusher.signatures import channel_text, read_member, sign, user_text

SIGNED_PREFIXES: Final = ("private-", "presence-")


class Auth:
    """Signs for one app.

    key, secret: of the app; new signatures are made with them. older: pairs that are on their way out, by which
    webhooks may still be signed. encryption_master_key: 32 bytes, or their base64; needed for `private-encrypted-`
    channels alone, and never told to the server.

        auth = Auth("app-key", "app-secret")
        auth.channel("123.456", "private-family-7")     # {"auth": "app-key:…"}

    Raises ConfigError for an empty key or secret, a colon in a key, or a master key of another length.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        *,
        encryption_master_key: bytes | str | None = None,
        older: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._pairs = {**dict(older), key: secret}  # the newest secret of a key counts
        for name, value in [*older, (key, secret)]:
            if not name or ":" in name or not value:
                raise ConfigError("an app's key is a text without colon, and its secret is not empty")
        self.key = key
        self._secret = secret
        self._master = (
            None if encryption_master_key is None else encryption.read_master(encryption_master_key)
        )

    def __repr__(self) -> str:
        return f"Auth({self.key!r})"  # never the secrets

    # ── for connections

    def channel(
        self, socket_id: str, channel: str, *, user_id: str | int | None = None, user_info: Any = None
    ) -> dict[str, str]:
        """The answer that lets a connection into a channel: `auth`, with `channel_data` and `shared_secret` as needed.

        user_id: needed for presence channels, where all members see it and `user_info` (any JSON, at most 1 kB); on a
        private channel it becomes part of what is signed (pusher.md 1.7).
        Raises Refusal `bad_signature` for a malformed socket id, `bad_channel` for a name that is malformed or needs no
        authorisation, `bad_message` without a proper user id, `bad_json`, `member_too_large`; ConfigError for an
        encrypted channel without master key; TypeError for `user_info` that is not JSON.
        """
        text = channel_text(SessionId(socket_id), channel)
        if not is_signed(channel):
            raise Refusal(
                "bad_channel", field="channel", detail="only private and presence channels are signed"
            )
        answer: dict[str, str] = {}
        if user_id is not None:
            answer["channel_data"] = _member_text(user_id, user_info)
            text = channel_text(SessionId(socket_id), channel, answer["channel_data"])
        elif is_presence(channel):
            raise Refusal("bad_message", field="user_id", detail="a presence channel needs it")
        if is_encrypted(channel):
            answer["shared_secret"] = encryption.shared_secret_text(self._key_of_keys(), channel)
        return {"auth": f"{self.key}:{sign(self._secret, text)}", **answer}

    def user(self, socket_id: str, user: Mapping[str, Any]) -> dict[str, str]:
        """The answer that signs a connection in: `auth` and `user_data`.

        user: `id` (a text that is not empty; a number is written as text, since clients insist on one), and if wanted
        `user_info` (any JSON) and `watchlist` (ids of the users whose coming and going it wants to hear of).
        Raises Refusal `bad_signature` for a malformed socket id, `bad_message`, `bad_json`.
        """
        data = {**user, "id": _user_id(user.get("id"))}
        watchlist = data.get("watchlist", [])
        if isinstance(watchlist, str) or not all(isinstance(one, str) and one for one in watchlist):
            raise Refusal("bad_message", field="watchlist", detail="a list of user ids is needed")
        text = _json(data)
        return {
            "auth": f"{self.key}:{sign(self._secret, user_text(SessionId(socket_id), text))}",
            "user_data": text,
        }

    # ── for messages

    def encrypt(self, channel: str, data: Any) -> dict[str, str]:
        """Seal data for an encrypted channel; what is returned is published as the event's data.

        data: anything JSON can hold; clients get back just that. Each call makes a fresh nonce.
        Raises Refusal `bad_channel` for another kind of channel, ConfigError without master key, TypeError.
        """
        return encryption.seal(encryption.shared_secret(self._key_of_keys(), channel), _json(data).encode())

    def decrypt(self, channel: str, sealed: Mapping[str, str]) -> Any:
        """What `encrypt` was given. Raises Refusal `bad_channel`, `bad_message` for what does not open; ConfigError."""
        key = encryption.shared_secret(self._key_of_keys(), channel)
        return msgspec.json.decode(encryption.unseal(key, sealed))

    def webhook(self, headers: Mapping[str, str], body: bytes) -> tuple[WebhookEvent, ...]:
        """The events of a webhook request, once its signature is known to be ours (pusher.md 4).

        headers: of the request, names in any case. body: as it came; a parsed and re-written one does not fit.
        Raises Refusal `not_authenticated` when it is not signed, `bad_signature`, and `bad_json` or `bad_message` for a
        body that is not a webhook's.
        """
        return open_webhook(self._pairs, headers, body)

    def _key_of_keys(self) -> bytes:
        if self._master is None:
            raise ConfigError("encrypted channels need encryption_master_key: 32 bytes, or their base64")
        return self._master


def _member_text(user_id: str | int, info: Any) -> str:
    _user_id(user_id)
    member: dict[str, Any] = {"user_id": user_id}
    if info is not None:
        member["user_info"] = info
    text = _json(member)
    read_member(text)  # what the server would refuse is refused here, where its cause is
    return text


def _user_id(value: Any) -> str:
    """A user's id as text."""
    if isinstance(value, bool) or not isinstance(value, str | int) or not USER_PATTERN.match(str(value)):
        detail = "a user id is a text or a number of 1 to 128 characters, without control characters"
        raise Refusal("bad_message", field="user_id", detail=detail, limit=MAX_USER_ID)
    return str(value)


def _json(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError as error:
        raise Refusal("bad_json", detail="a text holds a lone surrogate") from error


def is_signed(channel: str) -> bool:
    """Whether clients ask an authorisation for a channel of this name. For any other a signature opens nothing."""
    return channel.startswith(SIGNED_PREFIXES)
