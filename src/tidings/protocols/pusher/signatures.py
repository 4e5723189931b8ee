"""Signatures of the Pusher protocol: made and checked. Holds no secret and no clock; both are given.

Every signature is lower-case hex of HMAC-SHA256 with the app secret (pusher.md 3). Nothing is compared but in constant
time, and nothing from outside enters a signed text before its form is known.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tidings.commands import Grant, UserGrant
from tidings.errors import Refusal
from tidings.ids import SESSION_ID_PATTERN, ChannelName, SessionId, UserId
from tidings.presence import Member
from tidings.protocols.http import Request
from tidings.protocols.pusher.messages import MemberData, UserData, read_json, to_bytes
from tidings.protocols.pusher.names import MAX_USER_ID, USER_PATTERN, is_presence, user_of, validate_channel

CLOCK_WINDOW: Final = 600
"""Seconds that a request's clock may differ from ours (pusher.md 3.1)."""

MAX_USER_INFO: Final = 1024
"""Bytes of raw JSON. Every newcomer is sent that of all members."""

MAX_WATCHLIST: Final = 100
"""Users that one connection may watch (pusher.md 1.12). Those beyond are passed over."""

MAX_USER_DATA: Final = 32 * 1024
"""Characters of a sign-in's `user_data`, which is signed whole before it is looked into: a full watchlist fits."""

MAX_AUTH: Final = 256
"""Characters of `auth`: a key and 64 hexadecimal digits."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}\Z")
_NOBODY: Final = "the secret of no app"
"""Signed with when the key is unknown, so that an unknown key takes as long as a wrong signature."""


def sign(secret: str, text: str) -> str:
    """HMAC-SHA256 of a text, lower-case hex. Raises Refusal `bad_json` when the text holds a lone surrogate."""
    return hmac.new(secret.encode(), to_bytes(text), hashlib.sha256).hexdigest()


def sign_webhook(secret: str, body: bytes) -> str:
    """The `X-Pusher-Signature` of a webhook: over the raw body (pusher.md 4)."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def verify(secrets: Mapping[str, str], key: str, text: str, signature: str) -> bool:
    """Whether `signature` is that of `text` by the secret of `key`. An unknown key costs the same work."""
    secret = secrets.get(key)
    expected = sign(_NOBODY if secret is None else secret, text)
    same = hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))
    return same and secret is not None


# ── channels and users


def channel_text(session: SessionId, channel: str, channel_data: str | None = None) -> str:
    """What is signed to let a connection into a channel (pusher.md 3.2).

    channel_data: the exact text that is sent, on private channels too (8.1, trap 7).
    Raises Refusal `bad_signature` for a session id of another form, `bad_channel` for such a name: a delimiter in
    either would make this the signed text of another channel.
    """
    _check_session(session)
    if user_of(validate_channel(channel)) is not None:
        raise Refusal("bad_channel", field="channel", detail="no signature opens a user's own channel")
    text = f"{session}:{channel}"
    return text if channel_data is None else f"{text}:{channel_data}"


def user_text(session: SessionId, user_data: str) -> str:
    """What is signed to sign a user in (pusher.md 3.3). Raises Refusal `bad_signature` as `channel_text` does."""
    _check_session(session)
    return f"{session}::user::{user_data}"


def _check_session(session: str) -> None:
    if SESSION_ID_PATTERN.match(session) is None:
        raise Refusal("bad_signature", field="socket_id", detail="a socket id is digits, a dot, digits")


class PusherSignature(msgspec.Struct, frozen=True):
    """The proof sent with `pusher:subscribe`: `auth` is `key:signature`, `channel_data` the signed text or None."""

    auth: str
    channel_data: str | None = None

    def verify(self, secrets: Mapping[str, str], session: SessionId, channel: ChannelName) -> Grant:
        """Check the proof; on a presence channel the grant holds the user and the member, where one was signed.

        Without channel data the member is whoever the connection is signed in as (1.8): that the node knows.
        Raises Refusal `bad_signature`, and for channel data that is not proper `bad_message`, `bad_json`, `too_deep`
        or `member_too_large`.
        """
        key, _, signature = self.auth.partition(":")
        if not verify(secrets, key, channel_text(session, channel, self.channel_data), signature):
            raise Refusal(
                "bad_signature", field="auth", detail="the signature does not fit socket id and channel"
            )
        if not is_presence(channel) or self.channel_data is None:
            return Grant()
        member = read_member(self.channel_data)
        return Grant(user=member.user, member=member)


class PusherUserSignature(msgspec.Struct, frozen=True):
    """The proof sent with `pusher:signin`: `auth` is `key:signature`, `user_data` the signed text (pusher.md 3.3)."""

    auth: str
    user_data: str

    def verify(self, secrets: Mapping[str, str], session: SessionId) -> UserGrant:
        """Check the proof and read the user. Raises Refusal `bad_signature`, or as `read_user` does."""
        if len(self.auth) > MAX_AUTH or len(self.user_data) > MAX_USER_DATA:
            detail = "it has too many characters"
            field, limit = ("auth", MAX_AUTH) if len(self.auth) > MAX_AUTH else ("user_data", MAX_USER_DATA)
            raise Refusal("bad_signature", field=field, detail=detail, limit=limit)
        key, _, signature = self.auth.partition(":")
        if not verify(secrets, key, user_text(session, self.user_data), signature):
            raise Refusal(
                "bad_signature", field="auth", detail="the signature does not fit socket id and user data"
            )
        return read_user(self.user_data)


