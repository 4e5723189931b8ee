"""Paging and decoding of recorded rows."""

from __future__ import annotations

from tidings.changes import Checkpoint, Gap
from tidings.sources.sqlite.rows import PAGE_BYTES, PAGE_CHANGES, Recorded, page, transaction
from tidings.sources.sqlite.triggers import TableShape

SHAPES = {"t": TableShape(name="t", columns=("id", "x"), key=("id",), rowid="rowid")}


def row(seq: int, kind: str = "insert", *, id: int = 1, x: str = '"a"', table: str = "t") -> Recorded:
    text = f'{{"id":{id},"x":{x}}}'.encode()
    old = text if kind in ("delete", "replaced", "update") else None
    new = text if kind in ("insert", "update") else None
    return Recorded(seq, table, kind, old, new, 1000)


def test_a_page_ends_at_the_bound() -> None:
    rows = [row(n) for n in range(PAGE_CHANGES + 1)]
    assert page(rows) == rows[:-1]
    assert page(rows, 1) == rows[:1]


def test_a_page_ends_when_it_is_heavy_but_holds_one_row_at_least() -> None:
    heavy = row(1, x='"' + "x" * PAGE_BYTES + '"')
    assert page([heavy, row(2)]) == [heavy]
    assert page([row(0), heavy, row(2)]) == [row(0), heavy]


def test_a_gap_stands_alone() -> None:
    gap = Recorded(2, "t", "gap", None, b"why", 0)
    assert page([row(1), gap, row(3)]) == [row(1)]
    assert page([gap, row(3)]) == [gap]


def test_a_replaced_row_is_not_parted_from_its_successor() -> None:
    rows = [row(1, "replaced"), row(2, "replaced", id=2), row(3), row(4)]
    assert page(rows, 1) == rows[:3]


def test_a_gap_row_becomes_a_gap() -> None:
    told = transaction([Recorded(7, "t", "gap", None, b"why", 0)], SHAPES)
    assert (told.checkpoint, told.gap, told.changes) == (Checkpoint(7), Gap("source", ("t",)), ())
    assert transaction([Recorded(7, "", "gap", None, b"why", 0)], SHAPES).gap == Gap("source")


def test_a_replaced_row_with_the_same_key_is_an_update() -> None:
    told = transaction([row(1, "replaced", id=2), row(2, "replaced"), row(3, x='"b"')], SHAPES)
    assert [(c.kind, c.row["id"]) for c in told.changes] == [("delete", 2), ("update", 1)]
    assert told.changes[1].old == {"id": 1, "x": "a"}
    assert told.changes[1].new == {"id": 1, "x": "b"}


def test_a_row_replaced_by_its_like_is_no_change() -> None:
    told = transaction([row(1, "replaced"), row(2)], SHAPES)
    assert (told.changes, told.checkpoint) == ((), Checkpoint(2))


def test_a_replaced_row_before_an_update_is_a_delete() -> None:
    told = transaction([row(1, "replaced", id=5), row(2, "update")], SHAPES)
    assert [c.kind for c in told.changes] == ["delete", "update"]


def test_a_large_value_is_unknown_and_so_is_a_younger_column() -> None:
    (change,) = transaction([row(1, x='{"$large":900000}')], SHAPES).changes
    assert (change.new, change.unknown) == ({"id": 1}, ("x",))
    (older,) = transaction([Recorded(1, "t", "insert", None, b'{"id":1}', 0)], SHAPES).changes
    assert older.unknown == ("x",)


def test_a_row_of_a_table_no_longer_captured_is_passed_over() -> None:
    assert transaction([row(1, table="other"), row(2)], SHAPES).changes[0].row["id"] == 1


def test_a_row_that_cannot_be_decoded_is_a_gap_and_the_others_are_told() -> None:
    told = transaction([row(1), Recorded(2, "t", "insert", None, b"{broken", 0), row(3, id=3)], SHAPES)
    assert [c.row["id"] for c in told.changes] == [1, 3]
    assert told.gap == Gap("source", ("t",))


def test_text_that_is_not_utf8_is_marked() -> None:
    (change,) = transaction([Recorded(1, "t", "insert", None, b'{"id":1,"x":"a\xff"}', 0)], SHAPES).changes
    assert change.row["x"] == "a�"
