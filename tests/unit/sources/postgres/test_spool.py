"""Open transactions are kept in order, bounded, and forgotten when they abort."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tidings.sources.postgres.spool import MEMORY_BYTES, Spool, SpoolFull


@pytest.fixture
def spool() -> Iterator[Spool]:
    with closing(Spool()) as made:
        yield made


def test_messages_come_back_in_order_by_transaction(spool: Spool) -> None:
    for number in range(3):
        spool.add(1, 1, b"a%d" % number)
        spool.add(2, 2, b"b%d" % number)
    assert [payload for _, payload in spool.replay(1)] == [b"a0", b"a1", b"a2"]
    assert [payload for _, payload in spool.replay(1)] == [b"a0", b"a1", b"a2"]  # as often as it is asked for
    spool.drop(1)
    assert list(spool.replay(1)) == []
    assert len(list(spool.replay(2))) == 3


def test_an_aborted_subtransaction_does_not_hold_and_the_rest_does(spool: Spool) -> None:
    for subxid in (1, 5, 6, 1):
        spool.add(1, subxid, b"%d" % subxid)
    spool.abort(1, 5)
    assert list(spool.replay(1)) == [(True, b"1"), (False, b"5"), (True, b"6"), (True, b"1")]
    spool.abort(1, 1)
    assert list(spool.replay(1)) == []
    spool.abort(9, 9)  # of which nothing was streamed


def test_what_is_large_lies_in_a_file_and_comes_back_whole(spool: Spool) -> None:
    large = b"x" * (MEMORY_BYTES // 2)
    for _ in range(5):
        spool.add(1, 1, large)
    assert [len(payload) for _, payload in spool.replay(1)] == [len(large)] * 5


def test_more_than_the_bound_is_refused_and_what_is_dropped_makes_room() -> None:
    with closing(Spool(most=10)) as spool:
        spool.add(1, 1, b"x" * 6)
        spool.drop(1)
        spool.add(2, 2, b"x" * 6)
        with pytest.raises(SpoolFull, match="larger than 10 bytes"):
            spool.add(3, 3, b"x" * 6)
