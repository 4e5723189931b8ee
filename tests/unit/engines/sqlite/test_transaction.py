"""One transaction: few statements for many items, and nothing left of an item that was refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.harness import APP, NEWS, OTHER, SPORT, Options, message
from tidings.engines.base import Published
from tidings.engines.sqlite.files import Files
from tidings.engines.sqlite.items import Append, Declare
from tidings.engines.sqlite.ledger import Ledger
from tidings.engines.sqlite.transaction import Transaction
from tidings.engines.sqlite.trim import Trimmer
from tidings.errors import Refusal
from tidings.ids import AppId
from tidings.messages import Message


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    files = Files(str(tmp_path / "log.db"))
    yield files
    files.close()


@pytest.fixture
def work(files: Files) -> Transaction:
    ledger = Ledger(files.writer, Options())
    return Transaction(files.writer, ledger, Trimmer(files.writer, ledger), files.epoch, 1, 1_000)


def append(*messages: Message, app: AppId = APP, key: str | None = None) -> Append:
    future: asyncio.Future[Any] = asyncio.Future(loop=asyncio.new_event_loop())
    future.get_loop().close()
    return Append(app, messages, key, 1, future)


def test_many_items_are_few_statements(files: Files, work: Transaction) -> None:
    work.add(append(message(NEWS)))
    statements: list[str] = []
    files.writer.exec_trace = lambda cursor, sql, values: not statements.append(sql)  # type: ignore[func-returns-value]
    for _ in range(100):
        work.add(append(message(NEWS), message(NEWS)))
    assert statements == []
    work.write()
    files.writer.exec_trace = None
    assert len(set(statements)) == 2
    assert files.writer.execute("SELECT count(*) FROM messages").get == 201


def test_a_refused_item_leaves_nothing(files: Files, work: Transaction) -> None:
    work.add(append(message(NEWS), key="k"))
    work.add(append(message(SPORT), key="k"))
    work.add(append(message(NEWS), key="k", app=OTHER))
    work.add(append(message(NEWS)))
    work.write()
    answers = [answer for _, answer in work.group.answers]
    assert isinstance(answers[1], Refusal)
    assert [isinstance(answer, Published) for answer in answers] == [True, False, True, True]
    assert [m.position.offset for m in work.group.told[APP] if m.position] == [1, 2]
    assert [m.position.offset for m in work.group.told[OTHER] if m.position] == [1]


def test_gaps_stand_in_order_between_messages(work: Transaction) -> None:
    item = append(message(NEWS))
    work.add(item)
    work.add(Declare(APP, "*", "source", item.future))
    work.add(append(message(NEWS)))
    work.write()
    assert [told.position.offset for told in work.group.told[APP] if told.position] == [1, 2, 3]
