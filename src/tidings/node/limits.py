"""Every bound of a node: its name, default and reason; and the rate limiter. Holds no enforcement."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bounds of one app on one node. Sizes in bytes, times in seconds, rates per second."""

    message_bytes: int = 100_000
    """Data of one message. Pusher's own is 10 kB; a row with a text column is often larger."""
    channel_name: int = 200
    """Characters; what the official SDKs check."""
    event_name: int = 200
    """Characters; what the official SDKs check."""
    connection_channels: int = 100
    """Channels a connection. Bounds the cost of one client's reconnect."""
    publish_channels: int = 100
    """Channels a publish; Pusher's own."""
    batch: int = 10
    """Events in one batch; Pusher's own."""
    presence_members: int = 100
    """Users in a presence channel: its whole list goes to each newcomer."""
    member_bytes: int = 1024
    """A member's `user_info`; Pusher's own."""
    client_events_per_second: float = 10.0
    """Of one connection: a client costs every other member a delivery."""
    client_event_bytes: int = 10_000
    """Data of one client event; Pusher's own."""
    frame_bytes: int = 1 << 20
    """One inbound WebSocket message, all its fragments together."""
    json_depth: int = 32
    """Nesting of inbound JSON: a parser's stack is the attack."""
    header_bytes: int = 16 << 10
    """Request line and headers. Before authentication a client may pin no more."""
    header_seconds: float = 10.0
    """For a request head or WebSocket handshake to be complete (slowloris)."""
    sign_in_seconds: float = 10.0
    """For a connection that must authenticate to do so."""
    send_buffer: int = 1 << 20
    """Bytes waiting for one connection before it is cut and told to come back with its cursor."""
    connects_per_second: float = 50.0
    """Of one address, with a burst of ten seconds' worth, so that an office behind one address can reconnect."""
    connections: int = 20_000
    """Of the node: what the usual limit of file descriptors allows."""
    fragments: int = 64
    """Frames a WebSocket message: one-byte fragments pin many times their size."""
    control_frames_per_second: float = 20.0
    """Pings and pongs of one connection."""
    activity_seconds: int = 30
    """Silence after which the server asks for a sign of life, and tells clients to."""
    pong_seconds: float = 30.0
    """For the sign of life to come. A dead peer is noticed within the sum of the two."""
    sse_heartbeat_seconds: float = 15.0
    """Between comments on a quiet stream: below the idle limits of common proxies."""
    commands_per_second: float = 100.0
    """Of one connection, a channel counting as one, with a burst of five seconds' worth: a client that resubscribes all
    its channels stays below, one that subscribes and leaves in a loop is cut."""
    inbound_bytes_per_second: float = 1 << 20
    """Of one connection, with a burst of four seconds' worth. Reading JSON costs the loop about 10 ms a megabyte, which
    is everybody's time."""
    commands_in_flight: int = 256
    """Commands of one connection that wait: a client resubscribing all its channels stays well below."""
    poll_seconds: float = 60.0
    """The longest `wait` of a poll: below the idle limits of common proxies."""


class RateLimiter:
    """GCRA: one float of state, no timer. Never more than `burst` + `rate` * t in any window of t seconds."""

    __slots__ = ("_burst", "_cost", "_tat")

    def __init__(self, rate: float, *, burst: float | None = None) -> None:
        self._cost = 1.0 / rate
        self._burst = (rate if burst is None else burst) * self._cost
        self._tat = 0.0

    def allow(self, now: float, amount: float = 1.0) -> bool:
        """Take an amount at `now` (seconds of a monotonic clock); False when there is not so much left."""
        tat = max(now, self._tat) + self._cost * amount
        if tat - now > self._burst + 1e-9:
            return False
        self._tat = tat
        return True
