"""What all subscribers share: staying connected, keeping the cursor, writing down what they see. No wire format.

Each transport adds one method, `follow`: connect, resume as its contract says, and take what comes until the
connection ends. Those are in `http_subscribers` and `websocket_subscribers`.
"""

from __future__ import annotations

import abc
import asyncio
import random
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from campaigns.recorder import Recorder
from campaigns.wire import CampaignError, WireError
from tidings.testing.observations import (
    Connected,
    Delivered,
    Disconnected,
    Finished,
    Repeated,
    Reset,
    Subscribed,
)
from tidings.testing.process import AppCredentials

BACKOFF_SECONDS = (0.03, 0.5)
"""First and longest wait before dialling again, drawn at random up to each: the kills come every second."""


class Subscriber(abc.ABC):
    """One client that follows `channels` for the whole campaign, through whatever happens to it."""

    transport: ClassVar[str]
    drops_repeats: ClassVar[bool] = False
    """Whether the server holds the cursor, so that the client must drop what it has taken already."""

    def __init__(
        self,
        name: str,
        *,
        address: tuple[str, int],
        app: AppCredentials,
        channels: tuple[str, ...],
        recorder: Recorder,
        seed: int,
    ) -> None:
        self.name = name
        self.channels = channels
        self.cursor: str | None = None
        self.subscribed = asyncio.Event()
        self.caught_up = asyncio.Event()
        self.last_failure = ""
        self._host, self._port = address
        self._app = app
        self._recorder = recorder
        self._rng = random.Random(f"{seed}/{name}")
        self._confirmed: set[str] = set()
        self._awaited: dict[str, str] = {}  # channel → the publish that ends it
        self._last: dict[str, tuple[str, int]] = {}
        self._is_connected = False

    @abc.abstractmethod
    async def follow(self) -> None:
        """Connect, resume, and take messages until the connection ends. Raises WireError, CampaignError."""

    async def run(self) -> None:
        """Follow until cancelled. Raises CampaignError when the server breaks its protocol."""
        failures = 0
        while True:
            try:
                await self.follow()
                failures = 0
            except WireError as error:
                failures += 1
                self.last_failure = str(error)
            finally:
                if self._is_connected:
                    failures = 0
                self._disconnected()
            first, longest = BACKOFF_SECONDS
            await asyncio.sleep(self._rng.uniform(0.0, min(longest, first * 2**failures)))

    def expect(self, last: Mapping[str, str]) -> None:
        """From now on `caught_up` means: the last publish of each channel was taken, or a reset stood for it."""
        self.caught_up.clear()
        self._awaited = {channel: last[channel] for channel in self.channels}

    def finish(self) -> None:
        """Write down that everything published has been seen."""
        self._recorder.add(Finished(self._recorder.now(), self.name))

    # ── for the transports

    def connected(self) -> None:
        """A connection on which messages may come stands."""
        self._is_connected = True
        self._recorder.add(Connected(self._recorder.now(), self.name))

    def confirm(self, channel: str, cursor: str | None) -> bool:
        """The server confirmed a channel, covered up to `cursor`; returns whether all are confirmed now."""
        if channel not in self._confirmed:
            self._confirmed.add(channel)
            epoch, offset = read_position(cursor) if cursor else (None, None)
            self._recorder.add(Subscribed(self._recorder.now(), self.name, (channel,), epoch, offset))
        if self._confirmed >= set(self.channels):
            self.subscribed.set()
        return self.subscribed.is_set()

    def take(self, message: dict[str, Any]) -> None:
        """Take a message: `id`, `channel`, `data`, `position`, `previous`; note it and move the cursor."""
        try:
            channel, message_id = message["channel"], message["id"]
            epoch, offset = read_position(message["position"])
            body, previous = read_body(message["data"]), message["previous"]
        except (KeyError, TypeError, ValueError) as error:
            raise CampaignError(f"{self.name}: {error!r} in {message}") from error
        now = self._recorder.now()
        if self.drops_repeats and self._knows(channel, epoch, offset):
            self._recorder.add(Repeated(now, self.name, channel, body))
            return
        self._last[channel] = (epoch, offset)
        self._recorder.add(Delivered(now, self.name, channel, message_id, body, epoch, offset, previous))
        self.cursor = message["position"]
        if self._awaited.get(channel) == body:
            self._awaits_no_more(channel)

    def reset(self, told: dict[str, Any]) -> None:
        """Take a reset: `channels`, `reason`, `cursor`."""
        channels, cursor = tuple(told["channels"]), told.get("cursor")
        epoch, offset = read_position(cursor) if cursor else (None, None)
        for channel in channels:
            self._last.pop(channel, None)
            self._awaits_no_more(channel)
        self._recorder.add(
            Reset(self._recorder.now(), self.name, channels, str(told.get("reason")), epoch, offset)
        )

    def _awaits_no_more(self, channel: str) -> None:
        if self._awaited.pop(channel, None) is not None and not self._awaited:
            self.caught_up.set()

    def _knows(self, channel: str, epoch: str, offset: int) -> bool:
        last = self._last.get(channel)
        return last is not None and last[0] == epoch and offset <= last[1]

    def _disconnected(self) -> None:
        if self._is_connected:
            self._is_connected = False
            self._recorder.add(Disconnected(self._recorder.now(), self.name))


def read_position(cursor: str) -> tuple[str, int]:
    """Return epoch and offset of a cursor. Raises ValueError."""
    epoch, _, offset = cursor.rpartition(":")
    return epoch, int(offset)


def read_body(data: Any) -> str:
    """Return the name of the publish inside a message's data, which Pusher's API encodes twice."""
    value = msgspec.json.decode(data) if isinstance(data, str) else data
    return str(value["body"])
