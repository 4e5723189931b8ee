"""Keeps a node's clients honest over time: signs of life, expired tokens, held cursors. Holds no timer per client."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from tidings.errors import Disconnect
from tidings.node.authorizer import LEEWAY
from tidings.pushes import Heartbeat

if TYPE_CHECKING:
    from tidings.node.node import Node
    from tidings.node.resume import Resume
    from tidings.node.session import Session

log = logging.getLogger(__name__)

SWEEP_SECONDS: Final = 1.0
"""Between looks at all sessions: a token's expiry must be acted on within 5 s (promise 6)."""

CONFIRM_SECONDS: Final = 0.1
"""From a message to the ping that asks whether it arrived: what a cut may repeat for clients without cursors."""

CONFIRM_COST: Final = 0.0005
"""Seconds added to that for each client with a held cursor, so that many of them cost a bounded share of the loop."""


class Keeper:
    """The one sweep of a node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._confirming = False
        self._heartbeat_at = 0.0

    async def run(self) -> None:
        """Sweep until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            expected = loop.time() + SWEEP_SECONDS
            await asyncio.sleep(SWEEP_SECONDS)
            lag = max(0.0, loop.time() - expected)
            self._node.metrics.loop_lag.set(lag)
            try:
                self.sweep(grace=lag)
            except Exception:  # one session's fault must not end the sweep of all others for good
                log.exception("sweep_failed")

    def sweep(self, *, grace: float = 0.0) -> None:
        """Look at every session once. `grace`: seconds by which we ourselves were late; nobody is blamed for those."""
        now, wall = self._node.clock(), self._node.wall()
        beat = now >= self._heartbeat_at
        if beat:
            self._heartbeat_at = now + self._node.limits.sse_heartbeat_seconds
        for app in self._node.apps:
            self._node.metrics.messages_today.labels(app.id).set(app.usage.on(wall))
            for session in list(app.sessions.values()):
                if session.identity is not None and session.identity.expires + LEEWAY <= wall:
                    session.end(Disconnect("expired"))
                elif session.app.settings.require_sign_in and self._overdue(session, now - grace):
                    session.end(Disconnect("not_signed_in"))
                elif session.protocol.one_way:
                    if beat:
                        session.say(Heartbeat(time=self._node.wall_ms()))
                else:
                    self._ask_for_life(session, now, grace)
                    if session.resume is not None and session.resume.in_words:
                        self._ask_for_proof(
                            session, session.resume
                        )  # what came too soon after the last question
        self._node.counts.sweep()
        self._node.note_sources()

    def _overdue(self, session: Session, now: float) -> bool:
        """Whether it has neither signed in nor joined a channel that asks for a proof. Streams have no way to."""
        if session.proven or session.protocol.one_way:
            return False
        return now - session.opened > session.app.limits.sign_in_seconds

    def _ask_for_life(self, session: Session, now: float, grace: float) -> None:
        limits = session.app.limits
        if session.pinged is not None:
            if now - session.pinged > limits.pong_seconds + grace:
                session.end(Disconnect("silent"))
        elif now - session.heard > limits.activity_seconds:
            session.pinged = now
            if session.transport.ping(b""):
                session.say(Heartbeat(time=self._node.wall_ms()))
                return
            session.alive()  # whoever carries the connection asks for life itself
            if session.resume is None:
                session.say(Heartbeat(time=self._node.wall_ms()))
            else:  # each heartbeat of such a client is a question, or its answers could not be told apart
                session.resume.ask_in_words(self._node.head(session.app))

    def confirm_soon(self) -> None:
        """Messages go out: ask shortly afterwards, once, whether they arrived."""
        if self._confirming or not self._node.holding:
            return
        self._confirming = True
        delay = CONFIRM_SECONDS + CONFIRM_COST * len(self._node.holding)
        asyncio.get_running_loop().call_later(delay, self._confirm)

    def _confirm(self) -> None:
        self._confirming = False
        for session in list(self._node.holding):
            if session.resume is not None:
                try:
                    self._ask_for_proof(session, session.resume)
                except Exception:  # one session's fault is not the others'
                    log.exception("proof_failed")

    def _ask_for_proof(self, session: Session, resume: Resume) -> None:
        session.app.hub.flush()  # a ping proves only what was written before it
        head = self._node.head(session.app)
        if not session.outlet.paused and not session.outlet.closed and resume.due(head):
            resume.ping(head)
