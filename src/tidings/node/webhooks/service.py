"""The webhooks of a node: what happened goes in, requests come out. Joins the parts; each decision is made in one.

The node's loop never waits: `observe` appends to a bounded queue. One task takes from it, writes down what is to be
sent, and starts the requests; each request is a task that ends with the news of how it went.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from tidings.ids import AppId, new_message_id
from tidings.node.occurrences import Occurrence
from tidings.node.webhooks.dead import Changes, DeadLetters, row_of
from tidings.node.webhooks.events import event_of, wants
from tidings.node.webhooks.hold import Hold, Standing, departure
from tidings.node.webhooks.ledger import Kept, Ledger
from tidings.node.webhooks.letters import Dead, Letter, Outcome
from tidings.node.webhooks.metrics import WebhookMetrics
from tidings.node.webhooks.queue import Address, Parcel, Queue
from tidings.node.webhooks.sender import Mail, Sender
from tidings.node.webhooks.settings import BatchSettings, WebhookSettings
from tidings.node.webhooks.store import Store

if TYPE_CHECKING:
    from tidings.node.apps import App
    from tidings.node.node import Node

log = logging.getLogger(__name__)

MAX_INTAKE: Final = 10_000
"""Occurrences of one app between two turns of the task, some milliseconds. Beyond it they are lost, which is told."""

TURN: Final = 500
"""Occurrences taken in one turn, about 10 ms of work, so that nobody else waits long."""

GATHER_SECONDS: Final = 0.02
"""Between two turns: what happens within it is written to disk as one."""

REWRITE_SECONDS: Final = 1.0
"""Between two tries to write down what the store refused."""

STOP_SECONDS: Final = 3.0
"""At the end, for requests under way: one that is cut is sent again after the next start."""

REPLAY_MAX: Final = 1_000
"""Dead letters replayed by one request, so that a replay does not overflow the queue that it goes to."""

OVERFLOW: Final = "more happened at once than can be taken in"
FULL: Final = "too many events wait for this URL"
BROKEN: Final = "it could not be put into words"
UNKNOWN: Final = "no webhook with this URL is configured"


class Webhooks:
    """Observes a node and tells receivers.

    store: keeps what is not delivered. sender: sends. wall: seconds since the Unix epoch. clock: monotonic seconds.
    """

    def __init__(
        self,
        node: Node,
        store: Store,
        sender: Callable[[], Sender],
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._make_sender = sender
        self._sender: Sender | None = None
        self._wall = wall
        self._clock = clock
        self._intake: deque[Occurrence] = deque()
        self._intake_of: Counter[AppId] = Counter()
        self._lost: Counter[tuple[AppId, str, str]] = Counter()  # app, URL, reason: not yet stated
        self._number = 0
        self._hold = Hold()
        self._standing = Standing()
        self._queue = Queue(self._batch_of, random.random)
        self._dead = DeadLetters()
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._restored = False
        self._failing: dict[
            Address, bool
        ] = {}  # receivers that failed last; whether something was given up since
        self.metrics = WebhookMetrics(
            node.metrics.registry, waiting=self._queue.waiting, age=self._age, dead=self._dead.count
        )
        self._ledger = Ledger(store, self.metrics.unkept)

    # ── life

    async def start(self) -> None:
        """Take over what was not delivered before, and begin. Raises EngineError when the store cannot be used."""
        self._stopping = False
        kept = await self._ledger.load()
        if not self._restored:  # a second start, after one that failed, has them in memory
            self._restore(kept)
            self._restored = True
        self._sender = self._make_sender()
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Write down what is not delivered, wait a moment for requests under way, let go. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            self._stopping = True
            self._woken.set()
            await task
            while self._intake:
                self._take_in()
            await self._ledger.write()
            if self._sending:
                await asyncio.wait(self._sending, timeout=STOP_SECONDS)
            for sending in self._sending:
                sending.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            await self._ledger.write()
        if self._sender is not None:
            await self._sender.close()
        await self._ledger.close()

    # ── what the node tells

    def observe(self, occurrence: Occurrence) -> None:
        """Hear of an occurrence. Never waits; beyond `MAX_INTAKE` it is lost, which the dead letters state."""
        app = self._node.apps.get(occurrence.app)
        if app is None or not app.settings.webhooks:
            return
        if self._intake_of[app.id] >= MAX_INTAKE:
            self._lose(app.id, "", OVERFLOW)
        else:
            self._intake_of[app.id] += 1
            self._intake.append(occurrence)
        self._woken.set()

    # ── what the owner of an app asks

    def dead_letters(self, app: AppId, *, after: str | None, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """Entries of the dead-letter list as JSON shows them, oldest first; and whether there are more."""
        entries, more = self._dead.page(app, after=after, limit=limit)
        return [row_of(one) for one in entries], more

    async def replay(self, app: AppId, ids: Sequence[str] | None) -> int:
        """Put dead letters back into the queue: those named, else the oldest. Returns how many.

        They come behind what waits by now. At most `REPLAY_MAX` at once. The statement of a loss that is named is
        removed.
        """
        replayed = 0
        for dead in self._dead.take(app, ids, limit=REPLAY_MAX):
            letter = dead.letter
            if letter is not None and not self._queue.has_room(app, letter.url, len(letter.event)):
                self._dead.restore([dead])
                continue
            self._ledger.drop([dead])
            if letter is not None:
                self._post(msgspec.structs.replace(letter, number=self._next_number()))
                replayed += 1
        self._woken.set()
        await self._ledger.write()
        return replayed

    # ── the task

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                self._take_in()
                await self._ledger.write()
                self._send_ready()
            except Exception:  # a fault of ours in one turn must not end the webhooks for good
                log.exception("webhooks_turn_failed")
            if not self._intake:
                await self._sleep()
            await asyncio.sleep(GATHER_SECONDS)

    async def _sleep(self) -> None:
        """Until something is told, or the time of something has come."""
        times = [at for at in (self._hold.next_at(), self._queue.next_at()) if at is not None]
        if self._ledger:
            times.append(self._clock() + REWRITE_SECONDS)
        wait = max(0.0, min(times) - self._clock()) if times else None
        try:
            async with asyncio.timeout(wait):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _take_in(self) -> None:
        now = self._clock()
        told: list[Occurrence] = self._hold.due(now)
        for _ in range(min(TURN, len(self._intake))):
            occurrence = self._intake.popleft()
            self._intake_of[occurrence.app] -= 1
            told += self._hold.take(occurrence, now)
        if not self._intake:
            self._intake_of.clear()
        for occurrence in told:
            try:
                self._address(occurrence)
            except Exception:  # one that cannot be encoded must not take the others with it
                log.exception("webhook_event_broken", extra={"kind": occurrence.kind})
                self._lose(occurrence.app, "", BROKEN)
        self._state_losses()

    def _address(self, occurrence: Occurrence) -> None:
        """Write letters to all webhooks that want to hear of it."""
        app = self._node.apps.get(occurrence.app)
        changed = self._standing.note(occurrence)
        if changed is not None:
            subject, is_there = changed
            self._ledger.note(subject, is_there=is_there)
        event: bytes | None = None
        for webhook in app.settings.webhooks if app is not None else ():
            if not wants(webhook, occurrence):
                continue
            event = event or event_of(occurrence)
            if self._queue.has_room(occurrence.app, webhook.url, len(event)):
                self._post(self._letter(occurrence, webhook.url, event))
            else:
                self._lose(occurrence.app, webhook.url, FULL)

    def _letter(self, occurrence: Occurrence, url: str, event: bytes) -> Letter:
        return Letter(
            number=self._next_number(),
            id=new_message_id(),
            app=occurrence.app,
            url=url,
            channel=occurrence.channel,
            event=event,
            time=self._now_ms(),
        )

    def _post(self, letter: Letter) -> None:
        self.metrics.know(letter.app)
        self._queue.add(letter, self._clock())
        self._ledger.put(letter)

    def _send_ready(self) -> None:
        self._start(self._queue.ready(self._clock()))

    def _start(self, parcels: Iterable[Parcel]) -> None:
        for parcel in parcels:
            if parcel.tries:
                self.metrics.retried.labels(parcel.app).inc()
            task = asyncio.ensure_future(self._send(parcel))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    # ── one request

    async def _send(self, parcel: Parcel) -> None:
        app = self._node.apps.get(parcel.app)
        webhook = self._webhook(app, parcel.url)
        try:
            if app is None or webhook is None or not app.keys:
                outcome = Outcome(delivered=False, reason=UNKNOWN)
            else:
                outcome = await self._attempt(parcel, app, webhook)
        except Exception as error:
            log.exception("webhook_failed")
            outcome = Outcome(delivered=False, reason=f"{type(error).__name__} while sending")
        self._settle(parcel, outcome)

    async def _attempt(self, parcel: Parcel, app: App, webhook: WebhookSettings) -> Outcome:
        assert self._sender is not None
        key, secret = next(iter(app.keys.items()))  # the newest: receivers are told of a key before it signs
        return await self._sender.send(
            Mail(
                app=app.id,
                id=parcel.id,
                body=parcel.body,
                webhook=webhook,
                key=key,
                secret=secret,
                timestamp=int(self._wall()),
            )
        )

    def _settle(self, parcel: Parcel, outcome: Outcome) -> None:
        done = self._queue.settle(parcel, outcome, self._clock())
        self._report(parcel, outcome, given_up=done and not outcome.delivered)
        if done:
            self._ledger.drop(parcel.letters)
            if outcome.delivered:
                self.metrics.sent.labels(parcel.app).inc(len(parcel.letters))
            else:
                self._bury(parcel, outcome.reason)
        if not self._stopping:
            self._start(self._queue.follow_up(parcel.app, parcel.url, self._clock()))
        self._woken.set()

    def _report(self, parcel: Parcel, outcome: Outcome, *, given_up: bool) -> None:
        """Count, and log what is new: a receiver that is down is told once, not at each attempt."""
        address = (parcel.app, parcel.url)
        fields = {"app": parcel.app, "host": urlsplit(parcel.url).hostname, "reason": outcome.reason}
        if outcome.delivered:
            if self._failing.pop(address, None) is not None:
                log.info("webhook_recovered", extra=fields)
            return
        self.metrics.failed.labels(parcel.app).inc()
        if address not in self._failing:
            log.warning("webhook_failing", extra=fields)
        if given_up and not self._failing.get(address):
            log.error("webhook_given_up", extra=fields)
        self._failing[address] = given_up or self._failing.get(address, False)

    def _bury(self, parcel: Parcel, reason: str) -> None:
        self.metrics.dead.labels(parcel.app).inc(len(parcel.letters))
        for letter in parcel.letters:
            dead = Dead(
                number=self._next_number(),
                app=letter.app,
                url=letter.url,
                reason=reason,
                tries=parcel.tries,
                at=self._now_ms(),
                letter=letter,
            )
            self._note(self._dead.add(dead, number=self._next_number()))

    # ── losses

    def _lose(self, app: AppId, url: str, reason: str) -> None:
        self.metrics.lost.labels(app).inc()
        self._lost[app, url, reason] += 1

    def _state_losses(self) -> None:
        lost, self._lost = self._lost, Counter()
        for (app, url, reason), count in lost.items():
            log.error("webhook_events_lost", extra={"app": app, "reason": reason, "lost": count})
            self.metrics.know(app)
            number = self._next_number()
            self._note(self._dead.lose(app, url, reason, count=count, number=number, at=self._now_ms()))

    def _note(self, changes: Changes) -> None:
        self._ledger.drop(changes.removed)
        for dead in changes.added:
            self._ledger.put(dead)

    # ── the start

    def _restore(self, kept: Kept) -> None:
        now = self._clock()
        self._number = kept.newest
        for letter in kept.letters:
            self.metrics.know(letter.app)
            self._queue.add(letter, now)
        self._dead.restore(kept.dead)
        for dead in kept.dead:
            self.metrics.know(dead.app)
        self._standing.restore(kept.standing)
        self._hold.restore((departure(subject, self._now_ms()) for subject in kept.standing), now)
        counts = {"waiting": len(kept.letters), "dead": len(kept.dead), "standing": len(kept.standing)}
        if any(counts.values()):
            log.info("webhooks_restored", extra=counts)

    # ── small questions

    def _webhook(self, app: App | None, url: str) -> WebhookSettings | None:
        webhooks = app.settings.webhooks if app is not None else ()
        return next((webhook for webhook in webhooks if webhook.url == url), None)

    def _batch_of(self, app: AppId, url: str) -> BatchSettings | None:
        webhook = self._webhook(self._node.apps.get(app), url)
        return webhook.batch if webhook is not None else None

    def _age(self, app: AppId) -> float:
        oldest = self._queue.oldest(app)
        return 0.0 if oldest is None else max(0.0, self._wall() - oldest / 1000)

    def _next_number(self) -> int:
        self._number += 1
        return self._number

    def _now_ms(self) -> int:
        return int(self._wall() * 1000)
