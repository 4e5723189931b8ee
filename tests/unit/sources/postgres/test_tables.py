"""From tuples to rows: what was not told is left out and named, never null."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from tidings.sources.postgres import tables as module
from tidings.sources.postgres.pgoutput.messages import (
    UNCHANGED,
    Delete,
    Insert,
    OldKind,
    Relation,
    RelationColumn,
    Update,
    Value,
)
from tidings.sources.postgres.tables import RelationRows
from tidings.sources.postgres.values.types import Types

INT4, TEXT = 23, 25
Identity = Literal["d", "n", "f", "i"]


def rows(
    identity: Identity = "d", keys: Sequence[str] = ("id",), primary: Sequence[str] | None = ("id",)
) -> RelationRows:
    columns = tuple(
        RelationColumn(name, name in keys, oid, -1)
        for name, oid in (("id", INT4), ("n", INT4), ("body", TEXT))
    )
    return RelationRows(Relation(None, 1, "public", "t", identity, columns), Types(), primary)


FULL = rows("f", ("id", "n", "body"))


def update(
    new: tuple[Value, ...], old: tuple[Value, ...] | None = None, kind: OldKind | None = None
) -> Update:
    return Update(None, 1, old, kind, new)


def test_an_insert_tells_the_row() -> None:
    change = rows().insert(Insert(None, 1, (b"1", None, b"a")), 7, "0/1")
    assert (change.kind, change.new, change.old, change.key) == (
        "insert",
        {"id": 1, "n": None, "body": "a"},
        None,
        ("id",),
    )
    assert (change.schema, change.table, change.time, change.position) == ("public", "t", 7, "0/1")


def test_an_update_without_an_old_tuple_knows_its_key_alone() -> None:
    change = rows().update(update((b"1", b"2", b"a")), 7, "0/1")
    assert (change.old, change.unknown) == ({"id": 1}, ())
    assert not change.changed("n")


def test_an_update_of_the_key_tells_the_old_one_and_no_false_nulls() -> None:
    change = rows().update(update((b"2", b"2", b"a"), (b"1", None, None), "K"), 7, "0/1")
    assert change.old == {"id": 1}
    assert change.changed("id")


def test_a_whole_old_row_fills_what_the_update_did_not_touch() -> None:
    change = FULL.update(update((b"1", b"3", UNCHANGED), (b"1", b"2", b"long"), "O"), 7, "0/1")
    assert change.new == {"id": 1, "n": 3, "body": "long"}
    assert change.old == {"id": 1, "n": 2, "body": "long"}
    assert change.unchanged == ()


def test_what_is_untouched_and_not_told_is_unchanged_and_not_null() -> None:
    change = rows().update(update((b"1", b"3", UNCHANGED)), 7, "0/1")
    assert change.new == {"id": 1, "n": 3}
    assert change.unchanged == ("body",)


def test_a_delete_knows_what_the_identity_tells() -> None:
    change = rows().delete(Delete(None, 1, (b"1", None, None), "K"), 7, "0/1")
    assert (change.old, change.unknown) == ({"id": 1}, ("n", "body"))
    whole = FULL.delete(Delete(None, 1, (b"1", None, b"a"), "O"), 7, "0/1")
    assert (whole.old, whole.unknown) == ({"id": 1, "n": None, "body": "a"}, ())


def test_a_partition_with_a_lesser_identity_than_its_table_tells_no_wrong_old_row() -> None:
    changed = FULL.update(update((b"1", b"3", b"a")), 7, "0/1")
    assert changed.old == {"id": 1}
    gone = FULL.delete(Delete(None, 1, (b"1", None, None), "K"), 7, "0/1")
    assert (gone.old, gone.unknown) == ({"id": 1}, ("n", "body"))
    unknown = rows("f", ("id", "n", "body"), None).update(update((b"1", b"3", b"a")), 7, "0/1")
    assert unknown.old == {}


def test_where_a_partition_logs_less_a_null_of_a_whole_old_row_may_be_none() -> None:
    partial = rows("f", ("id", "n", "body"))
    partial.partial = True
    gone = partial.delete(Delete(None, 1, (b"1", None, b"a"), "O"), 7, "0/1")
    assert (gone.old, gone.unknown) == ({"id": 1, "body": "a"}, ("n",))


@pytest.mark.parametrize("value", [b"no number", b"1" * 20])
def test_a_value_that_cannot_be_read_or_is_too_large_is_unknown(
    value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "VALUE_BYTES", 15)
    change = rows().insert(Insert(None, 1, (b"1", value, b"a")), 7, "0/1")
    assert (change.new, change.unknown) == ({"id": 1, "body": "a"}, ("n",))


def test_the_key_is_the_identitys_where_the_primary_one_is_not_known() -> None:
    assert rows(primary=None).insert(Insert(None, 1, (b"1", None, None)), 0, "").key == ("id",)
    assert rows(primary=("gone",)).insert(Insert(None, 1, (b"1", None, None)), 0, "").key == ("id",)
    assert rows(primary=("n",)).insert(Insert(None, 1, (b"1", None, None)), 0, "").key == ("n",)


def test_an_emptied_table_has_no_rows_to_tell() -> None:
    change = rows().truncate(7, "0/1")
    assert (change.kind, change.new, change.old) == ("truncate", None, None)
