"""Pusher clients of a node in memory: connect, sign in, subscribe with the app's signature, and what they were told."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.unit.node.builders import APP, Line, settled
from tidings.node.authorizer import Visitor
from tidings.node.node import Node
from tidings.node.session import Session
from tidings.protocols.pusher.server import PusherServer
from tidings.protocols.pusher.signatures import channel_text, sign, user_text

KEY, SECRET = "key", "secret"


class PusherClient:
    """One connection."""

    def __init__(self, node: Node, *, app: str = APP, key: str = KEY, client: str | None = None) -> None:
        self.key = key
        self.line = Line()
        server = PusherServer(client_events=True)
        self.session: Session = node.connect(node.apps.by_id(app), server, self.line, Visitor(client=client))

    async def send(self, event: str, data: Any, **fields: Any) -> None:
        """Send a frame and wait until it has been worked off."""
        self.session.receive(json.dumps({"event": event, "data": data, **fields}))
        await settled(self.session)

    async def sign_in(self, user: str | int, *, secret: str = SECRET, **user_data: Any) -> None:
        text = json.dumps({"id": user, **user_data})
        signature = sign(secret, user_text(self.session.id, text))
        await self.send("pusher:signin", {"auth": f"{self.key}:{signature}", "user_data": text})

    async def subscribe(self, channel: str, member: Any = None) -> None:
        """Subscribe, signed where the name asks for it; `member` becomes the channel data."""
        data: dict[str, Any] = {"channel": channel}
        if channel.startswith(("private-", "presence-")):
            text = None if member is None else json.dumps(member)
            data["auth"] = f"{self.key}:{sign(SECRET, channel_text(self.session.id, channel, text))}"
            if text is not None:
                data["channel_data"] = text
        await self.send("pusher:subscribe", data)

    def close(self) -> None:
        """The connection is gone."""
        self.session.closed()

    def frames(self, *events: str) -> list[dict[str, Any]]:
        """The frames received, of the given events or all; a text in `data` is read where it is JSON."""
        found = [msgspec.json.decode(line) for line in self.line.data.splitlines()]
        return [_read(frame) for frame in found if not events or frame["event"] in events]

    def events(self, channel: str | None = None) -> list[str]:
        """The names of the events received, on one channel or all."""
        return [one["event"] for one in self.frames() if channel is None or one.get("channel") == channel]

    def watched(self) -> list[tuple[str, list[str]]]:
        """The watchlist events, flat."""
        frames = self.frames("pusher_internal:watchlist_events")
        return [(one["name"], one["user_ids"]) for frame in frames for one in frame["data"]["events"]]

    def errors(self) -> list[Any]:
        """The codes of the errors told."""
        return [frame["data"]["code"] for frame in self.frames("pusher:error")]


def _read(frame: dict[str, Any]) -> dict[str, Any]:
    try:
        return {**frame, "data": json.loads(frame["data"])}
    except (KeyError, TypeError, ValueError):
        return frame
