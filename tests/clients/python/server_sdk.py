"""The `pusher` server SDK for Python: each command is a call, each answer its status and body. Runs apart from us."""

from __future__ import annotations

import json
import sys
from typing import Any

import pusher  # type: ignore[import-not-found]

STATUS = {"PusherBadRequest": 400, "PusherBadAuth": 401, "PusherForbidden": 403}

given = json.loads(sys.argv[1])
client = pusher.Pusher(
    app_id=str(given["appId"]),
    key=given["key"],
    secret=given["secret"],
    host=given["host"],
    port=given["port"],
    ssl=False,
)


def call(method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Call the SDK; an answer it raised for has its status in the error's class or text."""
    try:
        return {"status": 200, "body": json.dumps(getattr(client, method)(*args, **kwargs))}
    except pusher.errors.PusherError as error:
        status = STATUS.get(type(error).__name__) or int(str(error).partition(":")[0])
        return {"status": status, "body": str(error)}


def answer(do: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Translate the agents' common commands into this SDK's calls."""
    if do == "trigger":
        return call(
            "trigger",
            fields["channels"],
            fields["event"],
            fields["data"],
            (fields.get("params") or {}).get("socket_id"),
        )
    if do == "batch":
        return call("trigger_batch", fields["batch"])
    if do == "channels":
        params = fields.get("params") or {}
        return call("channels_info", params.get("filter_by_prefix"), attributes(params))
    if do == "channel":
        return call("channel_info", fields["name"], attributes(fields.get("params") or {}))
    if do == "toUser":
        return call("send_to_user", fields["user"], fields["event"], fields["data"])
    if do == "terminate":
        return call("terminate_user_connections", fields["user"])
    return call("users_info", fields["name"])


def attributes(params: dict[str, str]) -> list[str]:
    """The attributes asked for, as this SDK wants them."""
    return params["info"].split(",") if "info" in params else []


def tell(value: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


tell({"ready": True})
for line in sys.stdin:
    command = json.loads(line)
    tell(answer(command.pop("do"), command))
