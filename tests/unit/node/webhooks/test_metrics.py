"""The numbers of the webhooks."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from tidings.ids import AppId
from tidings.node.webhooks.metrics import WebhookMetrics


def test_gauges_ask_when_they_are_read_and_know_only_apps_that_were_seen() -> None:
    registry = CollectorRegistry()
    waiting = {"a": 3.0}
    metrics = WebhookMetrics(
        registry, waiting=lambda app: waiting[app], age=lambda app: 7.5, dead=lambda app: 1
    )
    metrics.know(AppId("a"))
    metrics.know(AppId("a"))
    waiting["a"] = 4.0
    metrics.sent.labels("a").inc(2)
    told = generate_latest(registry).decode()
    for line in (
        'tidings_webhook_events_waiting{app="a"} 4.0',
        'tidings_webhook_oldest_seconds{app="a"} 7.5',
        'tidings_webhook_dead_letters{app="a"} 1.0',
        'tidings_webhook_events_sent_total{app="a"} 2.0',
        "tidings_webhook_store_failures_total 0.0",
    ):
        assert line in told.splitlines()
