"""Messages about transactions, byte by byte. Round trips are in test_decoder.py."""

from __future__ import annotations

from struct import pack

import pytest

from tidings.sources.postgres.pgoutput import messages as logical
from tidings.sources.postgres.pgoutput import transactions
from tidings.sources.postgres.pgoutput.messages import DecodeError, LogicalMessage
from tidings.sources.postgres.pgoutput.transactions import Reader

MS = 1_785_000_000_123
WIRE = (MS - 946_684_800_000) * 1000 + 456
PREPARED = b"\0" + pack(">QQqI", 1, 2, WIRE, 3) + b"gid\0"


@pytest.mark.parametrize(
    ("table", "kind", "body", "message"),
    [
        (transactions.ALWAYS, "B", pack(">QqI", 1, WIRE, 2), logical.Begin(1, MS, 2)),
        (transactions.ALWAYS, "C", pack(">BQQq", 0, 1, 2, WIRE), logical.Commit(1, 2, MS)),
        (transactions.ALWAYS, "O", pack(">Q", 1) + b"far\0", logical.Origin(1, "far")),
        (transactions.STREAMING, "S", pack(">IB", 1, 1), logical.StreamStart(1, True)),
        (transactions.STREAMING, "S", pack(">IB", 1, 0), logical.StreamStart(1, False)),
        (transactions.STREAMING, "c", pack(">IBQQq", 1, 0, 2, 3, WIRE), logical.StreamCommit(1, 2, 3, MS)),
        (transactions.STREAMING, "A", pack(">II", 1, 2), logical.StreamAbort(1, 2, None, None)),
        (transactions.PARALLEL, "A", pack(">IIQq", 1, 2, 3, WIRE), logical.StreamAbort(1, 2, 3, MS)),
        (transactions.IN_STREAM, "O", pack(">Q", 1) + b"far\0", logical.Origin(1, "far")),
        (transactions.IN_STREAM, "E", b"", logical.StreamStop()),
        (transactions.TWO_PHASE, "b", PREPARED[1:], logical.BeginPrepare(1, 2, MS, 3, "gid")),
        (transactions.TWO_PHASE, "P", PREPARED, logical.Prepare(1, 2, MS, 3, "gid")),
        (transactions.TWO_PHASE, "K", PREPARED, logical.CommitPrepared(1, 2, MS, 3, "gid")),
        (transactions.TWO_PHASE, "p", PREPARED, logical.StreamPrepare(1, 2, MS, 3, "gid")),
        (
            transactions.TWO_PHASE,
            "r",
            pack(">BQQqqI", 0, 1, 2, WIRE, WIRE + 1000, 3) + b"gid\0",
            logical.RollbackPrepared(1, 2, MS, MS + 1, 3, "gid"),
        ),
    ],
)
def test_a_message_is_read(table: dict[int, Reader], kind: str, body: bytes, message: LogicalMessage) -> None:
    read = table[ord(kind)]
    assert read(kind.encode() + body, 1, None) == message
    with pytest.raises(DecodeError):
        read(kind.encode() + body + b"x", 1, None)


@pytest.mark.parametrize("kind", "PKp")
def test_flags_of_a_prepared_transaction_are_kept_for_later(kind: str) -> None:
    with pytest.raises(DecodeError, match="flags"):
        transactions.TWO_PHASE[ord(kind)](kind.encode() + b"\1" + PREPARED[1:], 1, None)
