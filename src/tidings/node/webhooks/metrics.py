"""The webhooks' numbers, in the node's registry. The label is the app alone: URLs may hold secrets."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidings.ids import AppId


class WebhookMetrics:
    """Counters of events and attempts; gauges that ask when they are read.

    waiting: events of an app not settled. age: seconds that the oldest of them waits. dead: entries in its list.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        waiting: Callable[[AppId], float],
        age: Callable[[AppId], float],
        dead: Callable[[AppId], float],
    ) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"tidings_webhook_{name}", text, ("app",), registry=registry)

        self.sent = counter("events_sent", "Events that a receiver has taken")
        self.failed = counter("attempts_failed", "Requests that were not answered with 2xx")
        self.retried = counter("attempts_repeated", "Requests that were sent again")
        self.dead = counter("events_dead", "Events moved to the dead letters")
        self.lost = counter("events_lost", "Events dropped because a bound was reached")
        self.unkept = Counter(
            "tidings_webhook_store_failures", "Writes that the store refused", registry=registry
        )
        self._gauges = {
            Gauge(f"tidings_webhook_{name}", text, ("app",), registry=registry): ask
            for name, text, ask in (
                ("events_waiting", "Events not yet delivered", waiting),
                ("oldest_seconds", "Age of the oldest event not yet delivered", age),
                ("dead_letters", "Entries in the dead-letter list", dead),
            )
        }
        self._known: set[AppId] = set()

    def know(self, app: AppId) -> None:
        """Show the gauges of an app from now on."""
        if app not in self._known:
            self._known.add(app)
            for gauge, ask in self._gauges.items():
                gauge.labels(app).set_function(lambda ask=ask: ask(app))  # type: ignore[misc]
