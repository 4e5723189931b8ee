"""The object that mounts into a host: what it makes of its arguments, and its own life. The host is in integration."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidings.errors import ConfigError, EngineError, Refusal
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.mount import LIBRARY_APP, Tidings


async def test_without_apps_one_is_made_with_secrets_of_its_own() -> None:
    one, other = Tidings().apps[0], Tidings().apps[0]
    assert one.id == other.id == LIBRARY_APP
    assert one.secret
    assert one.secret != other.secret


def test_every_fault_of_the_arguments_is_told() -> None:
    with pytest.raises(ConfigError) as told:
        Tidings(apps=["1:k:s", {"id": "1", "key": "k", "secret": "s"}], limits={"batsh": 1})
    assert "limits.batsh" in str(told.value)
    with pytest.raises(ConfigError, match="ID:KEY:SECRET"):
        Tidings(apps=["1"])


def test_an_engine_of_a_later_version_is_told() -> None:
    with pytest.raises(ConfigError, match="not in this build yet"):
        Tidings("redis://localhost")


async def test_publishing_starts_it_and_returns_the_position() -> None:
    live = Tidings()
    first = await live.publish("news", "hello", {"n": 1})
    second = await live.publish("news", "hello", {"n": 2})
    assert isinstance(first, Position)
    assert isinstance(second, Position)
    assert first.offset < second.offset
    await live.stop()


async def test_a_key_makes_one_message_of_two() -> None:
    async with Tidings() as live:
        first = await live.publish("news", "hello", 1, key="a")
        assert await live.publish("news", "hello", 1, key="a") == first


class Model:
    """A model of somebody's library, by shape."""

    def model_dump_json(self) -> str:
        return '{"id":7}'


async def test_models_are_written_by_themselves() -> None:
    async with Tidings() as live:
        await live.publish("news", "hello", {"task": Model()})
        node = live._assembly.node
        head = live._assembly.node.head(node.apps.default)
        channel = ChannelName("news")
        page = await node.engine.broker.read(node.apps.default.id, [channel], Position(head.epoch, 0))
    assert msgspec.json.decode(page.messages[0].data) == {"task": {"id": 7}}


@pytest.mark.parametrize(("channel", "event"), [("bad name", "e"), ("news", ""), ("news", "pusher:x")])
async def test_a_bad_name_is_refused(channel: str, event: str) -> None:
    async with Tidings() as live:
        with pytest.raises(Refusal):
            await live.publish(channel, event, 1)


async def test_what_json_cannot_hold_is_the_callers_error() -> None:
    async with Tidings() as live:
        with pytest.raises(NotImplementedError, match="object"):
            await live.publish("news", "e", object())


async def test_starting_and_stopping_twice_is_once() -> None:
    live = Tidings()
    await asyncio.gather(live.start(), live.start())
    await live.stop()
    await live.stop()


async def test_a_hook_decides_on_the_channels_of_its_pattern() -> None:
    live = Tidings()

    @live.authorize("private-family-{family_id}")
    async def member(visitor: object, family_id: str) -> bool:
        return family_id == "1"

    with pytest.raises(ConfigError):
        live.authorize("private-{not an identifier}")(member)


async def lifespan(live: Tidings, *types: str) -> list[str]:
    incoming = [{"type": type} for type in types]
    said: list[str] = []

    async def receive() -> MutableMapping[str, Any]:
        return incoming.pop(0)

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message["type"])

    await live.asgi({"type": "lifespan"}, receive, send)
    return said


async def test_it_starts_and_stops_with_the_hosts_lifespan() -> None:
    said = await lifespan(Tidings(), "lifespan.startup", "lifespan.shutdown")
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_failed_start_is_told_to_the_host(tmp_path: Path) -> None:
    (tmp_path / "log.db").write_bytes(b"no database at all" * 100)
    live = Tidings(f"sqlite:///{tmp_path}/log.db")
    assert await lifespan(live, "lifespan.startup") == ["lifespan.startup.failed"]
    with pytest.raises(EngineError):
        await live.start()
