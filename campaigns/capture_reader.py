"""The reader of the capture campaign, in a process of its own to be killed: Postgres, the pump, a log on disk.

Arguments: the database, the log's file, tables by comma, `streamed` or `whole`. Prints how far the log is,
in hexadecimal, after each append.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Final

from tidings.changes import Checkpoint
from tidings.engines.sqlite import SqliteEngine
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import AppId, ChannelName
from tidings.node.metrics import Metrics
from tidings.node.pump import Pump
from tidings.sources.postgres import PostgresSource
from tidings.sources.router import ChangeRouter
from tidings.sources.rules import Rule

APP: Final = AppId("1001")
CHANNEL: Final = ChannelName("all")
"""One channel for all tables, so that the log's order can be compared with the order of the commits."""

NAME: Final = "campaign"
"""The source's name, and so the slot's."""

SIGN: Final = "at "
"""Begins the lines that say how far the log is; others are log lines of the server."""

EVERYTHING: Final = ChannelOptions(history=Retention(count=2**40, bytes=2**50, age=10.0**9))
"""The whole log is read at the end, so nothing of it may be forgotten."""


class TellingSource(PostgresSource):
    """Says what was acknowledged."""

    async def acknowledge(self, checkpoint: Checkpoint) -> None:
        await super().acknowledge(checkpoint)
        print(f"{SIGN}{checkpoint.value:x}", flush=True)


def engine(path: str) -> SqliteEngine:
    """The log, as the reader writes it and the verdict reads it."""
    return SqliteEngine(path, options=lambda app, channel: EVERYTHING)


def raw_rule(table: str) -> Rule:
    """Every change of a table, as it is."""
    return Rule(
        table=table,
        channel=CHANNEL,
        deliver="change",
        insert="insert",
        update="update",
        delete="delete",
        truncate="truncate",
    )


async def main(url: str, path: str, tables: list[str], *, streaming: bool) -> None:
    """Follow the tables until killed."""
    log = engine(path)
    log.broker.listen(lambda app, items: None)
    await log.open()
    source = TellingSource(url, tables, name=NAME, streaming=streaming)
    # The pump asks the log how far it is each time it begins; the columns are needed before that.
    columns = await source.open(lambda: log.broker.progress(APP, NAME))
    rules = [raw_rule(table) for table in tables]
    pump = Pump(APP, source, ChangeRouter(rules, columns), log.broker, Metrics())
    await pump.open()
    await pump.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3].split(","), streaming=sys.argv[4] == "streamed"))
