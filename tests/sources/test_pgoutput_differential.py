"""Our decoder of pgoutput against the server's own test_decoding: two slots at one point tell the same.

All 19 messages of the protocol can be had through the SQL functions, so each test says which ones it must have seen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.pq import ExecStatus, PGconn, abc

from tests.fixtures.fix_postgres import FAST, MAJORS, Database, own_cluster, until
from tests.sources.logical_rig import (
    Assembler,
    Told,
    make_slots,
    newest_protocol,
    parse_text,
    prepare_database,
    read_binary,
    read_text,
    run,
)
from tests.sources.logical_workload import (
    DROP_ORIGIN,
    ORIGIN,
    PREPARED,
    PREPARED_LATER,
    ROOTS,
    STREAMED,
    STREAMED_FROM_ELSEWHERE,
    TABLES,
    WORKLOAD,
)
from tidings.sources.postgres.pgoutput.decoder import Decoder
from tidings.sources.postgres.pgoutput.frames import (
    Keepalive,
    XLogData,
    format_lsn,
    parse_lsn,
    read_frame,
    status,
)

SIMPLE = set("BCORYIUDTM")
STREAMING = set("SEcA")
TWO_PHASE = set("bPKrp")


@pytest.fixture
def tables(postgres: Database) -> Iterator[Database]:
    """A database with the workload's tables, all published."""
    prepare_database(postgres, TABLES)
    yield postgres
    if postgres.rows("SELECT FROM pg_replication_origin WHERE roname = current_database() || ' elsewhere'"):
        postgres.run(DROP_ORIGIN)


def decoded(
    database: Database, slot: str, version: int, *, parallel: bool = False, **options: str
) -> Assembler:
    """All that a slot tells, put together."""
    assembler = Assembler(Decoder(version, parallel=parallel))
    assembler.read(read_binary(database, slot, proto_version=str(version), **options))
    return assembler


def test_every_message_is_in_one_of_these_tests() -> None:
    decoder = Decoder(4)
    known = {chr(kind) for kind in decoder._outside | decoder._inside}
    assert known == SIMPLE | STREAMING | TWO_PHASE


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_both_tell_the_same_changes(tables: Database, version: int) -> None:
    if version > newest_protocol(tables):
        make_slots(tables, "binary")
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            read_binary(tables, "binary", proto_version=str(version))
        return
    make_slots(tables, "binary", "text")
    run(tables, [*WORKLOAD, *ORIGIN])
    expected = list(parse_text(read_text(tables, "text"), ROOTS))
    found = decoded(tables, "binary", version)
    assert found.told == expected
    assert len(expected) > 35
    assert found.kinds == SIMPLE
    assert found.origins == {f"{tables.name} elsewhere"}
    assert {"public.mood", "public.pair", "pg_catalog.int4"} <= found.types  # a domain has its base's name


@pytest.mark.parametrize("streaming", ["on", "parallel"])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_a_large_transaction_told_while_it_is_open_ends_up_the_same(
    tables: Database, version: int, streaming: str
) -> None:
    if version > newest_protocol(tables) or (streaming == "parallel" and version < 4):
        return
    make_slots(tables, "binary", "text")
    run(tables, [*STREAMED, *STREAMED_FROM_ELSEWHERE])
    expected = list(parse_text(read_text(tables, "text"), ROOTS))
    found = decoded(tables, "binary", version, parallel=streaming == "parallel", streaming=streaming)
    assert found.told == expected
    assert [len(changes) for _, changes in expected] == [5214, 1, 3000]
    assert found.kinds == SIMPLE | STREAMING
    assert not found.decoder.in_stream


@pytest.mark.parametrize("major", MAJORS)
def test_prepared_transactions_are_told_when_they_are_prepared(major: str, tmp_path: Path) -> None:
    with own_cluster(major, tmp_path, **FAST, max_prepared_transactions="5") as cluster:
        database = Database(cluster)
        prepare_database(database, TABLES)
        make_slots(database, "binary", "text", two_phase=True)
        assembler = Assembler(Decoder(newest_protocol(database)))
        options = {"proto_version": str(newest_protocol(database)), "streaming": "on", "two_phase": "on"}
        expected: list[Told] = []
        for statements in (PREPARED, PREPARED_LATER):
            run(database, statements)
            expected += parse_text(read_text(database, "text"), ROOTS)
            assert assembler.read(read_binary(database, "binary", **options)) == expected
        assert [entry[0] for entry in expected] == [
            "prepare",
            "commit prepared",
            "prepare",
            "rollback prepared",
            "prepare",
            "commit",
            "commit prepared",
        ]
        assert assembler.kinds >= TWO_PHASE | STREAMING - {"c"}


def test_the_frames_of_a_real_stream_are_read_and_ours_are_understood(tables: Database) -> None:
    make_slots(tables, "binary", "text")
    slot = f"{tables.name}_binary"
    tables.run("INSERT INTO a (id, t) VALUES (1, 'x')")
    expected = list(parse_text(read_text(tables, "text"), ROOTS))
    ((end,),) = tables.rows("SELECT pg_current_wal_flush_lsn()::text")
    connection = PGconn.connect(f"{tables.url}&replication=database".encode())
    start = f"START_REPLICATION SLOT {slot} LOGICAL 0/0 (proto_version '1', publication_names 'p')"
    assert connection.exec_(start.encode()).status == ExecStatus.COPY_BOTH
    assembler = Assembler(Decoder(1))
    send(connection, status(0, 0, 0, 0, reply_now=True))
    keepalive = follow(connection, assembler, parse_lsn(end))
    assert assembler.told == expected
    assert abs(keepalive.time - time.time() * 1000) < 60_000
    told = status(parse_lsn(end), parse_lsn(end), 0, int(time.time() * 1000), reply_now=True)
    send(connection, told)
    follow(connection, assembler, parse_lsn(end))  # the answer: it has read what we said
    confirmed = f"SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{slot}'"
    until(lambda: tables.rows(confirmed) == [(format_lsn(parse_lsn(end)),)])
    connection.finish()


def send(connection: abc.PGconn, frame: bytes) -> None:
    connection.put_copy_data(frame)
    connection.flush()


def follow(connection: abc.PGconn, assembler: Assembler, end: int) -> Keepalive:
    """Read until the server has nothing more up to `end`."""
    while True:
        _, data = connection.get_copy_data(0)
        frame = read_frame(data)
        if isinstance(frame, XLogData):
            assert frame.start <= frame.end
            assembler.read([frame.payload])
        elif frame.end >= end:
            return frame
