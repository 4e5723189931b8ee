"""Runs one campaign of capture: a real Postgres, random transactions, a reader that writes a real log, and kill -9.

    python -m campaigns.capture --transactions 10000 --seed 7 --major 18

Server and reader are killed at random and started again. Prints the seed first and the verdict last: commits lost,
duplicated, reordered, and silently different. Exits 1 when one of them is not 0.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

from campaigns.capture_reader import NAME, SIGN
from campaigns.capture_verdict import Tables, Verdict, judge, parse, read_log
from campaigns.capture_writer import SCHEMA, TABLES, Tally, Writer
from campaigns.wire import CampaignError
from tests.fixtures.fix_postgres import Cluster, own_cluster
from tidings.sources.postgres.pgoutput.frames import parse_lsn
from tidings.sources.postgres.setup import Names

WRITERS: Final = 3
"""Enough for transactions to cross each other."""

PATIENCE: Final = 120.0
"""Seconds for the reader to do something, or to catch up at the end."""

STRIKES: Final = ("reader", "reader", "kill", "immediate", "fast", "walsender")
"""What may happen: kill -9 of the reader, of the server; its two other ends; the end of the connection alone."""

AT_ONCE: Final = 0.3
"""Part of the strikes that do not wait until the reader has moved since the one before."""

ORACLE: Final = "oracle"
"""The slot that test_decoding reads."""

SAID: Final = 200
"""Lines of the reader that are kept, for when it fails."""

CRASHED: Final = "was terminated by signal 11"
"""In the server's log."""

DATABASE: Final = "campaign"


