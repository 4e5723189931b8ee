"""Settings of the shop. The database is `DATABASE_URL`: `sqlite:///file` or `postgresql://…`."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


def database(url: str) -> dict[str, Any]:
    """An entry of DATABASES."""
    if url.startswith("sqlite:///"):
        options: dict[str, Any] = {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",  # a writer waits for its turn at once, not in the middle of its work
            "init_command": "PRAGMA journal_mode = WAL",
        }
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.removeprefix("sqlite:///"),
            "OPTIONS": options,
        }
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": dict(parse_qsl(parts.query)).get("host", parts.hostname or ""),
        "PORT": parts.port or "",
    }


SECRET_KEY = os.environ.get("SECRET_KEY", "only for this example: it signs nothing")
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "examples.outbox_django.urls"
INSTALLED_APPS = ["tidings.outbox.django", "examples.outbox_django.orders"]
DATABASES = {"default": database(os.environ.get("DATABASE_URL", "sqlite:///orders.db"))}
USE_TZ = True
