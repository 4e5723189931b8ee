"""The node's numbers. Holds one registry per node, because tests and hosts run several in one process."""

from __future__ import annotations

from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge

from tidings.sources.base import SourceHealth


class Metrics:
    """Counters and gauges of one node. Every label that names a tenant is the app's id."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connections = self._gauge("tidings_connections", "Connected clients", "app", "protocol")
        self.published = self._counter("tidings_messages_published", "Messages appended to the log", "app")
        self.relayed = self._counter("tidings_messages_relayed", "Ephemeral messages passed on", "app")
        self.refused = self._counter("tidings_refused", "Commands and requests refused", "app", "reason")
        self.disconnected = self._counter(
            "tidings_disconnected", "Connections ended by the server", "app", "reason"
        )
        self.resets = self._counter(
            "tidings_resets", "Channels that a client was told to read anew", "app", "reason"
        )
        self.replayed = self._counter("tidings_messages_replayed", "Messages sent from the log", "app")
        self.captured = self._counter("tidings_changes_captured", "Row changes read from sources", "source")
        self.messages_today = self._gauge(
            "tidings_app_messages_today", "Messages that count for the quota of the day (UTC)", "app"
        )
        self.apps_table_readable = Gauge(
            "tidings_apps_table_readable", "1 while the table of apps can be read", registry=self.registry
        )
        self.apps_table_faulty = Gauge(
            "tidings_apps_table_faulty", "Rows of the table of apps that are wrong", registry=self.registry
        )
        self.source_ok = self._gauge("tidings_source_ok", "1 while a source follows its database", "source")
        self.source_lag = self._gauge("tidings_source_lag", "Changes known to wait in a source", "source")
        self.source_behind = self._gauge(
            "tidings_source_behind_bytes", "Bytes of the database's log not yet published", "source"
        )
        self.source_retained = self._gauge(
            "tidings_source_retained_bytes", "Bytes of its log that the database keeps for a source", "source"
        )
        self.source_last_commit = self._gauge(
            "tidings_source_last_commit_seconds", "Time of the newest commit read, since 1970", "source"
        )
        self.loop_lag = Gauge(
            "tidings_loop_lag_seconds", "Delay of the last timer of the event loop", registry=self.registry
        )

    def forget_app(self, app: str) -> None:
        """Leave out the gauges of an app that is gone; its counters stay, as counters must."""
        with suppress(KeyError):
            self.messages_today.remove(app)

    def note_source(self, name: str, health: SourceHealth) -> None:
        """Tell how a source is; what it cannot tell has no value."""
        self.source_ok.labels(name).set(health.ok)
        if health.lag is not None:
            self.source_lag.labels(name).set(health.lag)
        if health.behind is not None:
            self.source_behind.labels(name).set(health.behind)
        if health.retained is not None:
            self.source_retained.labels(name).set(health.retained)
        if health.last_commit is not None:
            self.source_last_commit.labels(name).set(health.last_commit / 1000)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)
