"""pysher as an application uses it: connect, subscribe, bind, trigger. It signs with the secret by itself."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import pysher  # type: ignore[import-not-found]

given = json.loads(sys.argv[1])
client = pysher.Pusher(
    given["key"],
    secret=given["secret"],
    secure=False,
    custom_host=given["host"],
    port=given["port"],
    user_data={"user_id": given["user"], "user_info": given["info"]},
    reconnect_interval=1,
    auto_sub=True,
)
channels: dict[str, Any] = {}
bound: dict[str, threading.Event] = {}
dispatch = client.connection.event_handler

SUCCEEDED = "pusher_internal:subscription_succeeded"


def tell(value: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def heard(data: Any, channel: str, event: str) -> None:
    """An event came; `data` is the string as it was on the wire."""
    tell({"channel": channel, "event": event, "data": data})


def watch(event: str, data: Any, channel: str) -> None:
    """Tell of a subscription's success once its handlers are bound: pysher knows a channel only after it has asked."""
    if event == SUCCEEDED:
        bound[channel].wait(10)
        heard(data, channel, event)
    dispatch(event, data, channel)


def subscribe(channel: str, events: list[str]) -> None:
    """Subscribe and tell every event named."""
    bound[channel] = threading.Event()
    channels[channel] = client.subscribe(channel)
    for event in events:
        channels[channel].bind(event, heard, channel, event)
    bound[channel].set()


client.connection.event_handler = watch
client.connection.bind("pusher:connection_established", lambda data: tell({"state": "connected"}))
client.connect()
for line in sys.stdin:
    command = json.loads(line)
    if command["do"] == "subscribe":
        subscribe(command["channel"], command["events"])
    elif command["do"] == "unsubscribe":
        client.unsubscribe(command["channel"])
    else:
        channels[command["channel"]].trigger(command["event"], command["data"])
