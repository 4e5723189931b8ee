"""A server in this process with settings of its own, for clients in theirs. Knows no client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fixtures.fix_server import Running, running
from tidings.bootstrap import options_by_name
from tidings.engines.memory import MemoryEngine
from tidings.ids import AppId
from tidings.node.apps import AppSettings
from tidings.node.limits import Limits
from tidings.node.node import Node

APP, KEY, SECRET = "1001", "app-key", "app-secret"


@contextmanager
def server(limits: Limits | None = None, **settings: Any) -> Iterator[Running]:
    """Run it. limits: of node and app. settings: further fields of the app's settings."""
    limits = limits or Limits(connects_per_second=0.0)
    app = AppSettings(id=AppId(APP), keys={KEY: SECRET}, limits=limits, **settings)
    engine = MemoryEngine(options=lambda app_id, channel: node.apps.by_id(app_id).options(channel))
    node = Node([app], engine, by_name=options_by_name, limits=limits)
    with running(node) as found:
        yield found


def there(found: Running) -> dict[str, Any]:
    """Where it is, as an agent's options."""
    return {"appId": APP, "key": KEY, "secret": SECRET, "host": "127.0.0.1", "port": found.port}
