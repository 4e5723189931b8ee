"""Looks at slot and publication now and then, and keeps what it found until it may be told. `desk` asks the server,
`seals` compares.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from tidings.changes import Checkpoint, Gap, Transaction
from tidings.errors import TidingsError
from tidings.sources.postgres.desk import Desk, Elsewhere
from tidings.sources.postgres.health import Vitals
from tidings.sources.postgres.seals import Keeper, News

log = structlog.get_logger("tidings.sources.postgres")

WATCH_SECONDS: Final = 5.0
"""Between two looks at slot and publication."""


class Watch:
    """The looks during one connection. found: called when there is something to tell.

    What a table missed while it was not published is a gap.
    """

    def __init__(
        self,
        name: str,
        desk: Desk,
        keeper: Keeper,
        vitals: Vitals,
        *,
        clock: Callable[[], float],
        found: Callable[[], None],
    ) -> None:
        self._name = name
        self._desk = desk
        self._keeper = keeper
        self._vitals = vitals
        self._clock = clock
        self._found = found
        self.elsewhere = ""
        """Why the stream is to be made anew: its server is not the one at the address any more."""
        self._news: deque[tuple[int, News]] = deque()  # each with the place in the server's log of its look

    @property
    def waiting(self) -> bool:
        """Whether something was found that is not told yet. There are a few of these at most: each follows on a change
        of what is published."""
        return bool(self._news)

    async def run(self) -> None:
        """Look, again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Elsewhere as error:
                self.elsewhere = str(error)
                self._found()
                return
            except TidingsError as error:
                log.info("source_not_seen", source=self._name, detail=str(error))
                self._vitals.unseen = str(error)
            await asyncio.sleep(WATCH_SECONDS)

    async def look(self) -> None:
        """Look once. Raises TidingsError when the server does not show itself."""
        keeper = self._keeper
        look = await asyncio.to_thread(self._desk.look, keeper.known, keeper.leaves, waiting=keeper.waiting)
        self._vitals.note(look, self._clock())
        # Not in the thread: one that was cancelled has compared nothing.
        self.note(look.at, keeper.compare(look.found))

    def note(self, at: int, news: News) -> None:
        """Keep what was found `at` this place of the server's log (an LSN), if there is anything to tell."""
        if news.missed or news.seals is not None:
            self._news.append((at, news))
            self._found()

    def ripe(self, told: Checkpoint, reached: int) -> Transaction | None:
        """The oldest news, once all is told that was committed before their look. told: the last checkpoint. reached:
        the place up to which all is told.

        Told earlier, they would have clients read anew, and then take older changes for newer ones.
        """
        if not self._news or reached < self._news[0][0]:
            return None
        _, news = self._news.popleft()
        why = "not all changes of these tables may have been published: their publication or a partition changed"
        gap = Gap(why, news.missed) if news.missed else None
        return Transaction(checkpoint=told, gap=gap, seals=self._keeper.hand_out(news))
