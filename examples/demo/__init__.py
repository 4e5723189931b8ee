"""The demo: the example systems behind one Tidings server, and a stage that shows two screens side by side.

`build` is what `tidings demo` calls. What each system does it says itself; here they only get an address.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from typing import Any, Final

import msgspec

from examples.demo.stage import Cable, Stage
from examples.kanban.app import create_app
from examples.kanban.live import LiveSettings
from examples.kanban.schema import open_database
from examples.kanban.sessions import COOKIE
from examples.kanban.store import Store
from tidings.config.loading import load
from tidings.config.settings import Config
from tidings.ids import AppId, ChannelName, new_message_id, new_trail
from tidings.messages import Message
from tidings.node.apps import ChannelRule
from tidings.node.authorizer import Visitor
from tidings.node.node import Node

KANBAN: Final = Path(__file__).parent.parent / "kanban"

LOOPBACK: Final = "'self' http://127.0.0.1:* http://localhost:*"
"""Who may frame a board: the stage, whose left frame comes through the cable's port."""

Hook = Callable[..., Awaitable[Any]]


def build(data: Path, port: int, host: str = "127.0.0.1", lan: str | None = None) -> DemoPlan:
    """The example systems with their databases in `data`, for a server that listens on `host:port`.

    lan: the address by which other devices call it, such as http://192.168.1.5:8000; None when they cannot.
    """
    return DemoPlan(data, port, host, lan)


class DemoPlan:
    """What the demo's server needs: its configuration, who may read what, and the pages."""

    def __init__(self, data: Path, port: int, host: str = "127.0.0.1", lan: str | None = None) -> None:
        self._database = data / "kanban.db"
        self._cable = Cable(host, port, remembered=data / "cable-port")
        self._node: Node | None = None
        self._secret = secrets.token_hex(20)  # nobody outside this process signs for the demo's app
        self.config = _kanban_config(self._database, self._secret)
        app = self.config.apps[0]
        live = LiveSettings(key=app.pairs().popitem()[0], secret=self._secret, app_id=app.id, resume=True)
        framed_by = f"{LOOPBACK} {lan}" if lan else LOOPBACK
        board = create_app(self._database, live=live, publish=self._publish, framed_by=framed_by)
        self.extra = Stage(self._cable, {"kanban": self._database}, {"kanban": board}, lan=lan).app()
        self.hooks: Sequence[tuple[str, Hook]] = [("project-{project_id}", self._may_read)]

    def prepare(self) -> None:
        """Make and seed the databases that are not there yet."""
        Store(self._database).close()

    async def start(self, node: Node) -> None:
        """The server listens: lay the cable."""
        self._node = node
        await self._cable.lay()

    async def stop(self) -> None:
        """Take the cable away."""
        await self._cable.take_away()

    async def _publish(self, channel: str, event: str, data: dict[str, Any]) -> None:
        assert self._node is not None, "the server has not started"
        message = Message(
            id=new_message_id(),
            channel=ChannelName(channel),
            event=event,
            data=msgspec.json.encode(data),
            time=time.time_ns() // 1_000_000,
            trail=new_trail(),
        )
        await self._node.host.publish(AppId(self.config.apps[0].id), [message])

    async def _may_read(self, visitor: Visitor, project_id: str) -> str | None:
        """The user of the session cookie, when a member of the project."""
        user = _cookie_user(visitor.headers.get("cookie", ""))
        return user if user is not None and _is_member(self._database, project_id, user) else None


def _kanban_config(database: Path, secret: str) -> Config:
    """The kanban's own tidings.toml, with the database where the demo keeps it and a secret of this start.

    Here server and pages are one origin, so the session cookie can say who may listen: the channels have plain names,
    and `_may_read` decides.
    """
    config = load(file=KANBAN / "tidings.toml", environ={}).config
    source = msgspec.structs.replace(config.sources[0], url=f"sqlite:///{database}")
    app = msgspec.structs.replace(config.apps[0], secret=secret, origins=())
    rules = tuple(
        msgspec.structs.replace(rule, channel=rule.channel.removeprefix("private-")) for rule in config.rules
    )
    members_only = ChannelRule(match="project-*", require_auth=True)
    return msgspec.structs.replace(
        config, sources=(source,), apps=(app,), rules=rules, channels=(members_only,)
    )


def _cookie_user(header: str) -> str | None:
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return None if morsel is None else morsel.value


def _is_member(database: Path, project_id: str, user: str) -> bool:
    with closing(open_database(database)) as connection:
        found = connection.execute(
            "SELECT 1 FROM members WHERE project_id = ? AND user = ?", (project_id, user)
        ).fetchone()
    return found is not None
