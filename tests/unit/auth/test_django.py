"""The endpoints among Django's URL patterns, synchronous and asynchronous."""

from __future__ import annotations

import types
from typing import Any

import django
import pytest
from django.conf import settings

if not settings.configured:
    settings.configure(
        SECRET_KEY="of the tests",
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        USE_TZ=True,
    )
    django.setup()

from django.test import AsyncClient, Client, override_settings

from tests.unit.auth.forms import CASES, FORM, RULES, USERS, auth, form
from tidings.auth import User
from tidings.auth.django import session_user, urls


def user(request: Any) -> User | None:
    return USERS.get(request.COOKIES.get("session", ""))


async def user_async(request: Any) -> User | None:
    return user(request)


def urlconf(**options: Any) -> Any:
    module = types.ModuleType("urls_of_the_test")
    vars(module)["urlpatterns"] = urls(auth(), **{"user": user, "may": RULES, **options})
    return override_settings(ROOT_URLCONF=module)


@pytest.mark.parametrize(("session", "body", "status"), CASES)
def test_f6_each_form_has_its_status(session: str | None, body: bytes, status: int) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["session"] = session or ""
    with urlconf():
        answer = client.post("/pusher/auth", body, content_type=FORM)
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("session", "body", "status"), CASES)
async def test_asynchronous_functions_make_asynchronous_views(
    session: str | None, body: bytes, status: int
) -> None:
    client = AsyncClient()
    client.cookies["session"] = session or ""
    with urlconf(user=user_async):
        answer = await client.post("/pusher/auth", body, content_type=FORM)
    assert answer.status_code == status


def test_signing_in_and_other_methods() -> None:
    client = Client()
    client.cookies["session"] = "ada"
    with urlconf(prefix="broadcasting/"):
        answer = client.post("/broadcasting/user-auth", form(None), content_type=FORM)
        assert set(answer.json()) == {"auth", "user_data"}
        assert client.get("/broadcasting/auth").status_code == 405


def test_a_body_that_a_middleware_has_read_is_read_again() -> None:
    client = Client()
    client.cookies["session"] = "ada"

    def nosy(request: Any) -> User | None:
        assert request.POST["channel_name"]
        return user(request)

    with urlconf(user=nosy):
        assert client.post("/pusher/auth", form(), content_type=FORM).status_code == 200


def test_the_session_tells_who_it_is() -> None:
    ada = types.SimpleNamespace(pk=7, is_authenticated=True, get_username=lambda: "ada")
    assert session_user(types.SimpleNamespace(user=ada)) == User("7", {"name": "ada"})
    nobody = types.SimpleNamespace(is_authenticated=False)
    assert session_user(types.SimpleNamespace(user=nobody)) is None
