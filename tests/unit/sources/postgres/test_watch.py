"""News wait for their time and are told with their seals. What a look sees is in test_desk.py."""

from __future__ import annotations

from tidings.changes import Checkpoint
from tidings.sources.postgres.desk import Desk
from tidings.sources.postgres.health import Vitals
from tidings.sources.postgres.seals import LEAVES, Found, Horizon, Keeper, News
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.values.types import Types
from tidings.sources.postgres.watch import Watch

TOLD = Checkpoint(100)


def watching(keeper: Keeper, woken: list[bool]) -> Watch:
    desk = Desk("postgresql://", Names.of("w"), (), Types())
    vitals = Vitals(since=0.0)
    return Watch("w", desk, keeper, vitals, clock=lambda: 0.0, found=lambda: woken.append(True))


def test_news_are_told_with_their_seals_once_all_before_their_look_is_told() -> None:
    keeper, woken = Keeper(), list[bool]()
    keeper.begin({"p": "1"})
    keeper.note({9: "p"})
    watch = watching(keeper, woken)
    watch.note(500, keeper.compare(Found(seals={"p": "2"}, horizon=Horizon(1, 1))))
    assert (watch.waiting, woken) == (True, [True])
    assert watch.ripe(TOLD, 499) is None
    told = watch.ripe(TOLD, 500)
    assert told is not None
    assert told.gap is not None
    assert (told.checkpoint, told.gap.tables) == (TOLD, ("p",))
    assert told.seals == {"p": "2", LEAVES: '{"9":"p"}'}
    assert not watch.waiting
    assert watch.ripe(TOLD, 600) is None


def test_a_look_without_news_wakes_nobody() -> None:
    woken: list[bool] = []
    watch = watching(Keeper(), woken)
    watch.note(500, News())
    assert (watch.waiting, woken) == (False, [])
