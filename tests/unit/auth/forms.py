"""What the endpoints are asked in tests: families, their members, and the forms of pusher-js."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tidings.auth import Auth, MemberInfo, User

KEY, SECRET = "app-key", "app-secret"
FORM = "application/x-www-form-urlencoded"
SOCKET = "1234.1234"

USERS = {"ada": User("1", {"name": "Ada"}), "bob": User("2", {"name": "Bob"}), "cai": User("3")}
FAMILIES = {"1": ["smith", "jones"], "2": ["jones"]}
"""Ada is in two families; the second is as much hers as the first (D11)."""


def auth() -> Auth:
    return Auth(KEY, SECRET, encryption_master_key=bytes(32))


def in_family(user: User, channel: str, family_id: str) -> bool:
    return family_id in FAMILIES.get(user.id, [])


def in_room(user: User, channel: str, room: str) -> MemberInfo | bool:
    return MemberInfo({"name": "hidden"}, user_id="anonymous") if room == "masked" else room == "hall"


RULES = {
    "private-family-{family_id}": in_family,
    "private-encrypted-family-{family_id}": in_family,
    "presence-{room}": in_room,
}


def form(channel: str | None = "private-family-smith", socket: str | None = SOCKET, **more: Any) -> bytes:
    fields = {"socket_id": socket, "channel_name": channel, **more}
    return urlencode({name: value for name, value in fields.items() if value is not None}).encode()


CASES: list[tuple[str | None, bytes, int]] = [
    ("ada", form(), 200),
    ("ada", form("private-family-jones"), 200),  # D11
    ("bob", form("private-family-jones"), 200),
    ("ada", form("private-encrypted-family-jones"), 200),
    ("ada", form("presence-hall"), 200),
    ("ada", form(more="fields"), 200),
    (None, form(), 401),
    (None, b"", 401),
    ("bob", form(), 403),
    ("cai", form("private-family-"), 403),
    ("ada", form("private-other-smith"), 403),
    ("ada", form("my-private-family-smith"), 403),
    ("ada", form("private-private-family-smith"), 403),
    ("ada", form("family-smith"), 403),
    ("ada", form("presence-cellar"), 403),
    ("ada", form(None), 400),
    ("ada", form(""), 400),
    ("ada", form("private-family-smith\n"), 400),
    ("ada", form("private-family-smith:x"), 400),
    ("ada", form(socket=None), 400),
    ("ada", form(socket=""), 400),
    ("ada", form(socket="1.2:private-family-jones"), 400),
    ("ada", form(socket="1234"), 400),
    ("ada", form() + b"&channel_name=private-family-jones", 400),
    ("ada", b"\xff=\xff", 400),
    ("ada", b"socket_id=%ff", 400),
    ("ada", b"", 400),
    ("ada", form(filler="x" * 20_000), 413),
]
"""Session, form, status (F6)."""
