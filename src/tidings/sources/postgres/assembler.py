"""From pgoutput's messages to transactions in pages: whole commits, in commit order, cut where they are long. No I/O.

A commit that the log has already is passed over; one that it has in part is told from where it was cut. What a stream
brings of transactions that are still open lies in the spool until they commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from tidings.changes import Change, Checkpoint, Emitted, Transaction, table_name
from tidings.outbox.table import PREFIX
from tidings.sources.postgres.pgoutput.decoder import Decoder
from tidings.sources.postgres.pgoutput.frames import format_lsn
from tidings.sources.postgres.pgoutput.messages import (
    Begin,
    BeginPrepare,
    Commit,
    CommitPrepared,
    DecodeError,
    Delete,
    Insert,
    LogicalEmit,
    LogicalMessage,
    Prepare,
    Relation,
    RollbackPrepared,
    StreamAbort,
    StreamCommit,
    StreamPrepare,
    StreamStart,
    StreamStop,
    Truncate,
    Update,
)
from tidings.sources.postgres.spool import Spool
from tidings.sources.postgres.tables import RelationRows
from tidings.sources.postgres.values.types import Types

PAGE_CHANGES: Final = 200
"""Changes in one transaction that is told: some milliseconds of work, so that nothing else waits for a bulk load."""

PAGE_BYTES: Final = 512 << 10
"""Bytes of the database's log in one transaction that is told, after which it is cut. It holds at least one change."""

KeyOf = Callable[[str], Sequence[str] | None]
"""A table's primary key by the name that rules use; None when it is not known."""

FIRST_MADE: Final = 16_384
"""The smallest OID of what a database's users made."""

_FIRST: Final = b"\x01"


class _Open:
    """The commit that is being read. told: changes of it that came by; skip: how many of those the log has already."""

    def __init__(self, lsn: int, time: int, skip: int) -> None:
        self.lsn = lsn
        self.time = time
        self.position = format_lsn(lsn)
        self.skip = skip
        self.told = 0
        self.size = 0
        self.changes: list[Change] = []
        self.emitted: list[Emitted] = []

    @property
    def full(self) -> bool:
        return len(self.changes) + len(self.emitted) >= PAGE_CHANGES or self.size >= PAGE_BYTES

    def page(self, checkpoint: Checkpoint) -> Transaction:
        page = Transaction(
            checkpoint=checkpoint,
            changes=tuple(self.changes),
            emitted=tuple(self.emitted),
            size=self.size,
        )
        self.changes, self.emitted, self.size = [], [], 0
        return page


