"""Resident memory of a connection that is subscribed and quiet."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.generator import Generator
from benchmarks.machine import resident_kb
from benchmarks.rounds import Plan, Series
from benchmarks.subjects import start_tidings
from benchmarks.table import Bound, Group, Row

BOUND = Bound(7, 3)
FIRST_SHARE = 10
"""A tenth of the connections comes first and stays: it pays for buffers and tables that all later ones share."""

STEPS = 3
"""The rest comes in so many steps; each gives one value."""


def idle(plan: Plan) -> list[Group]:
    """Both carriers, on a server of their own each."""
    group = Group(f"Idle subscribed connection, {plan.idle:,} of them", "kB RSS each")
    for carrier, name in (("ws", "tidings, WebSocket"), ("sse", "tidings, SSE")):
        group.rows.append(Row(name, _grown(carrier, plan.idle), bound=BOUND))
    return [group]


def _grown(carrier: str, connections: int) -> Series:
    step = connections // STEPS
    values = []
    with ExitStack() as stack:
        subject = start_tidings(stack, carrier=carrier)

        def open(count: int) -> None:
            stack.enter_context(Generator(subject.port, subject.talk, subscribers=count, publishers=0))

        open(max(1, connections // FIRST_SHARE))
        before = resident_kb(subject.pid)
        for _ in range(STEPS):
            open(step)
            after = resident_kb(subject.pid)
            values.append((after - before) / step)
            before = after
    return Series(tuple(values))
