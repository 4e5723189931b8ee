"""The store of the memory engine."""

from __future__ import annotations

from tidings.engines.memory.webhooks import MemoryStore


async def test_what_is_kept_is_loaded_in_order_and_what_is_forgotten_is_not() -> None:
    store = MemoryStore()
    await store.write({"b": b"2", "a": b"1", "c": b"3"})
    await store.write({"c": None, "nobody": None, "a": b"4"})
    await store.close()
    assert list(await store.load()) == [("a", b"4"), ("b", b"2")]
