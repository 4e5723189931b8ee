"""Decoding of pgoutput's messages: there and back, and nothing that is cut, lengthened or made up gets through."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sources.postgres.pgoutput.encoder import encode, row
from tidings.errors import LocalProtocolError
from tidings.sources.postgres.pgoutput import messages as logical
from tidings.sources.postgres.pgoutput.decoder import VERSIONS, Decoder
from tidings.sources.postgres.pgoutput.messages import UNCHANGED, DecodeError, LogicalMessage
from tidings.sources.postgres.pgoutput.wire import EPOCH_MS

UINT32 = st.integers(0, 2**32 - 1)
LSNS = st.integers(0, 2**64 - 1)
TIMES = st.integers(EPOCH_MS - 10**15, EPOCH_MS + 10**15)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
SCHEMAS = NAMES.map(lambda text: text or "pg_catalog")
ROWS = st.lists(st.none() | st.just(UNCHANGED) | st.binary(max_size=12), max_size=5).map(tuple)
COLUMNS = st.builds(logical.RelationColumn, NAMES, st.booleans(), UINT32, st.integers(-(2**31), 2**31 - 1))


def changes(xids: st.SearchStrategy[int | None]) -> st.SearchStrategy[LogicalMessage]:
    """Messages that may stand in a stream and out of it."""
    columns = st.lists(COLUMNS, max_size=4).map(tuple)
    relations = st.lists(UINT32, max_size=4).map(tuple)
    return st.one_of(
        st.builds(logical.Relation, xids, UINT32, SCHEMAS, NAMES, st.sampled_from("dnfi"), columns),
        st.builds(logical.Type, xids, UINT32, SCHEMAS, NAMES),
        st.builds(logical.Insert, xids, UINT32, ROWS),
        st.builds(logical.Update, xids, UINT32, st.none(), st.none(), ROWS),
        st.builds(logical.Update, xids, UINT32, ROWS, st.sampled_from("KO"), ROWS),
        st.builds(logical.Delete, xids, UINT32, ROWS, st.sampled_from("KO")),
        st.builds(logical.Truncate, xids, relations, st.booleans(), st.booleans()),
        st.builds(logical.LogicalEmit, xids, st.booleans(), LSNS, NAMES, st.binary(max_size=20)),
    )


ORIGINS = st.builds(logical.Origin, LSNS, NAMES)
OUTSIDE = st.one_of(
    changes(st.none()),
    ORIGINS,
    st.builds(logical.Begin, LSNS, TIMES, UINT32),
    st.builds(logical.Commit, LSNS, LSNS, TIMES),
    st.builds(logical.StreamStart, UINT32, st.booleans()),
    st.builds(logical.StreamCommit, UINT32, LSNS, LSNS, TIMES),
    *(
        st.builds(kind, LSNS, LSNS, TIMES, UINT32, NAMES)
        for kind in (logical.BeginPrepare, logical.Prepare, logical.CommitPrepared, logical.StreamPrepare)
    ),
    st.builds(logical.RollbackPrepared, LSNS, LSNS, TIMES, TIMES, UINT32, NAMES),
)
ABORTS = st.builds(logical.StreamAbort, UINT32, UINT32, st.none(), st.none())
PARALLEL_ABORTS = st.builds(logical.StreamAbort, UINT32, UINT32, LSNS, TIMES)
INSIDE = st.one_of(changes(UINT32), ORIGINS, st.just(logical.StreamStop()))

START = encode(logical.StreamStart(7, True))
INSERT = encode(logical.Insert(None, 1, (b"a", None)))


def streaming(version: int = 4) -> Decoder:
    decoder = Decoder(version)
    decoder.decode(START)
    return decoder


def assert_whole_only(make: Any, data: bytes) -> None:
    for wrong in (*(data[:end] for end in range(len(data))), data + b"\0"):
        with pytest.raises(DecodeError):
            make().decode(wrong)


@settings(max_examples=300, deadline=None)
@given(OUTSIDE | ABORTS)
def test_messages_come_back_and_only_whole(message: LogicalMessage) -> None:
    assert Decoder(4).decode(encode(message)) == message
    assert_whole_only(lambda: Decoder(4), encode(message))


@settings(max_examples=200, deadline=None)
@given(INSIDE)
def test_messages_of_a_stream_come_back_and_only_whole(message: LogicalMessage) -> None:
    assert streaming().decode(encode(message)) == message
    assert_whole_only(streaming, encode(message))


@settings(max_examples=50, deadline=None)
@given(PARALLEL_ABORTS)
def test_a_parallel_reader_is_told_when_a_transaction_was_aborted(message: LogicalMessage) -> None:
    assert Decoder(4, parallel=True).decode(encode(message)) == message
    assert_whole_only(lambda: Decoder(4, parallel=True), encode(message))


@settings(max_examples=500, deadline=None)
@given(st.sampled_from("BCORYIUDTMSEcAbPKrp\0"), st.binary(max_size=60), st.booleans())
def test_made_up_bytes_are_read_or_refused(kind: str, body: bytes, within: bool) -> None:
    decoder = streaming() if within else Decoder(4)
    with suppress(DecodeError):
        decoder.decode(kind.encode() + body)
        within = {"S": True, "E": False}.get(kind, within)
    assert decoder.in_stream == within


def test_nothing_is_refused() -> None:
    with pytest.raises(DecodeError, match="nothing") as caught:
        Decoder(1).decode(b"")
    assert caught.value.kind is None


def test_a_decoder_knows_whether_it_is_in_a_stream() -> None:
    assert not Decoder(2).in_stream
    assert streaming(2).in_stream
    decoder = streaming(2)
    decoder.decode(b"E")
    assert not decoder.in_stream
    assert decoder.decode(INSERT) == logical.Insert(None, 1, (b"a", None))


def test_what_cannot_be_read_leaves_the_stream_as_it_is() -> None:
    decoder = Decoder(2)
    with pytest.raises(DecodeError):
        decoder.decode(START + b"x")
    assert not decoder.in_stream
    decoder.decode(START)
    with pytest.raises(DecodeError):
        decoder.decode(b"Ex")
    assert decoder.in_stream


@pytest.mark.parametrize(
    "message",
    [
        logical.Begin(1, EPOCH_MS, 2),
        logical.Commit(1, 2, EPOCH_MS),
        logical.StreamStart(7, False),
        logical.StreamCommit(7, 1, 2, EPOCH_MS),
        logical.StreamAbort(7, 7, None, None),
    ],
)
def test_a_stream_holds_changes_only(message: LogicalMessage) -> None:
    with pytest.raises(DecodeError, match="not at this place"):
        streaming().decode(encode(message))


def test_a_stream_does_not_end_before_it_began() -> None:
    with pytest.raises(DecodeError, match="not at this place"):
        Decoder(4).decode(b"E")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_has_the_messages_of_its_time(version: int) -> None:
    for since, kinds in ((1, "BCORYIUDTM"), (2, "ScA"), (3, "bPKrp")):
        for kind in kinds:
            with pytest.raises(DecodeError) as caught:
                Decoder(version).decode(kind.encode())
            assert ("no such message" in str(caught.value)) == (version < since)


@pytest.mark.parametrize(("version", "parallel"), [(0, False), (5, False), (3, True)])
def test_versions_that_do_not_exist_are_our_own_fault(version: int, parallel: bool) -> None:
    with pytest.raises(LocalProtocolError):
        Decoder(version, parallel=parallel)


@pytest.mark.parametrize(
    ("data", "offset", "what"),
    [
        (b"I\0\0\0\1K\0\0", 5, "new row"),
        (b"U\0\0\0\1X\0\0", 5, "new row"),
        (b"U\0\0\0\1K\0\0K\0\0", 8, "new row"),
        (b"D\0\0\0\1N\0\0", 5, "old row"),
        (b"T\0\0\0\2\0\0\0\0\1", 1, "another number of tables"),
        (b"T\xff\xff\xff\xff\0", 1, "another number of tables"),
        (b"R\0\0\0\1s\0t\0x\0\0", 9, "replica identity"),
        (b"R\0\0\0\1s\0t\0d\xff\xff", 10, "negative"),
        (b"R\0\0\0\1s\0t\xff\0d\0\0", 7, "not UTF-8"),
        (b"C\1" + bytes(24), 1, "flags"),
        (b"c\0\0\0\1\1" + bytes(24), 5, "flags"),
        (b"M\0" + bytes(8) + b"p\0\xff\xff\xff\xff", 16, "too early"),
        (b"I\0\0\0\1N" + row([b"x"]) + b"x", 14, "after its end"),
    ],
)
def test_an_error_says_what_is_wrong_and_where(data: bytes, offset: int, what: str) -> None:
    with pytest.raises(DecodeError, match=what) as caught:
        Decoder(4).decode(data)
    assert (caught.value.kind, caught.value.offset) == (data[0], offset)


def test_an_error_does_not_tell_the_content() -> None:
    with pytest.raises(DecodeError) as caught:
        Decoder(1).decode(b"I\0\0\0\1N" + row([b"secret", b"secret"])[:-3])
    assert "secret" not in str(caught.value)
