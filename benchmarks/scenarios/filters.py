"""1,500 subscriptions of one channel with an equality filter each, one of them matching a change: what a change costs.

In process the hub's index stands beside a scan of the same filters; over sockets the whole server stands beside itself
with a single subscriber that has no filter.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from benchmarks.generator import Generator
from benchmarks.machine import cpu_seconds
from benchmarks.rounds import Plan, interleaved
from benchmarks.subjects import Subject, start_tidings, upgrade
from benchmarks.table import Bound, Group, Row
from tidings.hub.hub import Hub
from tidings.hub.rows import lets_pass, rows_of
from tidings.hub.sendqueue import Outlet
from tidings.ids import ChannelName, SessionId
from tidings.messages import Message, Position
from tidings.protocols.neutral_writing import MessageEncoder
from tidings.row_filters import RowFilter

SUBSCRIPTIONS = 1_500
CHANGES, SCANNED = 20_000, 100
PUBLISHES = 2_000
INDEX = "the hub: found, judged, encoded, written"
SCAN = "each filter judged, nothing sent"
FILTERED = "tidings, each with a filter"
SINGLE = "tidings, one subscriber without a filter"

BOUND = Bound(0.05, 0.02)
"""Earlier, alone and without encoding: 1.5 µs through a hash index, 486 µs one by one."""

CHANNEL = ChannelName("bench-0")


class _Whole:
    """A framer that adds nothing."""

    key = "whole"

    def frame(self, payload: bytes) -> bytes:
        return payload


def filters(plan: Plan) -> list[Group]:
    """Both figures."""
    count = SUBSCRIPTIONS if plan.scale else plan.subscribers
    return [_in_process(plan, count), _over_sockets(plan, count)]


def _in_process(plan: Plan, count: int) -> Group:
    wanted = [RowFilter.parse(f"project_id=eq.{n}") for n in range(count)]
    messages = [_change(n, count) for n in range(count)]
    series = interleaved(
        {
            INDEX: _delivering(wanted, messages, plan.some(CHANGES)),
            SCAN: _scanning(wanted, messages, plan.some(SCANNED)),
        },
        plan.rounds,
    )
    group = Group(f"{count:,} subscriptions with an equality filter each, in process", "µs per change")
    group.rows.append(Row(INDEX, series[INDEX]))
    group.rows.append(Row(SCAN, series[SCAN], series[INDEX].ratio(series[SCAN]), BOUND))
    return group


def _change(number: int, count: int) -> Message:
    """An update of a row as a rule with `deliver = "change"` tells it; no two neighbours of the same project."""
    row = b'{"id":%d,"project_id":%d,"title":"%s","done":false}' % (number, number * 7 % count, b"x" * 40)
    data = (
        b'{"schema":"public","table":"tasks","type":"UPDATE","new":%b,"old":%b,"unknown":[],'
        b'"commit_time":1700000000000,"position":"1f2e3d4c:%d"}' % (row, row, number + 1)
    )
    position = Position("1f2e3d4c", number + 1)
    return Message(id="m", channel=CHANNEL, event="task-updated", data=data, time=1, position=position)


def _delivering(wanted: Sequence[RowFilter], messages: Sequence[Message], times: int) -> Callable[[], float]:
    written = 0

    def write(data: bytes) -> None:
        nonlocal written
        written += 1

    hub, encoder, framer = Hub(lambda: None), MessageEncoder(), _Whole()
    for at, filter in enumerate(wanted):
        outlet = Outlet(SessionId(f"{at}.0"), write, lambda: None)
        hub.complete(hub.join(outlet, (CHANNEL,), encoder, framer, filter=filter), (), after=0)

    def measure() -> float:
        before, began = written, time.perf_counter()
        for at in range(times):
            hub.deliver(messages[at % len(messages)])
            hub.flush()
        taken = time.perf_counter() - began
        assert written - before == times, "each change is for one of them"
        return taken * 1e6 / times

    return measure


def _scanning(wanted: Sequence[RowFilter], messages: Sequence[Message], times: int) -> Callable[[], float]:
    def measure() -> float:
        began, found = time.perf_counter(), 0
        for at in range(times):
            rows = rows_of(messages[at % len(messages)].data)
            found += sum(lets_pass(filter, rows) for filter in wanted)
        taken = time.perf_counter() - began
        assert found == times, "each change is for one of them"
        return taken * 1e6 / times

    return measure


def _over_sockets(plan: Plan, count: int) -> Group:
    with ExitStack() as stack:
        measures = {
            # the data of every publish has projectId 42: it is for number 4 alone
            FILTERED: _publishing(
                plan, stack, start_tidings(stack), "&filter=projectId%3Deq.{n}2", subscribers=count
            ),
            SINGLE: _publishing(plan, stack, start_tidings(stack), "", subscribers=1),
        }
        series = interleaved(measures, plan.rounds)
    group = Group(
        f"WebSocket, {count:,} filtered subscriptions of one channel, one matching", "µs per publish"
    )
    group.rows.append(Row(FILTERED, series[FILTERED]))
    group.rows.append(Row(SINGLE, series[SINGLE], series[FILTERED].ratio(series[SINGLE])))
    return group


def _publishing(
    plan: Plan, stack: ExitStack, subject: Subject, query: str, *, subscribers: int
) -> Callable[[], float]:
    """CPU of the server in µs per signed HTTP publish that one subscriber receives, one at a time."""
    talk = dataclasses.replace(subject.talk, subscribe=upgrade(f"/ws?channel={CHANNEL}{query}"))
    load = stack.enter_context(
        Generator(subject.port, talk, subscribers=subscribers, groups=subscribers, publishers=1)
    )
    count = plan.some(PUBLISHES)

    def measure() -> float:
        requests = subject.requests(count)
        before = cpu_seconds(subject.pid)
        load.run(requests, flight=1, per=1)
        return (cpu_seconds(subject.pid) - before) * 1e6 / count

    return measure
