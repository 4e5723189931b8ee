"""Two readers of one Postgres log, pgoutput through our decoder and test_decoding as text, brought to the same form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.fixtures.fix_postgres import Database
from tidings.sources.postgres.pgoutput import messages as logical
from tidings.sources.postgres.pgoutput.decoder import Decoder
from tidings.sources.postgres.pgoutput.messages import UNCHANGED, LogicalMessage, Value

Row = dict[str, Any]
Told = tuple[Any, ...]
"""(operation, table, old row or None, new row or None), ("truncate", tables, flags) or ("message", ...)."""

Statement = str | tuple[str, ...]
"""One statement, or those of one transaction."""


def newest_protocol(database: Database) -> int:
    """The highest protocol version that the server speaks."""
    return 4 if int(database.cluster.major) >= 16 else 3


def run(database: Database, statements: Iterable[Statement]) -> None:
    """Run them one after the other, in one session; slots are read only as far as the log is on disk."""
    with database.connect() as connection:
        connection.execute("SET synchronous_commit = on")
        for statement in statements:
            for part in (statement,) if isinstance(statement, str) else ("BEGIN", *statement):
                connection.execute(part)


def make_slots(database: Database, *names: str, two_phase: bool = False) -> None:
    """Slots at one point of the log. One whose name begins with `text` is test_decoding's."""
    with database.connect() as connection:
        for name in names:
            plugin = "test_decoding" if name.startswith("text") else "pgoutput"
            connection.execute(
                "SELECT pg_create_logical_replication_slot(%s, %s, false, %s)",
                [f"{database.name}_{name}", plugin, two_phase],
            )


def read_binary(database: Database, slot: str, **options: str) -> list[bytes]:
    """All that pgoutput says. Little memory is given, so that a large transaction is streamed where that is on."""
    asked = [part for option in options.items() for part in option]
    asked += ["publication_names", "p", "messages", "true"]
    call = f"SELECT data FROM pg_logical_slot_get_binary_changes(%s, NULL, NULL{', %s' * len(asked)})"
    with database.connect() as connection:
        connection.execute("SET logical_decoding_work_mem = '64kB'")
        cursor = connection.cursor(binary=True)
        return [bytes(data) for (data,) in cursor.execute(call, [f"{database.name}_{slot}", *asked])]


def read_text(database: Database, slot: str) -> list[str]:
    """All that test_decoding says."""
    call = "SELECT data FROM pg_logical_slot_get_changes(%s, NULL, NULL)"
    with database.connect() as connection:
        return [data for (data,) in connection.execute(call, [f"{database.name}_{slot}"])]


