"""Says yes or no to a subscription or publish, given a credential, a token or the application's own hook.

Holds no wire format: a credential verifies itself, a token is a JWT, a hook is the application's function.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import jwt
import msgspec

from tidings.commands import Credential, Grant, UserGrant
from tidings.errors import Refusal
from tidings.filters import matches, template_pattern
from tidings.hub.channel import ChannelOptions
from tidings.ids import ChannelName, SessionId, UserId
from tidings.node.apps import App
from tidings.node.limits import Limits
from tidings.presence import Member
from tidings.protocols.json_values import is_deeper

MAX_TOKEN: Final = 8192
"""Characters of a token: half a header block. A huge token costs a signature check each time."""

LEEWAY: Final = 3.0
"""Seconds of clock difference forgiven in a token's times; with the sweep's second, expiry is acted on within 5 s
(promise 6)."""

MAX_USER: Final = 128
"""Bytes of a user id in UTF-8; Pusher's own limit."""

MAX_PATTERNS: Final = 100
"""Channel patterns in one token: each is tried at every subscription."""

_OPTIONS: Final[Any] = {"require": ["exp"], "verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""The times are compared with the node's clock, not with that of the library."""

log = logging.getLogger(__name__)


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """Who stands at the door: what the transport knows of a client before a word was said.

    peer: address. client: a stable id that lets the server hold the cursor. headers: lower-case names.
    """

    peer: str = ""
    origin: str | None = None
    host: str = ""
    token: str | None = None
    client: str | None = None
    headers: Mapping[str, str] = {}
    path: str = ""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a token proves. `expires` in seconds since the Unix epoch."""

    user: UserId | None = None
    subscribe: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    info: bytes = b"null"
    expires: float


Hook = Callable[..., Awaitable[Any]]
"""`async (visitor, **names from the pattern) -> bool | str | Grant`. A text is the user's id."""


class Authorizer:
    """The rights of one node. Hooks are tried in the order they were added; the first whose pattern fits decides."""

    def __init__(self) -> None:
        self._hooks: list[tuple[re.Pattern[str], Hook]] = []

    def add_hook(self, pattern: str, hook: Hook) -> None:
        """Let `hook` decide on channels like `private-family-{family_id}`. Raises ConfigError for a bad pattern."""
        self._hooks.append((template_pattern(pattern), hook))

    def identify(self, app: App, token: str, now: float) -> Identity:
        """Read a token: HS256 by the app's `jwt_secret`, `exp` required. now: seconds since the Unix epoch.

        Claims: `sub` (user), `channels` and `publish` (lists of patterns), `info` (any JSON, shown to members).
        Raises Refusal `bad_token`.
        """
        if app.jwt_secret is None:
            raise Refusal("bad_token", field="token", detail="this app has no jwt_secret")
        if len(token) > MAX_TOKEN:
            raise Refusal("bad_token", field="token", detail="the token is too long", limit=MAX_TOKEN)
        try:
            claims = jwt.decode(token, app.jwt_secret, algorithms=["HS256"], options=_OPTIONS)
            _check_times(claims, now)
            return _identity(claims, app.limits)
        except (jwt.PyJWTError, ValueError, OverflowError, TypeError, RecursionError) as error:
            # The rest is what a signed token may still hold: lone surrogates, a time beyond all clocks, deep nesting.
            raise Refusal("bad_token", field="token", detail=str(error)) from error

    async def subscribe(
        self,
        app: App,
        visitor: Visitor,
        identity: Identity | None,
        channel: ChannelName,
        credential: Credential | None,
        session: SessionId,
        signed_in: UserGrant | None = None,
    ) -> Grant:
        """Decide on one channel. Raises Refusal `not_authenticated`, `forbidden` or what the credential says."""
        options = app.options(channel)
        if options.owner is not None:
            return _own(options.owner, signed_in)
        if not (options.require_auth or options.presence):
            return Grant(user=identity.user if identity else None)
        if credential is not None:
            return _require_member(credential.verify(app.secrets, session, channel), options, signed_in)
        if identity is not None and any(matches(p, channel) for p in identity.subscribe):
            return _require_member(_grant(identity), options)
        granted = await self._ask_hook(visitor, channel)
        if granted is not None:
            return _require_member(granted, options)
        if identity is None:
            raise Refusal(
                "not_authenticated", field="channel", detail=f"{channel} needs a proof of who you are"
            )
        raise Refusal("forbidden", field="channel", detail=f"this token does not open {channel}")

    def publish(self, identity: Identity | None, channel: ChannelName) -> None:
        """Decide on a client's own publish into the log. Raises Refusal."""
        if identity is None:
            raise Refusal("not_authenticated", field="channel", detail="publishing needs a token")
        if not any(matches(p, channel) for p in identity.publish):
            raise Refusal(
                "forbidden", field="channel", detail=f"this token does not allow to publish to {channel}"
            )

    async def _ask_hook(self, visitor: Visitor, channel: ChannelName) -> Grant | None:
        for pattern, hook in self._hooks:
            match = pattern.match(channel)
            if match is None:
                continue
            try:
                answer = await hook(visitor, **match.groupdict())
            except Refusal:
                raise
            except Exception as error:
                # The application's own fault is not the client's: it may ask again, and nobody else is disturbed.
                log.exception("hook_failed", extra={"channel": channel})
                raise Refusal("unavailable", detail="the application could not decide") from error
            if isinstance(answer, Grant):
                return answer
            if answer is True:
                return Grant()
            if isinstance(answer, str) and answer:
                return Grant(user=UserId(answer))
            # Nothing else is a yes: a count of 0 or an empty list is no user, and must not become one.
            raise Refusal("forbidden", field="channel", detail=f"the application refuses {channel}")
        return None


def _identity(claims: Mapping[str, Any], limits: Limits) -> Identity:
    user, info = claims.get("sub"), msgspec.json.encode(claims.get("info"))
    if user is not None and (not isinstance(user, str | int) or not 0 < len(str(user).encode()) <= MAX_USER):
        raise Refusal("bad_token", field="sub", detail="a user is a text", limit=MAX_USER)
    if len(info) > limits.member_bytes:
        raise Refusal("bad_token", field="info", limit=limits.member_bytes)
    if is_deeper(info, limits.json_depth):
        raise Refusal("bad_token", field="info", detail="nested too deep", limit=limits.json_depth)
    return Identity(
        user=None if user is None else UserId(str(user)),
        subscribe=_patterns(claims, "channels"),
        publish=_patterns(claims, "publish"),
        info=info,
        expires=float(claims["exp"]),
    )


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """By the node's clock, which keeps watch over the session afterwards (RFC 7519, 4.1.4 to 4.1.6).

    Raises ValueError, TypeError, OverflowError.
    """
    if int(claims["exp"]) <= now - LEEWAY:
        raise ValueError("the token has expired")
    for name in ("nbf", "iat"):
        if name in claims and int(claims[name]) > now + LEEWAY:
            raise ValueError(f"the token is not valid yet ({name})")


def _patterns(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = claims.get(name, [])
    if not isinstance(value, list) or len(value) > MAX_PATTERNS or not all(isinstance(p, str) for p in value):
        raise Refusal(
            "bad_token", field=name, detail="the claim must be a list of channel patterns", limit=MAX_PATTERNS
        )
    for pattern in value:
        pattern.encode()  # a lone surrogate fits no channel; refused here, with the token
    return tuple(value)


def _grant(identity: Identity) -> Grant:
    member = None if identity.user is None else Member(identity.user, identity.info)
    return Grant(user=identity.user, member=member, by_token=True)


def _own(owner: str, signed_in: UserGrant | None) -> Grant:
    """Let in whoever is signed in as the owner; nobody where the name is reserved."""
    if not owner:
        raise Refusal("bad_channel", field="channel", detail="names that begin with # are reserved")
    if signed_in is None or signed_in.user != owner:
        raise Refusal("forbidden", field="channel", detail="only who is signed in as this user may subscribe")
    return Grant(user=signed_in.user)


def _require_member(grant: Grant, options: ChannelOptions, signed_in: UserGrant | None = None) -> Grant:
    """The member of a presence channel: the one that was signed, else the user of the proof or of the sign-in."""
    if not options.presence or grant.member is not None:
        return grant
    if grant.user is None and signed_in is not None:
        return Grant(user=signed_in.user, member=Member(signed_in.user, signed_in.info))
    if grant.user is None:
        raise Refusal("not_authenticated", field="channel", detail="a presence channel needs a user")
    return msgspec.structs.replace(grant, member=Member(grant.user))
