"""From messages to pages: whole commits in commit order, cut where they are long, told once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from tests.unit.sources.postgres.pgoutput.encoder import encode
from tidings.changes import Checkpoint, Row, Transaction
from tidings.sources.postgres import assembler as module
from tidings.sources.postgres.assembler import Assembler
from tidings.sources.postgres.pgoutput.messages import (
    Begin,
    Commit,
    DecodeError,
    Delete,
    Insert,
    LogicalEmit,
    LogicalMessage,
    Relation,
    RelationColumn,
    StreamAbort,
    StreamCommit,
    StreamStart,
    StreamStop,
    Truncate,
)
from tidings.sources.postgres.values.types import Types

TIME = 1_700_000_000_000
TABLE = Relation(None, 1, "public", "t", "d", (RelationColumn("id", True, 23, -1),))


def insert(id: int, xid: int | None = None) -> Insert:
    return Insert(xid, 1, (str(id).encode(),))


def commit(lsn: int, *content: LogicalMessage) -> list[LogicalMessage]:
    return [Begin(lsn, TIME, 7), *content, Commit(lsn, lsn + 8, TIME)]


@contextmanager
def assembling(after: Checkpoint | None = None) -> Iterator[Assembler]:
    assembler = Assembler(4, Types(), lambda name: ("id",), after)
    yield assembler
    assembler.close()


def told(messages: Iterable[LogicalMessage], after: Checkpoint | None = None) -> list[Transaction]:
    found: list[Transaction] = []
    with assembling(after) as assembler:
        for message in messages:
            for one in assembler.take(encode(message), TIME):
                assert isinstance(one, Transaction), one
                found.append(one)
    return found


def ids(transactions: Iterable[Transaction]) -> list[list[int]]:
    return [[change.row["id"] for change in one.changes] for one in transactions]


def test_a_commit_is_one_transaction_that_says_where_it_stands() -> None:
    (one,) = told(commit(100, TABLE, insert(1), insert(2)))
    assert one.checkpoint == Checkpoint(100)
    assert ids([one]) == [[1, 2]]
    assert {(c.time, c.position, c.key) for c in one.changes} == {(TIME, "0/64", ("id",))}
    assert one.size > 0


def test_a_long_commit_is_cut_and_each_part_says_how_much_it_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_CHANGES", 2)
    parts = told(commit(100, TABLE, *map(insert, range(5))))
    assert ids(parts) == [[0, 1], [2, 3], [4]]
    assert [part.checkpoint for part in parts] == [Checkpoint(100, 2), Checkpoint(100, 4), Checkpoint(100)]


def test_a_page_is_cut_by_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_BYTES", 1)
    assert ids(told(commit(100, TABLE, insert(1), insert(2)))) == [[1], [2], []]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (None, [[1, 2, 3], [4]]),
        (Checkpoint(99), [[1, 2, 3], [4]]),
        (Checkpoint(100, 1), [[2, 3], [4]]),
        (Checkpoint(100, 3), [[], [4]]),
        (Checkpoint(100), [[4]]),
        (Checkpoint(150), [[4]]),
        (Checkpoint(200), []),
    ],
)
def test_what_the_log_has_is_passed_over_to_the_change(
    after: Checkpoint | None, expected: list[list[int]]
) -> None:
    stream = [*commit(100, TABLE, insert(1), insert(2), insert(3)), *commit(200, insert(4))]
    assert ids(told(stream, after)) == expected


def streamed(*content: LogicalMessage, xid: int = 9) -> list[LogicalMessage]:
    return [StreamStart(xid, True), *content, StreamStop()]


IN_STREAM = Relation(9, 1, "public", "t", "d", TABLE.columns)


def test_a_streamed_transaction_is_told_at_its_commit_without_what_was_aborted() -> None:
    stream = [
        *streamed(IN_STREAM, insert(1, 9), insert(2, 10)),
        *commit(100, TABLE, insert(50)),
        *streamed(insert(3, 11), insert(4, 9)),
        StreamAbort(9, 10, None, None),
        StreamCommit(9, 200, 208, TIME),
    ]
    found = told(stream)
    assert ids(found) == [[50], [1, 3, 4]]
    assert [one.checkpoint for one in found] == [Checkpoint(100), Checkpoint(200)]


def test_a_streamed_transaction_that_aborts_is_never_told() -> None:
    assert told([*streamed(IN_STREAM, insert(1, 9)), StreamAbort(9, 9, None, None)]) == []


def test_the_form_of_a_table_told_in_an_aborted_part_is_known_afterwards() -> None:
    relation = Relation(10, 1, "public", "t", "d", TABLE.columns)
    stream = [*streamed(relation, insert(1, 10)), StreamAbort(9, 10, None, None), *streamed(insert(2, 9))]
    assert ids(told([*stream, StreamCommit(9, 200, 208, TIME)])) == [[2]]


@pytest.mark.parametrize(("after", "expected"), [(Checkpoint(200, 1), [[2]]), (Checkpoint(200), [])])
def test_a_streamed_transaction_that_was_told_in_part_goes_on_where_it_was_cut(
    after: Checkpoint, expected: list[list[int]]
) -> None:
    stream = [*streamed(IN_STREAM, insert(1, 9), insert(2, 9)), StreamCommit(9, 200, 208, TIME)]
    assert ids(told(stream, after)) == expected


def test_emissions_stand_between_the_changes_and_those_outside_a_transaction_alone() -> None:
    def emit(content: bytes, lsn: int = 1, *, transactional: bool = True) -> LogicalEmit:
        return LogicalEmit(None, transactional, lsn, "tidings", content)

    alone, one = told(
        [emit(b"a", 50, transactional=False), *commit(100, TABLE, insert(1), emit(b"b"), insert(2))]
    )
    assert (alone.checkpoint, alone.emitted[0].content, alone.emitted[0].time) == (Checkpoint(49), b"a", TIME)
    assert [(each.at, each.content) for each in one.emitted] == [(1, b"b")]
    assert told([emit(b"a", 50, transactional=False)], Checkpoint(49)) == []


def test_emptied_tables_are_told_each_by_itself() -> None:
    other = Relation(None, 2, "sales", "u", "d", TABLE.columns)
    (one,) = told(commit(100, TABLE, other, Truncate(None, (1, 2), False, False)))
    assert [(change.name, change.kind) for change in one.changes] == [
        ("t", "truncate"),
        ("sales.u", "truncate"),
    ]


def test_types_that_are_not_known_are_asked_for_before_their_first_row() -> None:
    strange = Relation(None, 1, "public", "t", "d", (RelationColumn("id", True, 99_999, -1),))
    with assembling() as assembler:
        assert list(assembler.take(encode(Begin(100, TIME, 7)))) == []
        assert list(assembler.take(encode(strange))) == [[99_999]]


def test_a_change_of_a_table_that_was_never_told_is_an_error_and_not_a_loss() -> None:
    with pytest.raises(DecodeError, match="relation 1 was not told"):
        told(commit(100, insert(1)))


def test_between_commits_it_is_idle_and_knows_the_last_commits_time() -> None:
    states = []
    with assembling() as assembler:
        for message in commit(100):
            states.append(assembler.idle)
            list(assembler.take(encode(message)))
        states.append(assembler.idle)
        assert assembler.last_commit == TIME
    assert states == [True, False, True]


LEAF = Relation(None, 2, "public", "t_1", "d", TABLE.columns)


def leaves(messages: Iterable[LogicalMessage], after: Checkpoint | None = None) -> set[int]:
    with assembling(after) as assembler:
        for message in messages:
            list(assembler.take(encode(message), TIME))
        found = assembler.take_leaves()
        assert assembler.take_leaves() == {}
        assert set(found.values()) <= {"t"}
        return set(found)


def test_a_relation_that_is_told_before_a_change_of_another_is_a_leaf_of_that() -> None:
    assert leaves(commit(100, TABLE, LEAF, insert(1))) == {2}
    assert leaves(commit(100, TABLE, insert(1))) == set()
    other = Relation(None, 3, "public", "u", "d", TABLE.columns)
    emptied = Truncate(None, (1, 3), False, False)
    assert leaves([*commit(100, TABLE, other, emptied), *commit(200, insert(1))]) == set()


def test_a_leaf_of_a_table_that_is_not_captured_is_nobodys() -> None:
    with assembling() as assembler:
        assembler._key_of = lambda name: None
        for message in commit(100, TABLE, LEAF, insert(1)):
            list(assembler.take(encode(message), TIME))
        assert assembler.take_leaves() == {}


def test_a_table_whose_changes_are_passed_over_or_aborted_is_no_leaf() -> None:
    assert leaves(commit(100, TABLE, insert(1)), after=Checkpoint(100)) == set()
    junk = Relation(10, 3, "public", "junk", "d", TABLE.columns)
    block = streamed(IN_STREAM, insert(1, 9), junk, Insert(10, 3, (b"1",)))
    abort, done = StreamAbort(9, 10, None, None), StreamCommit(9, 100, 108, TIME)
    assert leaves([*block, abort, done]) == set()
    assert leaves([*block, abort, StreamStart(9, False), insert(2, 9), StreamStop(), done]) == set()


def old_rows(*messages: LogicalMessage) -> list[Row | None]:
    return [change.old for one in told(messages) for change in one.changes]


def test_a_leaf_that_logs_less_than_its_table_makes_nulls_doubtful_until_it_logs_all() -> None:
    columns = (RelationColumn("id", True, 23, -1), RelationColumn("n", True, 23, -1))
    table, leaf = (
        Relation(None, 1, "public", "t", "f", columns),
        Relation(None, 2, "public", "t_1", "d", columns),
    )
    gone = Delete(None, 1, (b"1", None), "O")
    whole = Relation(None, 2, "public", "t_1", "f", columns)
    assert old_rows(*commit(100, table, gone)) == [{"id": 1, "n": None}]
    assert old_rows(*commit(100, table, leaf, gone), *commit(200, gone)) == [{"id": 1}, {"id": 1}]
    again = commit(200, table, gone)  # told anew, as after an ALTER
    assert old_rows(*commit(100, table, leaf, gone), *again) == [{"id": 1}, {"id": 1}]
    mended = commit(200, table, whole, gone)
    assert old_rows(*commit(100, table, leaf, gone), *mended) == [{"id": 1}, {"id": 1, "n": None}]


def test_a_leaf_that_was_told_in_an_aborted_part_is_known_afterwards() -> None:
    """The server tells it once, and not again for what holds."""
    columns = (RelationColumn("id", True, 23, -1), RelationColumn("n", True, 23, -1))
    table = Relation(10, 1, "public", "t", "f", columns)
    leaf = Relation(10, 2, "public", "t_1", "d", columns)
    gone = Delete(10, 1, (b"1", None), "O")
    block = streamed(table, leaf, gone)
    stream = [*block, StreamAbort(9, 10, None, None), StreamCommit(9, 100, 108, TIME)]
    assert old_rows(*stream, *commit(200, Delete(None, 1, (b"2", None), "O"))) == [{"id": 2}]
