"""Who is asking. A demonstration: a name is taken on trust, from a header, a cookie or the page's address.

A real app puts its sign-in here; everything else asks `current_user` and stays as it is.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from examples.kanban.problems import Problem
from examples.kanban.seed import USERS

COOKIE: Final = "kanban_user"
HEADER: Final = "x-kanban-user"
"""Two windows of one browser share their cookies; the header lets each window act as its own person."""
COOKIE_SECONDS: Final = 30 * 86_400
MUTATION_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def current_user(request: Request) -> str:
    """The caller's name. Raises Problem 401 for nobody or a stranger."""
    user = request.headers.get(HEADER) or request.cookies.get(COOKIE)
    if user not in USERS:
        raise Problem(
            401,
            "not_signed_in",
            "Nobody is signed in." if user is None else f"There is no user {user!r}.",
            field=f"cookie {COOKIE}",
            fix=f"Add one of these to the page's address: {', '.join(f'?user={name}' for name in USERS)}.",
        )
    return user


def user_or_default(request: Request) -> str:
    """The caller's name, or the first demonstration user for a first visit. Raises Problem 401 for a stranger."""
    if request.headers.get(HEADER):
        return current_user(request)
    named = request.cookies.get(COOKIE)
    return named if named in USERS else USERS[0]


def remember_user(response: Response, user: str) -> Response:
    """Set the session cookie. It covers the whole host, because the live server reads it too."""
    response.set_cookie(COOKIE, user, max_age=COOKIE_SECONDS, path="/", httponly=True, samesite="lax")
    return response


def mutation_id(request: Request) -> str | None:
    """The client's own id for this write, if it sent one. Raises Problem 422 for a malformed id."""
    given = request.headers.get("x-mutation-id")
    if given is not None and not MUTATION_ID.fullmatch(given):
        raise Problem(
            422,
            "bad_mutation_id",
            "The mutation id has other characters than letters, digits, - and _, or more than 64 of them.",
            field="X-Mutation-Id",
            limit=64,
            fix="Send a random id such as a UUID.",
        )
    return given