class Assembler:
    """Takes a stream's messages one by one. after: what the log has. version: of the protocol."""

    def __init__(
        self,
        version: int,
        types: Types,
        key_of: KeyOf,
        after: Checkpoint | None,
        *,
        spool: Spool | None = None,
    ) -> None:
        self._decoder = Decoder(version)
        self._replayer = Decoder(version)
        self._types = types
        self._key_of = key_of
        self._after = after
        self._spool = spool or Spool()
        self._streaming = 0  # the transaction whose block is being read
        self._relations: dict[int, RelationRows] = {}
        self._leaves: dict[int, str] = {}
        self._lacking: list[tuple[str, str]] = []
        self._lesser: dict[int, set[int]] = {}  # by table, partitions whose old rows are not logged whole
        self._told_last = 0  # the relation that the last Relation told, until a change follows; 0 for none
        self._open: _Open | None = None
        self.last_commit: int | None = None  # time of the newest commit, ms

    @property
    def idle(self) -> bool:
        """True between commits: a keepalive then says that there was nothing up to its position."""
        return self._open is None

    def take_leaves(self) -> Mapping[int, str]:
        """OIDs of partitions whose rows were told, with their captured table; those that were not taken before."""
        found, self._leaves = self._leaves, {}
        return found

    def take_lacking(self) -> list[tuple[str, str]]:
        """Tables whose old rows are logged whole, each with a partition whose are not; those not taken before."""
        found, self._lacking = self._lacking, []
        return found

    def close(self) -> None:
        """Let go of what is spooled."""
        self._spool.close()

    def unknown_types(self, payload: bytes) -> list[int]:
        """The types that must be looked up before this message can be taken."""
        if payload[:1] != b"R" or self._decoder.in_stream:
            return []
        relation = self._decoder.decode(payload)
        return self._doubtful(relation) if isinstance(relation, Relation) else []

    def _doubtful(self, relation: Relation) -> list[int]:
        """Types that are not known, and those of the application: a composite one may have changed since."""
        oids = {column.type for column in relation.columns}
        return sorted({*self._types.missing(oids), *(oid for oid in oids if oid >= FIRST_MADE)})

    def take(self, payload: bytes, time: int = 0) -> Iterator[Transaction | list[int]]:
        """Take one message that was sent at `time` (ms); gives the transactions that are complete with it.

        A list of types stands for a question: look them up, then go on. Raises DecodeError, SpoolFull.
        """
        if self._decoder.in_stream and payload[:1] not in b"SE":
            self._spool.add(self._streaming, int.from_bytes(payload[1:5], "big"), payload)
            return
        if unknown := self.unknown_types(payload):
            yield unknown
        message = self._decoder.decode(payload)
        match message:
            case Begin():
                self._begin(message.final_lsn, message.time)
            case Commit():
                yield from self._commit()
            case StreamStart():
                self._streaming = message.xid
            case StreamStop():
                pass
            case StreamAbort():
                self._spool.abort(message.xid, message.subxid)
            case StreamCommit():
                yield from self._replay(message)
            case LogicalEmit() if not message.transactional:
                yield from self._alone(message, time)
            case BeginPrepare() | Prepare() | StreamPrepare() | CommitPrepared() | RollbackPrepared():
                raise DecodeError(
                    payload[0], 0, "prepared transactions were not asked for: make the slot anew"
                )
            case _:
                yield from self._content(message, len(payload))

    def _begin(self, lsn: int, time: int) -> None:
        after, skip = self._after, 0
        if after is not None and lsn <= after.value:
            skip = after.part if lsn == after.value else 2**63
        self._open = _Open(lsn, time, skip)
        self.last_commit = time

    def _commit(self) -> Iterator[Transaction]:
        done, self._open = self._open, None
        if done is not None and (self._after is None or Checkpoint(done.lsn) > self._after):
            yield done.page(Checkpoint(done.lsn))

    def _replay(self, message: StreamCommit) -> Iterator[Transaction | list[int]]:
        """A streamed transaction has committed: tell what of it holds."""
        self._begin(message.lsn, message.time)
        replayer = self._replayer
        if not replayer.in_stream:
            replayer.decode(b"S" + message.xid.to_bytes(4, "big") + _FIRST)
        for holds, payload in self._spool.replay(message.xid):
            if payload[:1] == b"R":
                relation = replayer.decode(payload)
                assert isinstance(relation, Relation), "it begins with R"
                if unknown := self._doubtful(relation):
                    yield unknown
                self._relation(relation)
            elif not holds:
                if payload[:1] in b"IUD":
                    self._note_leaf(int.from_bytes(payload[5:9], "big"))
            else:
                yield from self._content(replayer.decode(payload), len(payload))
        self._spool.drop(message.xid)
        yield from self._commit()

    def _alone(self, message: LogicalEmit, time: int) -> Iterator[Transaction]:
        """An emission outside any transaction stands at its own place in the log."""
        # It says where its record ends, which is where the next may begin.
        checkpoint = Checkpoint(message.lsn - 1)
        if message.prefix == PREFIX and (self._after is None or checkpoint > self._after):
            emitted = Emitted(at=0, prefix=message.prefix, content=message.content, time=time)
            yield Transaction(checkpoint=checkpoint, emitted=(emitted,), size=len(message.content))

    def _content(self, message: LogicalMessage, size: int) -> Iterator[Transaction]:
        if isinstance(message, Relation):
            self._relation(message)
            return
        done = self._open
        if done is None:
            return
        if not isinstance(message, Insert | Update | Delete | Truncate | LogicalEmit):
            return
        done.told += 1
        if isinstance(message, Insert | Update | Delete):
            self._note_leaf(message.relation)
        elif isinstance(message, Truncate):
            self._told_last = 0  # it may be of a table that it does not come back to
        if done.told <= done.skip:
            return
        if isinstance(message, LogicalEmit):
            if message.prefix == PREFIX:  # other programs' may be large, and are theirs
                content = message.content
                done.emitted.append(
                    Emitted(at=len(done.changes), prefix=PREFIX, content=content, time=done.time)
                )
                done.size += size
        else:
            done.changes += self._changes(message, done)
            done.size += size
        if done.full:
            yield done.page(Checkpoint(done.lsn, done.told))

    def _changes(self, message: LogicalMessage, done: _Open) -> list[Change]:
        relations, time, position = self._relations, done.time, done.position
        if isinstance(message, Truncate):
            return [_known(relations, relation).truncate(time, position) for relation in message.relations]
        if not isinstance(message, Insert | Update | Delete):
            return []
        rows = _known(relations, message.relation)
        if isinstance(message, Insert):
            return [rows.insert(message, time, position)]
        if isinstance(message, Update):
            return [rows.update(message, time, position)]
        return [rows.delete(message, time, position)]

    def _note_leaf(self, named: int) -> None:
        """Before the first row of a partition its table is told and then itself; the change names the table."""
        leaf, self._told_last = self._told_last, 0
        if leaf in {0, named}:
            return
        table = _known(self._relations, named)
        if self._key_of(table.name) is not None:
            self._leaves[leaf] = table.name
        lesser = self._lesser.setdefault(named, set())
        if self._relations[leaf].full:
            lesser.discard(leaf)
        elif leaf not in lesser:
            lesser.add(leaf)
            if table.full:
                self._lacking.append((table.name, self._relations[leaf].name))
        table.partial = bool(lesser)

    def _relation(self, relation: Relation) -> None:
        self._told_last = relation.id
        key = self._key_of(table_name(relation.schema, relation.table))
        partial = bool(self._lesser.get(relation.id))
        # Never forgotten: the server tells each once, so they are as many as the publication's tables and partitions.
        self._relations[relation.id] = RelationRows(relation, self._types, key, partial=partial)


def _known(relations: Mapping[int, RelationRows], relation: int) -> RelationRows:
    rows = relations.get(relation)
    if rows is None:
        raise DecodeError(None, 0, f"relation {relation} was not told before its change")
    return rows
