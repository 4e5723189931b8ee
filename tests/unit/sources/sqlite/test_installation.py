"""What is to be done to a file, from what is there and what was noted."""

from __future__ import annotations

from tidings.sources.sqlite.installation import CAPTURED, MISSING, plan
from tidings.sources.sqlite.triggers import TableShape, triggers_of

SHAPE = TableShape(name="t", columns=("id",), key=("id",), rowid="rowid")
WIDER = TableShape(name="t", columns=("id", "x"), key=("id",), rowid="rowid")


def test_a_first_installation_makes_triggers_and_tells_no_gap() -> None:
    todo = plan({"t": SHAPE}, {}, {})
    assert todo is not None
    assert list(todo.create) == list(triggers_of(SHAPE).values())
    assert (todo.drop, todo.gaps, todo.states) == ((), {}, {"t": CAPTURED})


def test_nothing_is_done_when_all_is_well() -> None:
    assert plan({"t": SHAPE}, triggers_of(SHAPE), {"t": CAPTURED}) is None
    assert plan({"t": None}, {}, {"t": MISSING}) is None


def test_a_lost_trigger_is_a_gap_and_all_of_the_table_are_made_anew() -> None:
    left = dict(list(triggers_of(SHAPE).items())[1:])
    todo = plan({"t": SHAPE}, left, {"t": CAPTURED})
    assert todo is not None
    assert (set(todo.drop), len(todo.create), list(todo.gaps)) == (set(left), 5, ["t"])


def test_new_columns_are_a_gap() -> None:
    todo = plan({"t": WIDER}, triggers_of(SHAPE), {"t": CAPTURED})
    assert todo is not None
    assert (set(todo.drop), list(todo.create)) == (set(triggers_of(SHAPE)), list(triggers_of(WIDER).values()))
    assert list(todo.gaps) == ["t"]


def test_a_table_that_went_or_came_back_is_a_gap() -> None:
    gone = plan({"t": None}, {}, {"t": CAPTURED})
    back = plan({"t": SHAPE}, {}, {"t": MISSING})
    assert gone is not None
    assert back is not None
    assert (list(gone.gaps), gone.states) == (["t"], {"t": MISSING})
    assert (list(back.gaps), back.states) == (["t"], {"t": CAPTURED})


def test_a_table_no_longer_wanted_loses_its_triggers() -> None:
    other = TableShape(name="o", columns=("id",), key=("id",), rowid="rowid")
    todo = plan({"o": other}, {**triggers_of(SHAPE), **triggers_of(other)}, {"t": CAPTURED, "o": CAPTURED})
    assert todo is not None
    assert (set(todo.drop), todo.create, todo.gaps) == (set(triggers_of(SHAPE)), (), {})
