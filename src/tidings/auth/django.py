"""The auth endpoints for Django, sync or async as the application's functions are. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tidings.auth.endpoints import (
    HEADERS,
    MAX_FORM,
    Answer,
    Endpoints,
    Identify,
    Rules,
    Steps,
    User,
    drive,
    drive_async,
    functions_of,
    is_async,
    wrap,
)
from tidings.auth.signing import Auth

View = Callable[[Any, str, bytes], Steps]


def session_user(request: Any) -> User | None:
    """The user of Django's own session, None for an anonymous one; others see the username."""
    user = request.user
    return User(str(user.pk), {"name": user.get_username()}) if user.is_authenticated else None


def urls(auth: Auth, *, may: Rules, user: Identify = session_user, prefix: str = "pusher/") -> list[Any]:
    """The endpoints `POST /pusher/auth` and `POST /pusher/user-auth` as URL patterns.

    user: `(request) -> User | None`; None answers 401. may: `(user, channel) -> bool | MemberInfo`, or a mapping from
    templates to such functions (`endpoints.Rules`); False answers 403. Both may be asynchronous; then the views are.
    Raises ConfigError.

        urlpatterns += urls(auth, may=may_join)

    The views are exempt from CSRF tokens: they change nothing, and a page of another origin cannot read the answer.
    """
    functions = functions_of(user, may)
    if not any(map(is_async, functions)):
        endpoints = Endpoints(auth, user=user, may=may)
        return _patterns(prefix, _sync_view(endpoints.channel), _sync_view(endpoints.user))
    endpoints = Endpoints(auth, user=_awaitable(user), may=wrap(may, _awaitable))
    return _patterns(prefix, _async_view(endpoints.channel), _async_view(endpoints.user))


def _patterns(prefix: str, channel: Any, user: Any) -> list[URLPattern]:
    return [
        path(f"{prefix}auth", csrf_exempt(require_POST(channel)), name="tidings-channel-auth"),
        path(f"{prefix}user-auth", csrf_exempt(require_POST(user)), name="tidings-user-auth"),
    ]


def _sync_view(steps: View) -> Callable[[HttpRequest], HttpResponse]:
    def view(request: HttpRequest) -> HttpResponse:
        return _response(drive(steps(request, request.content_type or "", _body(request))))

    return view


def _async_view(steps: View) -> Callable[[HttpRequest], Any]:
    async def view(request: HttpRequest) -> HttpResponse:
        return _response(await drive_async(steps(request, request.content_type or "", _body(request))))

    return view


def _body(request: HttpRequest) -> bytes:
    """The body. One that is announced too long is not read: a text of that length is refused for it."""
    announced = str(request.META.get("CONTENT_LENGTH") or "0")
    if not announced.isdecimal() or int(announced[:10]) > MAX_FORM:
        return bytes(MAX_FORM + 1)
    body: bytes = request.body
    return body


def _response(answer: Answer) -> HttpResponse:
    return HttpResponse(answer.body, answer.content_type, answer.status, headers=HEADERS)


def _awaitable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain function may ask the database, which Django allows in a thread alone."""
    if is_async(function):
        return function
    wrapped: Callable[..., Any] = sync_to_async(function)
    return wrapped
