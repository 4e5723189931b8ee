"""Runs one campaign: a real server, subscribers on four transports, publishers, and a nemesis with a seed.

    python -m campaigns.prove --kills 100 --cuts 200 --subscribers 20 --seed 7

Prints the seed first and a table last. Exits 1 when a promise was broken; the history and the server's output
stay in `test-output/` either way. The seed repeats the plan of the strikes; what they hit depends on the moment.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from campaigns.catchup import catch_ups
from campaigns.http_subscribers import EventsSubscriber, PollSubscriber
from campaigns.nemesis import Nemesis
from campaigns.plan import draw
from campaigns.publishers import Publisher
from campaigns.recorder import Recorder
from campaigns.report import Report
from campaigns.subscribers import Subscriber
from campaigns.websocket_subscribers import PlainSubscriber, PusherSubscriber
from campaigns.wire import CampaignError
from tidings.testing.faults import FaultProxy
from tidings.testing.history import check
from tidings.testing.process import SERVE, AppCredentials, ServerProcess

TRANSPORTS: tuple[type[Subscriber], ...] = (
    PusherSubscriber,
    PlainSubscriber,
    EventsSubscriber,
    PollSubscriber,
)

CHANNELS = ("north", "east", "south", "west")
CHANNELS_EACH = 3
"""Fewer than there are, so that a client's cursor passes over messages that are not for it."""

PUBLISHERS = 3
"""Enough for publishes to cross each other."""

SUBSCRIBE_SECONDS = 60.0
"""For all clients to subscribe for the first time; without that there is nothing to prove."""

PATIENCE_SECONDS = 60.0
"""For all clients to catch up at the end; those that do not are counted as unfinished."""

