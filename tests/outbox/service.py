"""A program: an example shop on a port, which can be told to die at the worst moment. Holds nothing of the shop."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

DEADLY = b"x-die-before-the-answer"
"""A request with this header is worked on to the end; the process is gone when its answer would begin."""

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]


def sqlalchemy_shop(url: str) -> App:
    from examples.outbox_sqlalchemy.app import create_app

    return create_app(url)


def django_shop(url: str) -> App:
    os.environ["DJANGO_SETTINGS_MODULE"] = "examples.outbox_django.settings"
    from django.core.asgi import get_asgi_application
    from django.core.management import call_command

    app: App = get_asgi_application()
    call_command("migrate", verbosity=0)
    return app


SHOPS = {"sqlalchemy": sqlalchemy_shop, "django": django_shop}


def deadly(app: App) -> App:
    """The shop, with a look-out and a way to die."""

    async def wrapped(scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/readyz":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        dies = scope["type"] == "http" and any(name == DEADLY for name, _ in scope["headers"])

        async def send_or_die(message: MutableMapping[str, Any]) -> None:
            if dies:
                os.kill(os.getpid(), signal.SIGKILL)
            await send(message)

        await app(scope, receive, send_or_die)

    return wrapped


if __name__ == "__main__":
    kind, port = sys.argv[1:]
    shop = deadly(SHOPS[kind](os.environ["DATABASE_URL"]))
    lifespan = "off" if kind == "django" else "on"  # Django has none
    uvicorn.run(shop, host="127.0.0.1", port=int(port), log_level="warning", lifespan=lifespan)  # type: ignore[arg-type]