def read_user(user_data: str) -> UserGrant:
    """Read the user out of signed user data (pusher.md 1.11, 1.12). A numeric id becomes text.

    Raises Refusal `bad_json`, `too_deep`, `bad_message` or `member_too_large`.
    """
    raw = to_bytes(user_data)
    data = read_json(raw, UserData)
    user = str(data.id)
    if USER_PATTERN.match(user) is None:
        detail = "a user id has 1 to 128 characters on one line"
        raise Refusal("bad_message", field="user_data.id", detail=detail, limit=MAX_USER_ID)
    info = bytes(data.user_info)
    if len(info) > MAX_USER_INFO:
        raise Refusal("member_too_large", field="user_data.user_info", limit=MAX_USER_INFO)
    watched = tuple(dict.fromkeys(UserId(str(other)) for other in data.watchlist or ()))
    return UserGrant(
        user=UserId(user),
        data=raw,
        info=info,
        watchlist=watched[:MAX_WATCHLIST],
        watchlist_cut=len(watched) > MAX_WATCHLIST,
    )


def read_member(channel_data: str) -> Member:
    """Read the member out of signed channel data (pusher.md 1.8).

    Raises Refusal `bad_json`, `too_deep`, `bad_message` or `member_too_large`.
    """
    data = read_json(to_bytes(channel_data), MemberData)
    user = str(data.user_id)
    if not 0 < len(user) <= MAX_USER_ID:
        detail = "a user id has 1 to 128 characters"
        raise Refusal("bad_message", field="channel_data.user_id", detail=detail, limit=MAX_USER_ID)
    info = bytes(data.user_info)
    if len(info) > MAX_USER_INFO:
        raise Refusal("member_too_large", field="channel_data.user_info", limit=MAX_USER_INFO)
    return Member(UserId(user), info)


# ── HTTP requests


class Signed(msgspec.Struct, frozen=True):
    """A request whose signature was checked.

    expires: seconds since the epoch, after which it would be refused for its age.
    parameters: those that are not about signing, names in lower case, in the order sent.
    """

    signature: str
    expires: float
    parameters: tuple[tuple[str, str], ...]

    def parameter(self, name: str, default: str = "") -> str:
        """A parameter's only value."""
        return next((value for at, value in self.parameters if at == name), default)

    def parameters_of(self, name: str) -> tuple[str, ...]:
        """All values of a parameter that may repeat."""
        return tuple(value for at, value in self.parameters if at == name)


def request_text(method: str, path: str, parameters: Sequence[tuple[str, str]]) -> str:
    """What is signed of an HTTP request (pusher.md 3.1). Values are not URL-escaped; `auth_signature` is left out."""
    kept = [(name.lower(), value) for name, value in parameters if name.lower() != "auth_signature"]
    kept.sort(key=lambda pair: pair[0])  # equal names, `channels[]` alone, stay in the order sent
    return "\n".join((method.upper(), path, "&".join(f"{name}={value}" for name, value in kept)))


def body_md5(body: bytes) -> str:
    """The fingerprint that binds a body to its signature. MD5 is what the protocol says; the HMAC covers it."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def verify_request(request: Request, secrets: Mapping[str, str], now: float) -> Signed:
    """Check signature, clock and body of a request, in this order.

    secrets: of the app in the path, so that a key of another app is unknown here (8.2, trap 27).
    Raises Refusal `bad_request` (too many or repeated parameters), `not_authenticated` (unsigned), `bad_signature`,
    `signature_expired`.
    """
    pairs = [(name.lower(), value) for name, value in request.pairs()]
    values = _single_values(pairs)
    missing = [name for name in ("auth_key", "auth_timestamp", "auth_signature") if not values.get(name)]
    if missing:
        raise Refusal("not_authenticated", field=missing[0], detail="the request is not signed")
    text = request_text(request.method, request.path, pairs)
    if values.get("auth_version") != "1.0":
        raise Refusal("bad_signature", field="auth_version", detail="only version 1.0 is known")
    if not verify(secrets, values["auth_key"], text, values["auth_signature"]):
        raise Refusal(
            "bad_signature", field="auth_signature", detail="the signature does not fit the request"
        )
    expires = _check_clock(values["auth_timestamp"], now)
    _check_body(request.body, values.get("body_md5"))
    rest = tuple(pair for pair in pairs if not pair[0].startswith("auth_") and pair[0] != "body_md5")
    return Signed(values["auth_signature"], expires, rest)


def _single_values(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Refuse repeated parameters: two readers might take different ones. Names ending in `[]` are lists."""
    values: dict[str, str] = {}
    for name, value in pairs:
        if name in values and not name.endswith("[]"):
            raise Refusal("bad_request", field=name[:64], detail="the parameter is given twice")
        values[name] = value
    return values


def _check_clock(timestamp: str, now: float) -> float:
    if _TIMESTAMP.match(timestamp) is None:
        raise Refusal("bad_signature", field="auth_timestamp", detail="it is not a number of seconds")
    if abs(now - int(timestamp)) > CLOCK_WINDOW:
        detail = f"the clocks differ by {now - int(timestamp):.0f} seconds"
        raise Refusal("signature_expired", field="auth_timestamp", detail=detail, limit=CLOCK_WINDOW)
    return float(int(timestamp) + CLOCK_WINDOW)


def _check_body(body: bytes, md5: str | None) -> None:
    if md5 is None:
        if body:
            raise Refusal("bad_signature", field="body_md5", detail="a body must be signed with body_md5")
    elif not hmac.compare_digest(body_md5(body).encode(), md5.encode(errors="replace")):
        raise Refusal("bad_signature", field="body_md5", detail="it is not that of the body received")