END_ROUNDS = 2
"""Each round publishes a last message to every channel. The second shows what still came after the first."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to do. `rate` in publishes a second over all publishers; `seconds` sums the servers' lives."""

    kills: int
    cuts: int
    subscribers: int
    seed: int
    rate: float = 120.0
    seconds: float | None = None
    engine: str | None = None
    output: Path = Path("test-output")
    patience: float = PATIENCE_SECONDS
    program: tuple[str, ...] = SERVE

    @property
    def name(self) -> str:
        """The common part of the names of the files that stay."""
        return f"prove-{self.seed}"


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody who takes part. Each client has a proxy of its own."""

    subscribers: tuple[Subscriber, ...]
    publishers: tuple[Publisher, ...]
    proxies: tuple[FaultProxy, ...]


async def run(settings: Settings) -> Report:
    """Run one campaign. Raises CampaignError, ServerFailed, or an ExceptionGroup of them."""
    data = settings.output / f"{settings.name}-data"
    shutil.rmtree(data, ignore_errors=True)
    server = ServerProcess(data, engine=settings.engine, program=settings.program)
    with Recorder(settings.output / f"{settings.name}.jsonl") as recorder:
        await asyncio.to_thread(server.__enter__)
        try:
            async with _cast(settings, server, recorder) as cast:
                nemesis = Nemesis(server, cast.proxies)
                await _perform(settings, cast, nemesis)
        finally:
            server.close()
        return Report(
            seed=settings.seed,
            kills_planned=settings.kills,
            cuts_planned=settings.cuts,
            subscribers=settings.subscribers,
            toll=nemesis.toll,
            verdict=check(recorder.observations),
            catch_ups=catch_ups(recorder.observations),
            retries=sum(publisher.retries for publisher in cast.publishers),
            seconds=recorder.now(),
            durable=settings.engine is None or not settings.engine.startswith("memory:"),
            history=str(recorder.path),
        )


@asynccontextmanager
async def _cast(settings: Settings, server: ServerProcess, recorder: Recorder) -> AsyncIterator[Cast]:
    count = settings.subscribers + PUBLISHERS
    proxies = [FaultProxy(server.host, server.port, seed=settings.seed + number) for number in range(count)]
    publishers: tuple[Publisher, ...] = ()
    try:
        for proxy in proxies:
            await proxy.accept()
        behind, before = proxies[: settings.subscribers], proxies[settings.subscribers :]
        subscribers = _subscribers(settings, server.app, recorder, behind)
        publishers = _publishers(settings, server.app, recorder, before)
        yield Cast(subscribers, publishers, tuple(proxies))
    finally:
        for publisher in publishers:
            publisher.close()
        for proxy in proxies:
            await proxy.close()


def _subscribers(
    settings: Settings, app: AppCredentials, recorder: Recorder, proxies: Sequence[FaultProxy]
) -> tuple[Subscriber, ...]:
    kinds = [TRANSPORTS[number % len(TRANSPORTS)] for number in range(len(proxies))]
    return tuple(
        kind(
            f"{kind.transport}-{number}",
            address=(proxy.host, proxy.port),
            app=app,
            channels=_channels_of(number),
            recorder=recorder,
            seed=settings.seed,
        )
        for number, (kind, proxy) in enumerate(zip(kinds, proxies, strict=True))
    )


def _publishers(
    settings: Settings, app: AppCredentials, recorder: Recorder, proxies: Sequence[FaultProxy]
) -> tuple[Publisher, ...]:
    return tuple(
        Publisher(
            f"publisher-{number}",
            address=(proxy.host, proxy.port),
            app=app,
            channels=CHANNELS,
            recorder=recorder,
            seed=settings.seed,
            interval=PUBLISHERS / settings.rate,
        )
        for number, proxy in enumerate(proxies)
    )


def _channels_of(number: int) -> tuple[str, ...]:
    first = number // len(TRANSPORTS)
    return tuple(CHANNELS[(first + step) % len(CHANNELS)] for step in range(CHANNELS_EACH))


async def _perform(settings: Settings, cast: Cast, nemesis: Nemesis) -> None:
    """Subscribe, then publish and strike at once, then let everybody catch up."""
    plan = draw(
        settings.seed,
        kills=settings.kills,
        cuts=settings.cuts,
        victims=len(cast.proxies),
        seconds=settings.seconds,
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as clients:
        following = [clients.create_task(subscriber.run()) for subscriber in cast.subscribers]
        await _all(SUBSCRIBE_SECONDS, [subscriber.subscribed for subscriber in cast.subscribers])
        _require_subscribed(cast.subscribers)
        async with asyncio.TaskGroup() as work:
            for publisher in cast.publishers:
                work.create_task(publisher.run(stop))
            await nemesis.run(plan)
            stop.set()
        for number in range(END_ROUNDS):
            await _end(cast, number, settings.patience)
        for task in following:
            task.cancel()
    for subscriber in cast.subscribers:
        if subscriber.caught_up.is_set():
            subscriber.finish()


def _require_subscribed(subscribers: Sequence[Subscriber]) -> None:
    """Raise CampaignError when a client could not even begin: nothing would be owed to it."""
    late = [f"{each.name}: {each.last_failure}" for each in subscribers if not each.subscribed.is_set()]
    if late:
        raise CampaignError(f"not subscribed in {SUBSCRIBE_SECONDS} s: {'; '.join(late)}")


async def _end(cast: Cast, number: int, patience: float) -> None:
    """Publish a last message to every channel, and wait until each subscriber has seen those of its own."""
    last = {channel: f"end-{number}-{channel}" for channel in CHANNELS}
    for subscriber in cast.subscribers:
        subscriber.expect(last)
    for channel, body in last.items():
        await cast.publishers[0].publish(channel, body)
    await _all(patience, [subscriber.caught_up for subscriber in cast.subscribers])


async def _all(limit: float, events: Sequence[asyncio.Event]) -> None:
    """Wait for all events; those that do not come within `limit` seconds are for the judge to notice."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    _, late = await asyncio.wait(waiting, timeout=limit)
    for task in late:
        task.cancel()


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """Read the command line; a seed is drawn when none is given."""
    parser = argparse.ArgumentParser(prog="python -m campaigns.prove", description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--cuts", type=int, default=200)
    parser.add_argument("--subscribers", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--rate", type=float, default=120.0, help="publishes a second")
    parser.add_argument("--seconds", type=float, default=None, help="sum of the servers' lives")
    parser.add_argument("--engine", default=None, help="as of tidings serve; sqlite when not given")
    parser.add_argument("--output", type=Path, default=Path("test-output"))
    given = vars(parser.parse_args(arguments))
    if given["seed"] is None:
        given["seed"] = secrets.randbelow(1 << 31)
    return Settings(**given)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and print its table; returns the exit code."""
    settings = parse(arguments)
    # SIGTERM must unwind too: a server left behind would hold its port and its data.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(f"seed {settings.seed}: {settings.kills} kills, {settings.cuts} cuts", flush=True)
    report = asyncio.run(run(settings))
    print(report.table())
    if report.faults:
        print(f"\nFAILED: {'; '.join(report.faults)}\n{report.evidence()}\nhistory: {report.history}")
        return 1
    print(f"\nhistory: {report.history}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
