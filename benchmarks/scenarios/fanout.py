"""CPU of the server per delivered message: a channel that many listen to, and many channels that few listen to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from benchmarks.generator import Generator
from benchmarks.machine import cpu_seconds
from benchmarks.rounds import Plan, Series, interleaved
from benchmarks.subjects import Subject, start_node_ws, start_send_loop, start_tidings, start_websockets
from benchmarks.table import Bound, Group, Row, compare

OURS = "tidings, memory engine"
OURS_SQLITE = "tidings, sqlite engine"
SEND_LOOP = "C, send() loop"
NODE = "Node ws"

ALONE, BURST = 100, 320
"""Publishes a round: 100,000 and 320,000 deliveries, half a second to three."""

IN_FLIGHT = 16
GROUPS, MEMBERS = 200, 5
SMALL = 2_000
"""Publishes a round to small channels: a quarter of a second. No fewer in a quick run: Node needs them to get warm."""

# uWebSockets.js and nchan are not installed here. In an earlier run they took 5.0 and 6.2 µs (nchan 6.1 at 16 in
# flight, over SSE 8.2 and 7.9) where the C loop took 4.0; with 200 channels of 5 nchan took 10.9 and Node ws 23.
ALONE_BOUNDS = {SEND_LOOP: Bound(1.45, 1.15), NODE: Bound(0.8, 0.6)}
BURST_BOUNDS = {SEND_LOOP: Bound(0.15, 0.09, derived=True)}
SSE_ALONE_BOUNDS = {SEND_LOOP: Bound(1.64, 1.33, derived=True)}
SSE_BURST_BOUNDS = {SEND_LOOP: Bound(0.2, 0.1, derived=True)}
SMALL_BOUNDS = {NODE: Bound(0.45, 0.36, derived=True)}
SQLITE_BOUND = Bound(1.1, 1.0)

Measure = Callable[[], float]


def websocket(plan: Plan) -> list[Group]:
    """One channel over WebSocket, beside everybody, and the two engines beside each other."""
    with ExitStack() as stack:
        started = (
            start_tidings(stack),
            start_tidings(stack, engine="sqlite"),
            start_send_loop(stack, "ws"),
            start_websockets(stack),
            start_node_ws(stack),
        )
        found = _one_channel(plan, stack, started)
    groups = [
        _alone_and_burst("WebSocket", plan, found, flight, bounds)
        for flight, bounds in ((1, ALONE_BOUNDS), (IN_FLIGHT, BURST_BOUNDS))
    ]
    engines = Group(f"sqlite engine ÷ memory engine, {plan.subscribers:,} subscribers", "µs per delivery")
    for flight, series in found.items():
        ratio = series[OURS_SQLITE].ratio(series[OURS])
        engines.rows.append(
            Row(f"sqlite engine, {_flight(flight)}", series[OURS_SQLITE], ratio, SQLITE_BOUND)
        )
    return [*groups, engines, *_absent(started, ("C, send() loop", "no C compiler (cc) here"))]


def events(plan: Plan) -> list[Group]:
    """One channel over Server-Sent Events."""
    with ExitStack() as stack:
        started = (start_tidings(stack, carrier="sse"), start_send_loop(stack, "sse"))
        found = _one_channel(plan, stack, started)
    return [
        _alone_and_burst("SSE", plan, found, flight, bounds)
        for flight, bounds in ((1, SSE_ALONE_BOUNDS), (IN_FLIGHT, SSE_BURST_BOUNDS))
    ]


def small_channels(plan: Plan) -> list[Group]:
    """Many channels with five subscribers each: here the way in counts as much as the way out."""
    groups = min(GROUPS, plan.subscribers // MEMBERS)
    with ExitStack() as stack:
        subjects = (
            start_tidings(stack, groups=groups),
            start_node_ws(stack, groups=groups),
            start_send_loop(stack, "ws", "C, send() loop, one channel of 5"),
        )
        ready = [
            (subject, _open(stack, subject, subscribers=subject.channels * MEMBERS, groups=subject.channels))
            for subject in subjects
            if subject is not None
        ]
        count = plan.many(SMALL)
        series = interleaved(
            {s.name: _burst(s, load, count=count, flight=IN_FLIGHT, per=MEMBERS) for s, load in ready},
            plan.rounds,
        )
    group = Group(
        f"WebSocket, {groups} channels of {MEMBERS}, signed HTTP publish (Node: unsigned)", "µs per delivery"
    )
    compare(group, series, OURS, SMALL_BOUNDS)
    return [group]


def ingress(plan: Plan) -> list[Group]:
    """What one publish costs before anybody hears it."""
    with ExitStack() as stack:
        group = Group("A publish that nobody listens to, 16 in flight", "µs per publish")
        measures = {}
        for subject in (start_tidings(stack), start_tidings(stack, engine="sqlite"), start_node_ws(stack)):
            if subject is not None:
                load = _open(stack, subject, subscribers=0, groups=1)
                count = plan.many(SMALL)
                measures[f"{subject.name}, {subject.ingress}"] = _burst(
                    subject, load, count=count, flight=IN_FLIGHT, per=0
                )
        for name, series in interleaved(measures, plan.rounds).items():
            group.rows.append(Row(name, series))
    return [group]


def _one_channel(
    plan: Plan, stack: ExitStack, started: tuple[Subject | None, ...]
) -> dict[int, dict[str, Series]]:
    """Every subject, one at a time and in bursts: by flight, by name."""
    ready = [
        (subject, _open(stack, subject, subscribers=plan.subscribers, groups=1))
        for subject in started
        if subject is not None
    ]
    found = {}
    for flight, count in ((1, ALONE), (IN_FLIGHT, BURST)):
        measures = {
            subject.name: _burst(subject, load, count=plan.some(count), flight=flight, per=plan.subscribers)
            for subject, load in ready
        }
        found[flight] = interleaved(measures, plan.rounds)
    return found


def _open(stack: ExitStack, subject: Subject, *, subscribers: int, groups: int) -> Generator:
    return stack.enter_context(
        Generator(subject.port, subject.talk, subscribers=subscribers, groups=groups, publishers=IN_FLIGHT)
    )


def _burst(subject: Subject, load: Generator, *, count: int, flight: int, per: int) -> Measure:
    """CPU of the server in µs per delivery, or per publish when nobody listens."""

    def measure() -> float:
        requests = subject.requests(count)
        before = cpu_seconds(subject.pid)
        load.run(requests, flight=flight, per=per)
        return (cpu_seconds(subject.pid) - before) * 1e6 / (count * max(per, 1))

    return measure


def _alone_and_burst(
    what: str, plan: Plan, found: dict[int, dict[str, Series]], flight: int, bounds: dict[str, Bound]
) -> Group:
    group = Group(
        f"{what}, {plan.subscribers:,} subscribers of one channel, {_flight(flight)}", "µs per delivery"
    )
    compare(
        group, {name: series for name, series in found[flight].items() if name != OURS_SQLITE}, OURS, bounds
    )
    return group


def _flight(flight: int) -> str:
    return "one publish at a time" if flight == 1 else f"{flight} publishes in flight"


def _absent(started: tuple[Subject | None, ...], loop: tuple[str, str]) -> list[Group]:
    """Say who is not there."""
    names = {subject.name for subject in started if subject is not None}
    rows = [
        Row(name, None, note=why)
        for name, why in (loop, (NODE, "no node or no node_modules/ws here"))
        if name not in names
    ]
    return [Group("not measured", "", rows)] if rows else []
