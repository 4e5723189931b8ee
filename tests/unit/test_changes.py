"""Changes as values: which row speaks, and what counts as changed."""

from __future__ import annotations

from tidings.changes import Change, Checkpoint


def update(**given: object) -> Change:
    return Change(table="t", kind="update", new={"a": 1, "b": 2}, old={"a": 1, "b": 1}, **given)  # type: ignore[arg-type]


def test_only_a_column_with_another_value_is_changed() -> None:
    assert update().changed("b")
    assert not update().changed("a")


def test_what_is_unknown_is_not_called_changed() -> None:
    assert not update(unknown=("b",)).changed("b")


def test_inserts_and_deletes_change_no_column() -> None:
    assert not Change(table="t", kind="insert", new={"a": 1}).changed("a")
    assert not Change(table="t", kind="delete", old={"a": 1}).changed("a")


def test_the_row_is_the_new_one_else_the_old_one_else_empty() -> None:
    assert update().row == {"a": 1, "b": 2}
    assert Change(table="t", kind="delete", old={"a": 1}).row == {"a": 1}
    assert Change(table="t", kind="truncate").row == {}


def test_checkpoints_are_ordered() -> None:
    assert Checkpoint(2) < Checkpoint(10)