class Assembler:
    """Puts pgoutput's messages together to transactions, in the order that they are certain."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.kinds: set[str] = set()
        self.origins: set[str] = set()
        self.types: set[str] = set()
        self.told: list[Told] = []
        self._relations: dict[int, logical.Relation] = {}
        self._open: list[Told] = []
        self._streams: dict[int, list[tuple[int | None, Told]]] = {}
        self._stream: list[tuple[int | None, Told]] | None = None

    def read(self, messages: Iterable[bytes]) -> list[Told]:
        for data in messages:
            self.kinds.add(chr(data[0]))
            self._take(self.decoder.decode(data))
        return self.told

    def _take(self, message: LogicalMessage) -> None:
        match message:
            case logical.Relation():
                self._relations[message.id] = message
            case logical.Type():
                self.types.add(f"{message.schema}.{message.name}")
            case logical.Origin():
                self.origins.add(message.name)
            case logical.StreamStart():
                assert message.first == (message.xid not in self._streams)
                self._stream = self._streams.setdefault(message.xid, [])
            case logical.StreamStop():
                self._stream = None
            case logical.StreamAbort():
                changes = self._streams[message.xid]
                left = [change for change in changes if message.subxid not in (message.xid, change[0])]
                self._streams[message.xid] = left
            case logical.Insert() | logical.Update() | logical.Delete() | logical.Truncate():
                self._add(message.xid, self._change(message))
            case logical.LogicalEmit():
                told = ("message", message.transactional, message.prefix, message.content.decode())
                if message.transactional:
                    self._add(message.xid, told)
                else:
                    self.told.append(told)
            case _:
                self._end(message)

    def _end(self, message: LogicalMessage) -> None:
        match message:
            case logical.Begin() | logical.BeginPrepare():
                assert self._open == []
            case logical.Commit():
                self.told.append(("commit", tuple(self._open)))
                self._open = []
            case logical.Prepare():
                self.told.append(("prepare", message.gid, tuple(self._open)))
                self._open = []
            case logical.StreamCommit():
                self.told.append(("commit", tuple(told for _, told in self._streams.pop(message.xid))))
            case logical.StreamPrepare():
                changes = tuple(told for _, told in self._streams.pop(message.xid))
                self.told.append(("prepare", message.gid, changes))
            case logical.CommitPrepared():
                self.told.append(("commit prepared", message.gid))
            case logical.RollbackPrepared():
                self.told.append(("rollback prepared", message.gid))
            case _:
                raise AssertionError(message)

    def _add(self, xid: int | None, told: Told) -> None:
        assert (xid is not None) == (self._stream is not None)
        if self._stream is None:
            self._open.append(told)
        else:
            self._stream.append((xid, told))

    def _change(self, message: logical.Insert | logical.Update | logical.Delete | logical.Truncate) -> Told:
        if isinstance(message, logical.Truncate):
            tables = frozenset(self._name(relation) for relation in message.relations)
            return ("truncate", tables, message.cascade, message.restart)
        relation = self._relations[message.relation]
        old = new = None
        if not isinstance(message, logical.Delete):
            new = _row(relation, message.new)
        if not isinstance(message, logical.Insert) and message.old is not None:
            old = {name: value for name, value in _row(relation, message.old).items() if value is not None}
            keys = {column.name for column in relation.columns if column.key}
            assert message.old_kind == "O" or set(old) <= keys
        return (type(message).__name__.lower(), self._name(message.relation), old, new)

    def _name(self, relation: int) -> str:
        found = self._relations[relation]
        return f"{found.schema}.{found.table}"


def _row(relation: logical.Relation, values: Sequence[Value]) -> Row:
    pairs = zip(relation.columns, values, strict=True)
    return {c.name: value.decode() if isinstance(value, bytes) else value for c, value in pairs}


_NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
_TABLE = re.compile(rf"{_NAME}\.{_NAME}")
_CHANGE = re.compile(
    rf"table ((?:{_NAME}\.{_NAME}(?:, )?)+): (INSERT|UPDATE|DELETE|TRUNCATE):(.*)", re.DOTALL
)
_COLUMN = re.compile(
    rf" (?:(old-key|new-tuple):|({_NAME})\[((?:[^\[\]\"]|\[\]|\"[^\"]*\")+)\]:"
    r"('(?:[^']|'')*'|B'[01]*'|unchanged-toast-datum|\S+))",
    re.DOTALL,
)
_MESSAGE = re.compile(r"message: transactional: ([01]) prefix: (.*?), sz: (\d+) content:(.*)", re.DOTALL)
_TWO_PHASE = re.compile(r"(PREPARE TRANSACTION|COMMIT PREPARED|ROLLBACK PREPARED) '(.*)', txid \d+")


def parse_text(lines: Iterable[str], roots: dict[str, str]) -> Iterator[Told]:
    """test_decoding's lines as transactions. roots: partition to the table that it is told as."""
    changes: list[Told] = []
    for line in lines:
        if line.startswith("BEGIN"):
            assert changes == []
        elif line.startswith("COMMIT ") and not line.startswith("COMMIT PREPARED"):
            if changes:  # pgoutput does not tell empty ones
                yield ("commit", tuple(changes))
            changes = []
        elif found := _TWO_PHASE.fullmatch(line):
            if found[1] == "PREPARE TRANSACTION":
                yield ("prepare", found[2], tuple(changes))
                changes = []
            else:
                yield (found[1].lower(), found[2])
        elif found := _MESSAGE.fullmatch(line):
            told = ("message", found[1] == "1", found[2], found[4])
            if found[1] == "1":
                changes.append(told)
            else:
                yield told
        else:
            changes.append(_parse_change(line, roots))
    assert changes == []


def _parse_change(line: str, roots: dict[str, str]) -> Told:
    found = _CHANGE.fullmatch(line)
    assert found is not None, line
    names = [_unquoted(name) for name in _TABLE.findall(found[1])]
    tables = [roots.get(name, name) for name in names]
    if found[2] == "TRUNCATE":
        return ("truncate", frozenset(tables), "cascade" in found[3], "restart_seqs" in found[3])
    parts: dict[str, Row] = {}
    part = "old-key" if found[2] == "DELETE" else "new-tuple"
    at = 0
    while found[3] != " (no-tuple-data)" and at < len(found[3]):
        column = _COLUMN.match(found[3], at)
        assert column is not None, found[3][at : at + 200]
        at = column.end()
        if column[1]:
            part = column[1]
        else:
            parts.setdefault(part, {})[_unquoted(column[2])] = _literal(column[3], column[4])
    return (found[2].lower(), tables[0], parts.get("old-key"), parts.get("new-tuple"))


def _unquoted(name: str) -> str:
    return re.sub(
        _NAME, lambda part: part[0][1:-1].replace('""', '"') if part[0][0] == '"' else part[0], name
    )


def _literal(type_: str, text: str) -> Any:
    if text == "unchanged-toast-datum":
        return UNCHANGED
    if text == "null":
        return None
    if type_ == "boolean":
        return text[0]
    return text.removeprefix("B")[1:-1].replace("''", "'") if text.endswith("'") else text


def prepare_database(database: Database, statements: Sequence[Statement]) -> None:
    """The tables, and the publication that every reader follows."""
    run(database, statements)
    database.run("CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root = true)")
