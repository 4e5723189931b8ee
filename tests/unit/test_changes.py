"""Changes as values: which row speaks, and what counts as changed."""

from __future__ import annotations

import pytest

from tidings.changes import WHOLE, Change, Checkpoint, Progress, Row, table_name


def update(**given: object) -> Change:
    return Change(table="t", kind="update", new={"a": 1, "b": 2}, old={"a": 1, "b": 1}, **given)  # type: ignore[arg-type]


def test_only_a_column_with_another_value_is_changed() -> None:
    assert update().changed("b")
    assert not update().changed("a")


@pytest.mark.parametrize(
    ("new", "old"), [({"a": 1}, {"a": 1, "b": 1}), ({"a": 1, "b": 2}, {"a": 1}), ({"b": 2}, None)]
)
def test_what_is_unknown_is_not_called_changed(new: Row, old: Row | None) -> None:
    assert not Change(table="t", kind="update", new=new, old=old).changed("b")


def test_inserts_and_deletes_change_no_column() -> None:
    assert not Change(table="t", kind="insert", new={"a": 1}).changed("a")
    assert not Change(table="t", kind="delete", old={"a": 1}).changed("a")


def test_the_row_is_the_new_one_else_the_old_one_else_empty() -> None:
    assert update().row == {"a": 1, "b": 2}
    assert Change(table="t", kind="delete", old={"a": 1}).row == {"a": 1}
    assert Change(table="t", kind="truncate").row == {}


def test_checkpoints_are_ordered() -> None:
    assert Checkpoint(2) < Checkpoint(10)
    assert Checkpoint(2, 5) < Checkpoint(2) < Checkpoint(3, 1)
    assert Checkpoint(2) == Checkpoint(2, WHOLE)


def test_progress_covers_what_is_not_after_it_in_the_same_generation() -> None:
    def at(generation: str, value: int, part: int = WHOLE) -> Progress:
        return Progress(source="s", generation=generation, checkpoint=Checkpoint(value, part))

    assert at("a", 2).covers(at("a", 2))
    assert at("a", 2).covers(at("a", 2, 7))
    assert not at("a", 2, 7).covers(at("a", 2))
    assert not at("a", 2).covers(at("a", 3, 1))
    assert not at("a", 2).covers(at("b", 1))


def test_seals_that_are_others_are_news_and_stay_until_others_come() -> None:
    plain = Progress(source="s", generation="a", checkpoint=Checkpoint(1))
    sealed = Progress(source="s", generation="a", checkpoint=Checkpoint(1), seals={"t": "1"})
    other = Progress(source="s", generation="a", checkpoint=Checkpoint(1), seals={"t": "2"})
    assert sealed.covers(plain)
    assert not sealed.covers(other)
    assert not plain.covers(sealed)
    assert Progress(source="s", generation="a", checkpoint=Checkpoint(2)).covers(other)
    assert (plain.upon(sealed), other.upon(sealed), plain.upon(None)) == (sealed, other, plain)


def test_a_table_is_named_with_its_schema_where_that_is_not_the_usual_one() -> None:
    assert [table_name(schema, "t") for schema in ("main", "public", "sales")] == ["t", "t", "sales.t"]
    assert Change(table="t", schema="sales", kind="truncate").name == "sales.t"
