"""Records the fuzz corpus of pgoutput anew from real servers: `python -m tests.sources.record_pgoutput`.

Of the messages that the differential test's workload brings about, it keeps one of each kind and shape.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from fuzz.fuzz_pgoutput import CORPUS
from tests.fixtures.fix_postgres import FAST, MAJORS, Database, end_clusters, own_cluster
from tests.sources.logical_rig import make_slots, newest_protocol, prepare_database, read_binary, run
from tests.sources.logical_workload import (
    PREPARED,
    PREPARED_LATER,
    STREAMED,
    STREAMED_FROM_ELSEWHERE,
    TABLES,
    WORKLOAD,
)
from tidings.sources.postgres.pgoutput import messages as logical
from tidings.sources.postgres.pgoutput.decoder import Decoder
from tidings.sources.postgres.pgoutput.messages import UNCHANGED, LogicalMessage

LONGEST_KEPT = 300
"""Bytes of a message: small inputs are the ones that a fuzzer can make something of."""


def shape(message: LogicalMessage) -> str:
    """A name for what tells messages of one kind apart."""
    name = type(message).__name__.lower()
    if isinstance(message, logical.Update | logical.Delete):
        name += f"-{(message.old_kind or 'none').lower()}"
    if isinstance(message, logical.Update) and UNCHANGED in message.new:
        name += "-toast"
    return f"{name}-{message.identity}" if isinstance(message, logical.Relation) else name


def keep(messages: Iterable[bytes], decoder: Decoder, *, parallel: bool = False) -> None:
    """Write those that are small and unlike the ones kept so far. The first byte is the fuzz target that reads it."""
    for data in messages:
        within = decoder.in_stream
        name = shape(decoder.decode(data))
        if parallel and name != "streamabort":
            continue  # all others are the same as without
        file = CORPUS / f"{'streamed-' if within else 'parallel-' if parallel else ''}{name}.bin"
        if len(data) <= LONGEST_KEPT and not file.exists():
            file.write_bytes(bytes([2 if parallel else int(within)]) + data)


def record(major: str, folder: Path) -> None:
    """Run the workload on one server, and keep what is new in it."""
    with own_cluster(major, folder, **FAST, max_prepared_transactions="5") as cluster:
        database = Database(cluster)
        prepare_database(database, TABLES)
        make_slots(database, "binary", "streamed", "parallel", two_phase=True)
        run(database, [*STREAMED[:2], *STREAMED_FROM_ELSEWHERE, "TRUNCATE a, whole"])
        run(database, [*PREPARED, *PREPARED_LATER])
        version = newest_protocol(database)
        told = {"proto_version": str(version), "two_phase": "on"}
        keep(read_binary(database, "streamed", streaming="on", **told), Decoder(version))
        if version >= 4:
            messages = read_binary(database, "parallel", streaming="parallel", **told)
            keep(messages, Decoder(version, parallel=True), parallel=True)
        run(database, ["DROP TABLE a", *TABLES[3:5], "TRUNCATE whole, typed", *WORKLOAD])
        keep(read_binary(database, "binary", **told), Decoder(version))


if __name__ == "__main__":
    try:
        for major in MAJORS:
            with tempfile.TemporaryDirectory() as folder:
                record(major, Path(folder))
    finally:
        end_clusters()
