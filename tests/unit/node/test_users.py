"""Users: signing in, their own channel, watchlists, being ended. Over a real node and the Pusher protocol."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.unit.node.builders import APP, publish, running, settings
from tests.unit.node.pusher_clients import PusherClient
from tidings.errors import EngineUnavailable
from tidings.ids import AppId, UserId
from tidings.node.apps import AppSettings
from tidings.node.node import Node
from tidings.node.users import Watch, channel_of
from tidings.presence import Joined

SUCCEEDED = "pusher_internal:subscription_succeeded"
REFUSED = "pusher:subscription_error"


def settings_of(app: str) -> AppSettings:
    return msgspec.structs.replace(settings(), id=AppId(app), keys={f"key-{app}": "secret"})


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def nothing_left(node: Node) -> bool:
    return not (node.users._sessions or node.users._watchers)


async def test_signing_in_is_answered_with_the_users_data() -> None:
    async with running() as node:
        client = PusherClient(node)
        await client.sign_in(7, user_info={"name": "Ada"})
        (answer,) = client.frames("pusher:signin_success")
        assert answer["data"]["user_data"] == '{"id":"7","user_info":{"name": "Ada"}}'


async def test_a_proof_that_does_not_fit_is_told_and_the_connection_stays() -> None:
    async with running() as node:
        client = PusherClient(node)
        await client.sign_in("7", secret="wrong")
        assert client.errors() == [4009]
        assert client.line.ended is None
        await client.sign_in("7")
        assert len(client.frames("pusher:signin_success")) == 1


async def test_a_connection_is_one_user_for_good() -> None:
    async with running() as node:
        client = PusherClient(node)
        await client.sign_in("7")
        await client.sign_in("8")
        assert client.errors() == [4009]
        await client.sign_in("7", user_info=1)
        assert len(client.frames("pusher:signin_success")) == 2
        await client.subscribe("#server-to-user-8")
        assert client.events("#server-to-user-8") == [REFUSED]
        await client.subscribe("#server-to-user-7")
        assert client.events("#server-to-user-7") == [SUCCEEDED]


@pytest.mark.parametrize("channel", ["#server-to-user-7", "#users-7", "#users", "#", "#server-to-user-"])
async def test_no_other_name_with_a_hash_is_let_in(channel: str) -> None:
    async with running() as node:
        client = PusherClient(node)
        await client.subscribe(channel)
        await client.sign_in("8")
        await client.subscribe(channel)
        assert client.events(channel) == [REFUSED, REFUSED]
        assert list(node.apps.default.hub.occupied()) == []


async def test_what_is_published_to_a_user_reaches_their_connections_alone() -> None:
    async with running() as node:
        tabs, other = [PusherClient(node), PusherClient(node)], PusherClient(node)
        for client, user in ((tabs[0], "7"), (tabs[1], "7"), (other, "8")):
            await client.sign_in(user)
            await client.subscribe(f"#server-to-user-{user}")
        await publish(node, 1, "#server-to-user-7")
        assert [client.events().count("e") for client in (*tabs, other)] == [1, 1, 0]


async def test_a_presence_channel_takes_the_member_from_the_sign_in() -> None:
    async with running() as node:
        client = PusherClient(node)
        await client.subscribe("presence-a")
        assert client.events("presence-a") == [REFUSED]
        await client.sign_in("7", user_info={"name": "Ada"})
        await client.subscribe("presence-a")
        (answer,) = client.frames(SUCCEEDED)
        assert answer["data"]["presence"] == {"ids": ["7"], "hash": {"7": {"name": "Ada"}}, "count": 1}


# ── watchlists


async def test_a_watcher_hears_of_the_first_session_and_of_the_last() -> None:
    async with running() as node:
        watcher = PusherClient(node)
        await watcher.sign_in("w", watchlist=["a", "b"])
        tabs = [PusherClient(node) for _ in range(3)]
        for tab in tabs:
            await tab.sign_in("a")
        for tab in tabs:
            assert watcher.watched() == [("online", ["a"])]
            tab.close()
            await turns()
        assert watcher.watched() == [("online", ["a"]), ("offline", ["a"])]


async def test_who_is_there_already_is_told_after_the_success() -> None:
    async with running() as node:
        for user in ("c", "a"):
            await PusherClient(node).sign_in(user)
        watcher = PusherClient(node)
        await watcher.sign_in("w", watchlist=["a", "b", "c"])
        assert watcher.watched() == [("online", ["a", "c"])]
        assert watcher.events()[-2:] == ["pusher:signin_success", "pusher_internal:watchlist_events"]


async def test_a_list_above_its_limit_is_told_and_the_rest_is_watched() -> None:
    async with running() as node:
        watcher = PusherClient(node)
        await watcher.sign_in("w", watchlist=[f"u{n}" for n in range(101)])
        assert watcher.errors() == [4302]
        assert watcher.line.ended is None
        await PusherClient(node).sign_in("u99")
        await PusherClient(node).sign_in("u100")
        assert watcher.watched() == [("online", ["u99"])]


async def test_an_app_may_have_no_watchlists() -> None:
    async with running(settings(watchlist=False)) as node:
        watcher = PusherClient(node)
        await watcher.sign_in("w", watchlist=[f"u{n}" for n in range(101)])
        await PusherClient(node).sign_in("u1")
        assert (watcher.errors(), watcher.watched()) == ([], [])


async def test_a_new_sign_in_replaces_the_watchlist() -> None:
    async with running() as node:
        watcher = PusherClient(node)
        await watcher.sign_in("w", watchlist=["a"])
        await watcher.sign_in("w", watchlist=["b"])
        await PusherClient(node).sign_in("a")
        await PusherClient(node).sign_in("b")
        assert watcher.watched() == [("online", ["b"])]


async def test_what_happens_while_the_first_list_is_read_is_newer_than_it() -> None:
    async with running() as node:
        leaving, coming = PusherClient(node), PusherClient(node)
        await leaving.sign_in("a")
        gate, read = asyncio.Event(), node.engine.presence.user_sessions

        async def slow(app: AppId, channel: str, user: UserId) -> int:
            count = await read(app, channel_of(user), user)
            await gate.wait()
            return count

        node.engine.presence.user_sessions = slow  # type: ignore[method-assign]
        watcher = PusherClient(node)
        signing_in = asyncio.ensure_future(watcher.sign_in("w", watchlist=["a", "b"]))
        await turns()
        leaving.close()
        await coming.sign_in("b")
        await turns()
        gate.set()
        await signing_in
        assert watcher.watched() == [("online", ["b"])]


def test_a_change_is_told_once() -> None:
    watch, ada = Watch((UserId("a"),)), UserId("a")
    assert watch.begin(set()) is None
    assert watch.change(ada, online=False) is None
    assert watch.change(ada, online=True) is not None
    assert watch.change(ada, online=True) is None


# ── ends


async def test_nothing_remains_of_those_who_left() -> None:
    async with running() as node:
        clients = [PusherClient(node) for _ in range(4)]
        for number, client in enumerate(clients):
            await client.sign_in(f"u{number % 2}", watchlist=["u0", "u1", "u2"])
        for client in clients:
            client.close()
        await turns()
        assert nothing_left(node)
        for user in ("u0", "u1"):
            channel = channel_of(UserId(user))
            assert await node.engine.presence.user_sessions(APP, channel, UserId(user)) == 0


async def test_a_cut_in_the_middle_of_signing_in_leaves_nothing() -> None:
    async with running() as node:
        gate, add = asyncio.Event(), node.engine.presence.add

        async def slow(*given: object, **named: object) -> Joined:
            joined = await add(*given, **named)  # type: ignore[arg-type]
            await gate.wait()
            return joined

        node.engine.presence.add = slow  # type: ignore[method-assign]
        client = PusherClient(node)
        signing_in = asyncio.ensure_future(client.sign_in("a", watchlist=["b"]))
        await turns()
        client.close()
        await signing_in
        await turns()
        assert nothing_left(node)
        assert await node.engine.presence.user_sessions(APP, channel_of(UserId("a")), UserId("a")) == 0


async def test_a_store_that_fails_signs_nobody_in() -> None:
    async with running() as node:
        add = node.engine.presence.add

        async def fails(*_: object, **__: object) -> Joined:
            raise EngineUnavailable("no store")

        node.engine.presence.add = fails  # type: ignore[method-assign]
        client = PusherClient(node)
        await client.sign_in("a")
        assert client.errors() == [4009]
        await client.subscribe("#server-to-user-a")
        assert client.events("#server-to-user-a") == [REFUSED]
        node.engine.presence.add = add  # type: ignore[method-assign]
        await client.sign_in("a")
        assert len(client.frames("pusher:signin_success")) == 1


async def test_terminating_ends_exactly_the_users_signed_in_connections() -> None:
    async with running(settings(), settings_of("2")) as node:
        tabs = [PusherClient(node), PusherClient(node)]
        for tab in tabs:
            await tab.sign_in("a")
        other, elsewhere, stranger = (
            PusherClient(node),
            PusherClient(node, app="2", key="key-2"),
            PusherClient(node),
        )
        await other.sign_in("b")
        await elsewhere.sign_in("a")
        await stranger.subscribe("presence-room", {"user_id": "a"})  # the same name, but not signed in
        node.host.terminate(APP, UserId("a"))
        ended = [client.line.ended for client in (*tabs, other, elsewhere, stranger)]
        assert [None if one is None else one.name for one in ended] == ["ended", "ended", None, None, None]