@dataclass(frozen=True, slots=True)
class Settings:
    """What to do. strikes: kills and restarts of any kind. server: settings of Postgres."""

    transactions: int
    strikes: int
    seed: int
    major: str = "18"
    ddl: bool = True
    work_mem: str = "64kB"
    streaming: bool = True
    server: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened, and what came of it."""

    settings: Settings
    strikes: Counter[str]
    seconds: float
    verdict: Verdict
    crashes: int
    """Processes of the server that crashed by a fault of its own."""

    def line(self) -> str:
        """For a table of many runs."""
        struck = ", ".join(f"{count} {what}" for what, count in sorted(self.strikes.items()))
        verdict = self.verdict
        return (
            f"postgres {self.settings.major} seed {self.settings.seed}: {self.settings.transactions} transactions,"
            f" {verdict.commits} commits, {verdict.messages} messages, strikes: {struck or 'none'},"
            f" {self.seconds:.0f} s; server crashes {self.crashes};"
            f" lost/duplicated/reordered/silent {' '.join(map(str, verdict.counts))}"
        )


class Reader:
    """The reader's process, over any number of lives."""

    def __init__(self, url: str, path: Path, *, streaming: bool) -> None:
        how = "streamed" if streaming else "whole"
        self._command = [
            sys.executable,
            "-m",
            "campaigns.capture_reader",
            url,
            str(path),
            ",".join(TABLES),
            how,
        ]
        self._errors = path.with_suffix(".stderr")
        self._child: subprocess.Popen[str] | None = None
        self._ears: threading.Thread | None = None
        self.said: deque[str] = deque(maxlen=SAID)
        self.reached = 0
        self.moves = 0

    def start(self) -> None:
        root = Path(__file__).parent.parent
        with self._errors.open("ab") as errors:
            child = subprocess.Popen(
                self._command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=root
            )
        self._child, self.moves = child, 0
        self._ears = threading.Thread(target=self._listen, args=[child], daemon=True)
        self._ears.start()

    def _listen(self, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None, "it is a pipe"
        with child.stdout as lines:
            for line in lines:
                if not line.startswith(SIGN):
                    self.said.append(line.rstrip())
                elif line.endswith("\n"):  # one that was cut by a kill says nothing
                    self.reached = int(line.removeprefix(SIGN), 16)
                    self.moves += 1

    def kill(self) -> None:
        child = self._child
        assert child is not None, "it was started"
        child.kill()
        child.wait(PATIENCE)
        if self._ears is not None:
            self._ears.join(PATIENCE)

    def check(self) -> None:
        """Raise when it has ended by itself."""
        if self._child is not None and self._child.poll() is not None:
            raise CampaignError(f"the reader ended: {self.tail()}")

    def tail(self) -> str:
        return "\n".join([*self.said, self._errors.read_text(errors="replace")[-3000:]])


def run(settings: Settings, folder: Path) -> Outcome:
    """One campaign. Raises CampaignError when it cannot be carried through."""
    began = time.monotonic()
    chance = random.Random(settings.seed)
    options = {"logical_decoding_work_mem": settings.work_mem, **settings.server}
    with own_cluster(settings.major, folder, **options) as cluster:
        url = prepare(cluster)
        reader = Reader(url, folder / "log.db", streaming=settings.streaming)
        tally = Tally(settings.transactions)
        writers = [
            Writer(number, url, f"{settings.seed}.{number}", tally, ddl=settings.ddl)
            for number in range(1, WRITERS + 1)
        ]
        reader.start()
        try:
            # What was committed before the slot stood is nobody's to tell.
            wait(lambda: reader.moves > 0, reader, "the reader did not begin")
            for writer in writers:
                writer.start()
            struck = nemesis(settings, chance, cluster, reader, tally, writers)
            for writer in writers:
                writer.join()
                if writer.trouble is not None:
                    raise CampaignError(f"a writer failed: {writer.trouble!r}") from writer.trouble
            end = current_position(url)
            wait(lambda: reader.reached + 1 >= end, reader, "the reader did not catch up")
        finally:
            reader.kill()
        messages, resets = asyncio.run(read_log(str(folder / "log.db")))
        verdict = judge(messages, resets, oracle_lines(url), rows_of(url), TABLES)
        crashes = cluster.said().count(CRASHED)
    return Outcome(settings, struck, time.monotonic() - began, verdict, crashes)


def prepare(cluster: Cluster) -> str:
    """The tables, and the slot of the other reader."""
    cluster.run(f"CREATE DATABASE {DATABASE}")
    cluster.run(
        *SCHEMA,
        f"SELECT pg_create_logical_replication_slot('{ORACLE}', 'test_decoding')",
        database=DATABASE,
    )
    return cluster.url(DATABASE)


def nemesis(
    settings: Settings,
    chance: random.Random,
    cluster: Cluster,
    reader: Reader,
    tally: Tally,
    writers: Sequence[Writer],
) -> Counter[str]:
    """Strike when so many transactions have ended, wherever everybody is by then."""
    struck: Counter[str] = Counter()
    moments = sorted(chance.randrange(1, settings.transactions) for _ in range(settings.strikes))
    for moment in moments:
        what = chance.choice(STRIKES)
        if chance.random() >= AT_ONCE:
            wait(lambda: reader.moves > 0, reader, "the reader does not move")
        wait(partial(_came, tally, moment, writers), reader, "no writer moves")
        strike(what, cluster, reader)
        struck[what] += 1
    return struck


def _came(tally: Tally, moment: int, writers: Sequence[Writer]) -> bool:
    return tally.done >= moment or not any(writer.is_alive() for writer in writers)


def strike(what: str, cluster: Cluster, reader: Reader) -> None:
    """One fault, and the way back from it."""
    if what == "reader":
        reader.kill()
        reader.start()
        return
    reader.moves = 0
    if what == "walsender":
        slot = Names.of(NAME).slot
        cluster.run(
            f"SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{slot}' AND active"
        )
        return
    if what == "kill":
        cluster.kill9()
    else:
        cluster.stop(signal.SIGQUIT if what == "immediate" else signal.SIGINT)
    cluster.start()


def wait(condition: Callable[[], bool], reader: Reader, otherwise: str) -> None:
    """Until a condition that another process makes true."""
    until = time.monotonic() + PATIENCE
    while not condition():
        reader.check()
        if time.monotonic() > until:
            raise CampaignError(f"{otherwise}: {reader.tail()}")
        time.sleep(0.005)


def ask(url: str, query: str, before: str = "SET TimeZone = 'UTC'") -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(before)
        return db.execute(query).fetchall()


def current_position(url: str) -> int:
    return parse_lsn(ask(url, "SELECT pg_current_wal_flush_lsn()::text")[0][0])


def oracle_lines(url: str) -> list[str]:
    """All that test_decoding says. Much memory, so that it writes nothing to disk in between."""
    query = f"SELECT data FROM pg_logical_slot_peek_changes('{ORACLE}', NULL, NULL, 'include-xids', 'false')"
    return [line for (line,) in ask(url, query, "SET logical_decoding_work_mem = '1GB'")]


def rows_of(url: str) -> Tables:
    """The tables as they are."""
    found: Tables = {}
    for table, keys in TABLES.items():
        rows = [parse(row) for (row,) in ask(url, f"SELECT to_jsonb(whole_row)::text FROM {table} whole_row")]
        found[table] = {tuple(row[key] for key in keys): row for row in rows}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--transactions", type=int, default=10_000)
    parser.add_argument("--strikes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    parser.add_argument("--major", choices=("15", "18"), default="18")
    parser.add_argument("--whole", action="store_true", help="have no transaction streamed while it is open")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    settings = Settings(given.transactions, given.strikes, given.seed, given.major, streaming=not given.whole)
    with tempfile.TemporaryDirectory(prefix="capture-") as folder:
        outcome = run(settings, Path(folder))
    print(outcome.line())
    for fault in outcome.verdict.faults:
        print(f"  {fault}")
    return 1 if any(outcome.verdict.counts) else 0


if __name__ == "__main__":
    sys.exit(main())
