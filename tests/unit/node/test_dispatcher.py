"""Commands: what is granted, what is refused and in which words, and that one client's fault stays its own."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.unit.node.builders import APP, Clock, Line, ask, connect, publish, running, settings, token
from tidings.commands import Publish
from tidings.engines.base import Published
from tidings.errors import EngineUnavailable
from tidings.ids import ChannelName
from tidings.messages import Message
from tidings.node.limits import Limits


def refusals(line: Line) -> list[tuple[str, str | None]]:
    return [(one["error"]["name"], one.get("channel")) for one in line.said("reply") if not one["ok"]]


async def test_a_refused_channel_does_not_take_the_others_with_it() -> None:
    async with running() as node:
        session, line = connect(node)
        await ask(session, type="subscribe", channels=["a", "private-x", "b"], ref=7)
        assert refusals(line) == [("not_authenticated", "private-x")]
        assert [one["channel"] for one in line.said("subscribed")] == ["a", "b"]


async def test_subscribing_twice_and_leaving_twice_are_refused() -> None:
    async with running() as node:
        session, line = connect(node)
        await ask(session, type="subscribe", channel="a")
        await ask(session, type="subscribe", channel="a")
        await ask(session, type="unsubscribe", channel="a")
        await ask(session, type="unsubscribe", channel="a")
        assert refusals(line) == [("already_subscribed", "a"), ("not_subscribed", "a")]
        assert list(node.apps.default.hub.occupied()) == []


async def test_more_channels_than_the_limit_are_refused_with_the_limit() -> None:
    async with running(settings(limits=Limits(connection_channels=2))) as node:
        session, line = connect(node)
        await ask(session, type="subscribe", channels=["a", "b"])
        await ask(session, type="subscribe", channel="c")
        reply = line.said("reply")[0]
        assert (reply["error"]["name"], reply["error"]["limit"]) == ("too_many_channels", 2)


async def test_bad_input_is_answered_and_the_connection_goes_on() -> None:
    async with running() as node:
        session, line = connect(node)
        for bad in (
            "",
            "{",
            "[]",
            '"x"',
            '{"type":"nonsense"}',
            '{"type":"subscribe","channel":7}',
            b"\x00\xff",
        ):
            session.receive(bad)
        await ask(session, type="subscribe", channel="a")
        assert len(refusals(line)) == 7
        assert len(line.said("subscribed")) == 1


async def test_a_token_opens_what_it_names_and_nothing_else() -> None:
    clock = Clock()
    async with running(wall=clock) as node:
        clock.now = time.time()
        session, line = connect(node, token=token(clock.now, channels=["private-team-*"], publish=["news"]))
        await ask(session, type="subscribe", channels=["private-team-1", "private-other"])
        await ask(session, type="publish", channel="news", event="e", data={"n": 1}, ref="p")
        await ask(session, type="publish", channel="other", event="e", data=1)
        assert refusals(line) == [("forbidden", "private-other"), ("forbidden", "other")]
        accepted = [one for one in line.said("reply") if one["ok"]]
        assert accepted[0]["ref"] == "p"
        assert accepted[0]["position"] == str(node.head(node.apps.default))


async def test_a_new_token_ends_the_channels_that_it_does_not_open() -> None:
    async with running() as node:
        now = time.time()
        session, line = connect(node, token=token(now, channels=["private-a", "private-b"]))
        await ask(session, type="subscribe", channels=["private-a", "private-b", "open"])
        await ask(session, type="token", token=token(now, channels=["private-b"]))
        await publish(node, 1, "private-a")
        await publish(node, 2, "private-b")
        await publish(node, 3, "open")
        ended = line.said("unsubscribed")
        assert [one["channel"] for one in ended] == ["private-a"]
        assert line.numbers() == [2, 3]


async def test_client_events_reach_the_others_and_not_the_log() -> None:
    async with running() as node:
        opened = token(time.time(), channels=["private-*"])
        session, _ = connect(node, token=opened)
        other, other_line = connect(node, token=opened)
        for one in (session, other):
            await ask(one, type="subscribe", channel="private-a")
        event = Publish(channel=ChannelName("private-a"), event="client-typing", data=b"1", client=True)
        session.submit(event)
        await ask(session, type="unsubscribe", channel="private-a")
        assert [one["event"] for one in other_line.said("message")] == ["client-typing"]
        assert node.head(node.apps.default).offset == 0


@pytest.mark.parametrize(
    ("channel", "given", "reason"),
    [
        ("private-a", {"client_events": False}, "client_events_off"),
        ("private-not-joined", {}, "not_subscribed"),
        ("open", {}, "client_events_off"),
        ("private-a", {"limits": Limits(client_event_bytes=2)}, "message_too_large"),
    ],
)
async def test_client_events_that_may_not_be(channel: str, given: dict[str, object], reason: str) -> None:
    async with running(settings(**given)) as node:
        session, line = connect(node, token=token(time.time(), channels=["private-*"]))
        await ask(session, type="subscribe", channels=["private-a", "open"])
        session.submit(Publish(channel=ChannelName(channel), event="client-x", data=b'"xx"', client=True))
        await ask(session, type="unsubscribe", channel="open")
        assert refusals(line) == [(reason, channel)]


async def test_client_events_above_the_rate_are_refused_and_the_connection_stays() -> None:
    async with running(clock=Clock(0.0)) as node:
        session, line = connect(node, token=token(time.time(), channels=["private-*"]))
        await ask(session, type="subscribe", channel="private-a")
        for _ in range(13):
            session.submit(
                Publish(channel=ChannelName("private-a"), event="client-x", data=b"1", client=True)
            )
        await ask(session, type="unsubscribe", channel="private-a")
        assert [name for name, _ in refusals(line)] == ["rate_limited"] * 3


async def test_presence_counts_users_and_tells_comings_and_goings_once() -> None:
    async with running() as node:
        watcher, seen = connect(node, token=token(time.time(), user="watcher", channels=["presence-*"]))
        await ask(watcher, type="subscribe", channel="presence-a")
        tabs = [
            connect(node, token=token(time.time(), user="ada", channels=["presence-*"])) for _ in range(3)
        ]
        for tab, _ in tabs:
            await ask(tab, type="subscribe", channel="presence-a")
        assert [m["user"] for m in tabs[2][1].said("subscribed")[0]["members"]] == ["watcher", "ada"]
        tabs[1][0].closed()
        await ask(tabs[0][0], type="unsubscribe", channel="presence-a")
        assert [one["user"] for one in seen.said("joined")] == ["ada"]
        assert seen.said("left") == []
        tabs[2][0].closed()
        async with asyncio.timeout(10):
            while not seen.said("left"):
                await asyncio.sleep(0)
        assert [one["user"] for one in seen.said("left")] == ["ada"]


async def test_a_log_that_cannot_be_written_refuses_with_a_hint_to_retry() -> None:
    async with running() as node:
        session, line = connect(node, token=token(time.time(), publish=["a"]))

        async def full(*given: object, **named: object) -> Published:
            raise EngineUnavailable("no space left", full=True)

        node.engine.broker.publish = full  # type: ignore[method-assign]
        await ask(session, type="publish", channel="a", event="e", data=1, ref=1)
        error = line.said("reply")[0]["error"]
        assert (error["name"], error["retry"]) == ("storage_full", True)


async def test_a_hook_that_raises_ends_one_command_and_nothing_else() -> None:
    async with running() as node:

        async def broken(visitor: object, name: str) -> bool:
            raise RuntimeError("the application's own fault")

        node.authorizer.add_hook("private-{name}", broken)
        session, line = connect(node)
        await ask(session, type="subscribe", channel="private-x")
        await ask(session, type="subscribe", channel="a")
        assert [name for name, _ in refusals(line)] == ["unavailable"]
        assert len(line.said("subscribed")) == 1
        assert node.apps.get(APP) is not None


async def test_a_client_cannot_take_the_key_of_a_captured_change() -> None:
    async with running() as node:
        session, _ = connect(node, token=token(time.time(), publish=["*"]))
        await ask(session, type="publish", channel="a", event="e", data=1, key="app:g:18/0")
        message = Message(id="m", channel=ChannelName("a"), event="row", data=b"2", time=0)
        published = await node.engine.broker.publish(APP, [message], key="app:g:18/0")
        assert not published.repeated


@pytest.mark.parametrize(
    "event", ["pusher:error", "pusher_internal:member_removed", "tidings:reset", "phx_close"]
)
async def test_a_client_cannot_speak_as_the_server(event: str) -> None:
    async with running() as node:
        session, line = connect(node, token=token(time.time(), publish=["*"]))
        await ask(session, type="publish", channel="a", event=event, data={"user_id": "1"})
        assert refusals(line)[0][0] == "bad_event"
        assert node.head(node.apps.default).offset == 0


async def test_tracking_under_another_user_tells_that_the_first_left() -> None:
    async with running() as node:
        watcher, seen = connect(node, token=token(time.time(), user="watcher", channels=["presence-*"]))
        session, _ = connect(node, token=token(time.time(), user="ada", channels=["presence-*"]))
        for one in (watcher, session):
            await ask(one, type="subscribe", channel="presence-a")
        await ask(session, type="token", token=token(time.time(), user="bo", channels=["presence-*"]))
        await ask(session, type="track", channel="presence-a", info={})
        await ask(watcher, type="ping")
        assert [(one["type"], one["user"]) for one in seen.said("joined", "left")] == [
            ("joined", "ada"),
            ("left", "ada"),
            ("joined", "bo"),
        ]


async def test_a_right_that_a_hook_gave_does_not_end_with_a_token() -> None:
    async with running() as node:

        async def anybody(visitor: object, name: str) -> bool:
            return True

        node.authorizer.add_hook("private-{name}", anybody)
        session, line = connect(node, token=token(time.time(), channels=["other"]))
        await ask(session, type="subscribe", channel="private-x")
        await ask(session, type="token", token=token(time.time(), channels=[]))
        assert line.said("unsubscribed") == []
