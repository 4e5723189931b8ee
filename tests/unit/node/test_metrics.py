"""Metrics: a registry per node, and numbers that move."""

from __future__ import annotations

from prometheus_client import generate_latest

from tests.unit.node.builders import ask, connect, publish, running
from tidings.node.metrics import Metrics


async def test_numbers_follow_what_happens_and_name_the_app() -> None:
    async with running() as node:
        session, _ = connect(node)
        await ask(session, type="subscribe", channel="private-x")
        await publish(node, 1)
        text = generate_latest(node.metrics.registry).decode()
        assert 'tidings_connections{app="1001",protocol="plain"} 1.0' in text
        assert 'tidings_messages_published_total{app="1001"} 1.0' in text
        assert 'tidings_refused_total{app="1001",reason="not_authenticated"} 1.0' in text


def test_two_nodes_in_one_process_do_not_share_numbers() -> None:
    first, second = Metrics(), Metrics()
    first.published.labels("1").inc()
    assert b"tidings_messages_published_total{" not in generate_latest(second.registry)
