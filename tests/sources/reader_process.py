"""A reader in a process of its own, to be killed: prints each transaction, then acknowledges it. Uses APSW's SQLite.

Arguments: path, table, seconds to wait between printing and acknowledging.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec

from tidings.sources.sqlite import SqliteSource


async def main(path: str, table: str, pause: float) -> None:
    """Follow the table until killed."""
    source = SqliteSource(path, [table], name="app", driver="apsw")
    await source.open()
    async for transaction in source.transactions():
        line = {"key": source.key(transaction.checkpoint), "transaction": transaction}
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()
        await asyncio.sleep(pause)
        await source.acknowledge(transaction.checkpoint)


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3])))
