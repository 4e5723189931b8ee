"""The `pusher` server SDK for Python reading webhooks: each command is a request, each answer what it makes of it."""

from __future__ import annotations

import json
import sys
from typing import Any

import pusher  # type: ignore[import-not-found]

given = json.loads(sys.argv[1])
client = pusher.Pusher(app_id=str(given["appId"]), key=given["key"], secret=given["secret"], ssl=False)


def tell(value: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


tell({"ready": True})
for line in sys.stdin:
    asked = json.loads(line)
    headers = asked["headers"]
    read = client.validate_webhook(headers["x-pusher-key"], headers["x-pusher-signature"], asked["body"])
    tell(
        {"valid": read is not None, "events": (read or {}).get("events"), "time": (read or {}).get("time_ms")}
    )
