"""`make bench`: every figure in one run, as a table, beside what it should be. Nothing fails for being slow."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence

from benchmarks.machine import raise_descriptors, words
from benchmarks.native import compiler
from benchmarks.rounds import QUICK, SMOKE, Plan
from benchmarks.scenarios import bulk, capture, durable, fanout, filters, matching, memory, postgres
from benchmarks.table import Group, lines, missed

SCENARIOS: dict[str, Callable[[Plan], list[Group]]] = {
    "websocket": fanout.websocket,
    "sse": fanout.events,
    "small": fanout.small_channels,
    "ingress": fanout.ingress,
    "memory": memory.idle,
    "durable": durable.durable,
    "capture": capture.capture,
    "filters": filters.filters,
    "postgres": postgres.postgres,
    "bulk": bulk.bulk,
    "backlog": bulk.backlog,
    "matching": matching.matching,
}

READING = """\
µs per delivery: user and system time of the server's process, its threads included, for each delivered message; on
loopback that holds the receiver's TCP work too. ours ÷ it: median over the rounds of ours to its in the same round;
read differences below 10 % as equal. A bound with ~ is for a server that is not installed here (nchan, uWebSockets.js),
turned into one for the server in the row by what both took in one earlier run. Message: 150 bytes of JSON, about 310
bytes on the wire with everybody. Publishing: ours by signed HTTP, the C loop and Node by unsigned HTTP, websockets by a
WebSocket message, on connections that stay; with 1,000 subscribers a delivery bears a thousandth of it. Postgres: a
server of its own on the load's core, fsync off. In place of apply_rls, which is not run here: its main step alone, a
prepared query under row security for each subscriber and change."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and messages: half a minute")
    parser.add_argument(
        "--smoke", action="store_true", help="20 subscribers: shows that it runs, measures nothing"
    )
    parser.add_argument("--only", choices=SCENARIOS, nargs="+", help="these scenarios alone")
    given = parser.parse_args(arguments)
    plan = SMOKE if given.smoke else QUICK if given.quick else Plan()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(1)
    )  # servers have sessions of their own: they end with the stack
    raise_descriptors()
    began = time.monotonic()
    print(words())
    if compiler() is None:
        print("no C compiler (cc): the C loop is left out, and the load comes from a slower generator")
    groups: list[Group] = []
    for name in given.only or SCENARIOS:
        groups += SCENARIOS[name](plan)
        print(f"  {name}: measured after {time.monotonic() - began:.0f} s", flush=True)
    print()
    print("\n".join(lines(groups)))
    print(f"\n{READING}")
    misses = missed(groups)
    print(f"\nnot held: {'; '.join(misses) if misses else 'nothing'}")


if __name__ == "__main__":
    main()
