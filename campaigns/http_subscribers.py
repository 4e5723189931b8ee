"""Subscribers over plain HTTP: an event stream that resumes by Last-Event-ID, and a long poll with a cursor."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec

from campaigns.subscribers import Subscriber
from campaigns.wire import CampaignError, EventStream, HttpConnection

POLL_SECONDS = 10
"""How long the server may keep a poll open."""


class EventsSubscriber(Subscriber):
    """`GET /events`, as an EventSource does it: the cursor is the id of the last event, whatever it was."""

    transport: ClassVar[str] = "sse"

    async def follow(self) -> None:
        query = urlencode([*(("channel", channel) for channel in self.channels), ("framing", "typed")])
        headers = {"Host": self._host, "Accept": "text/event-stream"}
        if self.cursor:
            headers["Last-Event-ID"] = self.cursor
        connection = await HttpConnection.open(self._host, self._port)
        try:
            answer = await connection.request("GET", f"/events?{query}", headers)
            answer.require(200)
            stream = EventStream(self.cursor or "")
            async for chunk in connection.chunks(answer):
                for data, last_event_id in stream.feed(chunk):
                    self._event(msgspec.json.decode(data))
                    self.cursor = last_event_id or None
                self.cursor = stream.last_event_id or None
        finally:
            connection.close()

    def _event(self, event: dict[str, Any]) -> None:
        match event.get("type"):
            case "connected":
                self.connected()
            case "subscribed":
                self.confirm(event["channel"], event["cursor"])
            case "message":
                self.take(event)
            case "reset":
                self.reset(event)
            case "unsubscribed" | "reply":
                raise CampaignError(f"{self.name}: {event}")


class PollSubscriber(Subscriber):
    """`GET /poll`: the cursor of each page leads to the next."""

    transport: ClassVar[str] = "poll"

    async def follow(self) -> None:
        connection = await HttpConnection.open(self._host, self._port)
        try:
            while True:
                await self._page(connection)
        finally:
            connection.close()

    async def _page(self, connection: HttpConnection) -> None:
        pairs = [*(("channel", channel) for channel in self.channels), ("wait", str(POLL_SECONDS))]
        if self.cursor:
            pairs.append(("cursor", self.cursor))
        headers = {"Host": self._host, "Accept": "application/json"}
        answer = await connection.request("GET", f"/poll?{urlencode(pairs)}", headers, wait=POLL_SECONDS)
        answer.require(200, 304)
        if not self._is_connected:
            self.connected()
        body = await connection.body(answer)
        if answer.status == 200:
            self._read(msgspec.json.decode(body))

    def _read(self, page: dict[str, Any]) -> None:
        for told in page["reset"] or ():
            self.reset(told)
        for message in page["messages"]:
            self.take(message)
        self.cursor = page["cursor"]
        for channel in self.channels:
            self.confirm(channel, self.cursor)
