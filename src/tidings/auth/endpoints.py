"""The endpoints that clients ask whether they may: from a form to an answer. Knows no framework and does no I/O.

The flow is written once, as a generator that hands out the application's own questions (who is this, may they?) and is
sent the answers; each framework drives it as it waits.

    no session: 401  ·  a form that cannot be: 400  ·  not theirs, or nothing to sign: 403  ·  else 200
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from tidings.auth.signing import Auth, is_signed
from tidings.errors import ConfigError, Refusal
from tidings.filters import template_pattern
from tidings.ids import SESSION_ID_PATTERN
from tidings.protocols.pusher.names import is_presence, validate_channel

MAX_FORM: Final = 16 << 10
"""Bytes of a form: a socket id, a channel and what an application adds. Before a user is known nobody may pin more."""

MAX_FIELDS: Final = 50
"""Fields of a form."""


class User(msgspec.Struct, frozen=True):
    """Who asks. info: any JSON that others may see. watchlist: users whose coming and going this one hears of."""

    id: str
    info: Any = None
    watchlist: Sequence[str] = ()


class MemberInfo(msgspec.Struct, frozen=True):
    """Yes to a presence channel, with what its members see there instead of the user's own `id` and `info`."""

    info: Any = None
    user_id: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What to answer: status, body, its type."""

    status: int
    body: bytes
    content_type: str = "application/json"


HEADERS: Final = {"Cache-Control": "no-store"}
"""Of every answer: it is for one connection of one user."""

UNAUTHORIZED: Final = Answer(401, b"Unauthorized", "text/plain; charset=utf-8")
FORBIDDEN: Final = Answer(403, b"Forbidden", "text/plain; charset=utf-8")

Identify = Callable[[Any], Awaitable[User | None] | User | None]
"""`user(request)`: who asks, None without a session. The request is the framework's own."""

Verdict = bool | MemberInfo | None
May = Callable[..., Awaitable[Verdict] | Verdict]
"""`may(user, channel)`, or with a template `may(user, channel, family_id=…)`."""

Rules = May | Mapping[str, May]
"""One function for all channels, or one for each template such as `private-family-{family_id}`; the first that fits
decides. Templates fit whole names, so a name that merely contains another's is never taken for it."""

Steps = Generator[Any, Any, Answer]


class Endpoints:
    """Both endpoints of one app. Raises ConfigError for a template that cannot be."""

    def __init__(self, auth: Auth, *, user: Identify, may: Rules) -> None:
        self._auth = auth
        self._user = user
        rules = may if isinstance(may, Mapping) else {"{_}": may}
        if not rules:
            raise ConfigError("may: there is no rule, so nobody could join anything")
        self._rules = [(template_pattern(template), rule) for template, rule in rules.items()]
        self._named = isinstance(may, Mapping)

    def channel(self, request: Any, content_type: str, body: bytes) -> Steps:
        """`POST /pusher/auth`: may this connection join this channel?"""
        user = yield self._user(request)
        if user is None:
            return UNAUTHORIZED
        try:
            form = read_form(content_type, body)
            socket, channel = _socket(form), validate_channel(_field(form, "channel_name"))
        except Refusal as refusal:
            return _refused(refusal)
        verdict = (yield self._ask(user, channel)) if is_signed(channel) else False
        # Only a plain yes opens: a count, a list or something still to be awaited is a mistake in the rule, not a yes.
        if verdict is not True and not isinstance(verdict, MemberInfo):
            return FORBIDDEN
        return _answer(lambda: self._sign(user, verdict, socket, channel))

    def user(self, request: Any, content_type: str, body: bytes) -> Steps:
        """`POST /pusher/user-auth`: sign this connection in."""
        user = yield self._user(request)
        if user is None:
            return UNAUTHORIZED
        try:
            socket = _socket(read_form(content_type, body))
        except Refusal as refusal:
            return _refused(refusal)
        return _answer(lambda: self._auth.user(socket, _user_data(user)))

    def _ask(self, user: User, channel: str) -> Any:
        for pattern, rule in self._rules:
            match = pattern.match(channel)
            if match is not None:
                return rule(user, channel, **match.groupdict()) if self._named else rule(user, channel)
        return False

    def _sign(self, user: User, verdict: Verdict, socket: str, channel: str) -> dict[str, str]:
        if not is_presence(channel):
            return self._auth.channel(socket, channel)
        if isinstance(verdict, MemberInfo):
            return self._auth.channel(
                socket, channel, user_id=verdict.user_id or user.id, user_info=verdict.info
            )
        return self._auth.channel(socket, channel, user_id=user.id, user_info=user.info)


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form, or of a flat JSON object, which some clients' own handlers send.

    Raises Refusal `request_too_large`, `bad_json`, `bad_request`; also for a field that stands twice, since two readers
    might take different ones.
    """
    if len(body) > MAX_FORM:
        raise Refusal("request_too_large", field="body", limit=MAX_FORM)
    if content_type.partition(";")[0].strip().lower() == "application/json":
        try:
            return msgspec.json.decode(body, type=dict[str, str])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Refusal("bad_json", field="body", detail="expected an object of texts") from error
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise Refusal("bad_request", field="body", detail="expected a form in UTF-8") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refusal("bad_request", field="body", detail="a field stands twice")
    return fields


def drive(steps: Steps) -> Answer:
    """Run an endpoint to its answer where nothing needs to be awaited."""
    try:
        given = next(steps)
        while True:
            if isinstance(given, Coroutine):
                given.close()
                raise TypeError("a rule gave a coroutine: declare it with `async def`, so that it is awaited")
            given = steps.send(given)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


async def drive_async(steps: Steps) -> Answer:
    """Run an endpoint to its answer, awaiting the application's answers."""
    try:
        given = next(steps)
        while True:
            while isinstance(
                given, Awaitable
            ):  # a function that gives another's coroutine is awaited to its end
                given = await given
            given = steps.send(given)
    except StopIteration as end:
        answer: Answer = end.value
        return answer


def wrap(rules: Rules, around: Callable[[May], May]) -> Rules:
    """The same rules, each function within another: how a framework moves plain ones off its event loop."""
    if isinstance(rules, Mapping):
        return {template: around(rule) for template, rule in rules.items()}
    return around(rules)


def functions_of(user: Identify, may: Rules) -> tuple[Callable[..., Any], ...]:
    """Every function of the application that an endpoint would call."""
    return (user, *may.values()) if isinstance(may, Mapping) else (user, may)


def _field(form: Mapping[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise Refusal("bad_request", field=name, detail="missing")
    return value


def _socket(form: Mapping[str, str]) -> str:
    socket = _field(form, "socket_id")
    if SESSION_ID_PATTERN.match(socket) is None:
        raise Refusal("bad_request", field="socket_id", detail="a socket id is digits, a dot, digits")
    return socket


def _user_data(user: User) -> dict[str, Any]:
    data: dict[str, Any] = {"id": user.id}
    if user.info is not None:
        data["user_info"] = user.info
    if user.watchlist:
        data["watchlist"] = list(user.watchlist)
    return data


def _answer(sign: Callable[[], dict[str, str]]) -> Answer:
    try:
        return Answer(200, msgspec.json.encode(sign()))
    except Refusal as refusal:
        return _refused(refusal)


def _refused(refusal: Refusal) -> Answer:
    text = refusal.text.encode(errors="replace")
    return Answer(refusal.reason.status, text, "text/plain; charset=utf-8")


def is_async(function: Callable[..., Any]) -> bool:
    """True for what must be awaited: an `async def`, or an object whose call is one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)
