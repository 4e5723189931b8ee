"""The endpoints among Starlette's routes."""

from __future__ import annotations

from typing import Any

import httpx2 as httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount

from tests.unit.auth.forms import CASES, FORM, RULES, USERS, auth, form
from tidings.auth import User
from tidings.auth.starlette import auth_routes


async def user(request: Request) -> User | None:
    return USERS.get(request.cookies.get("session", ""))


def in_a_thread(request: Request) -> User | None:
    return USERS.get(request.cookies.get("session", ""))


async def post(
    app: Any, path: str, body: bytes, session: str | None = "ada", method: str = "POST"
) -> httpx.Response:
    cookies = {"cookie": f"session={session}"} if session else {}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, content=body, headers={"content-type": FORM, **cookies})


@pytest.mark.parametrize("who", [user, in_a_thread])
@pytest.mark.parametrize(("session", "body", "status"), CASES)
async def test_f6_each_form_has_its_status(who: Any, session: str | None, body: bytes, status: int) -> None:
    app = Starlette(routes=[auth_routes(auth(), user=who, may=RULES)])
    answer = await post(app, "/pusher/auth", body, session)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "no-store"


async def test_signing_in_and_other_methods() -> None:
    app = Starlette(routes=[auth_routes(auth(), user=user, may=RULES, prefix="/broadcasting")])
    answer = await post(app, "/broadcasting/user-auth", form(None))
    assert set(answer.json()) == {"auth", "user_data"}
    assert (await post(app, "/broadcasting/auth", b"", method="GET")).status_code == 405


async def test_it_can_be_mounted_below_another_application() -> None:
    parent = Starlette()
    parent.router.routes.append(auth_routes(auth(), user=user, may=RULES))  # as one does it in FastAPI
    parent.router.routes.append(Mount("/api", routes=[auth_routes(auth(), user=user, may=RULES)]))
    for prefix in ("", "/api"):
        assert (await post(parent, f"{prefix}/pusher/auth", form())).status_code == 200


async def test_the_application_may_look_at_the_body_too() -> None:
    async def nosy(request: Request) -> User | None:
        assert b"channel_name" in await request.body()
        return await user(request)

    app = Starlette(routes=[auth_routes(auth(), user=nosy, may=RULES)])
    assert (await post(app, "/pusher/auth", form())).status_code == 200
