"""The object that mounts into a host: what it makes of its arguments, and its own life. The host is in integration."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tidings.errors import ConfigError, EngineError, LocalProtocolError, Refusal
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.mount import LIBRARY_APP, Tidings


async def test_without_apps_one_is_made_with_secrets_of_its_own() -> None:
    one, other = Tidings().apps[0], Tidings().apps[0]
    assert one.id == other.id == LIBRARY_APP
    assert one.secret
    assert one.secret != other.secret


def test_beside_an_engines_file_the_app_lasts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/live.db"
    assert Tidings(url).apps == Tidings(url).apps
    kept = tmp_path / "data" / "live.db.app.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert Tidings(url, apps=["1:k:s"]).apps[0].id == "1"


def test_no_secret_is_shown() -> None:
    live = Tidings(apps=[{"id": "1", "key": "k", "secret": "hush1", "jwt_secret": "hush2"}, "2:k2:hush3"])
    node = live._assembly.node
    shown = repr((live.apps, live.config, [app.settings for app in node.apps]))
    assert "hush" not in shown
    assert "'k2'" in shown


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
        with pytest.raises(TypeError, match="object"):
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


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        (lambda visitor, family: None, "family_id"),
        (lambda family_id: None, "visitor"),
        (lambda visitor, family_id, user: None, "user"),
    ],
)
def test_a_hook_that_cannot_be_called_is_told_with_pattern_and_parameter(hook: Any, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Tidings().authorize("private-family-{family_id}")(hook)
    assert "private-family-{family_id}" in str(caught.value)
    assert told in str(caught.value)


async def test_a_hook_may_take_what_it_likes() -> None:
    async def anything(visitor: object, **names: str) -> bool:
        return True

    Tidings().authorize("private-{a}-{b}")(anything)


async def test_the_end_is_final() -> None:
    live = Tidings()
    await live.publish("news", "hello", 1)
    await live.stop()
    with pytest.raises(LocalProtocolError, match="make a new one"):
        await live.publish("news", "hello", 2)
    never = Tidings()
    await never.stop()
    with pytest.raises(LocalProtocolError):
        await never.start()


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ({"type": "http", "method": "GET"}, [("http.response.start", 503), ("http.response.body", None)]),
        ({"type": "websocket"}, [("websocket.close", None)]),
    ],
)
async def test_whoever_comes_after_the_end_is_told_to_come_back(
    scope: dict[str, Any], told: list[tuple[str, int | None]]
) -> None:
    live = Tidings()
    await live.stop()
    said: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": f"{scope['type']}.connect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        said.append(message)

    await live.asgi(scope, receive, send)
    assert [(message["type"], message.get("status")) for message in said] == told


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
