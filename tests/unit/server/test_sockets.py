"""Paths of WebSockets and what begins there."""

from __future__ import annotations

import pytest

from tests.fixtures.fix_server import KEY, make_node
from tidings.commands import Subscribe
from tidings.errors import Refusal
from tidings.node.apps import Apps
from tidings.protocols.http import Request
from tidings.server.sockets import Opening, SocketTable, open_plain, open_pusher


@pytest.fixture
def apps() -> Apps:
    return make_node().apps


def pusher(apps: Apps, key: str, query: str) -> Opening:
    return open_pusher(apps, Request(method="GET", path="/", query=query, params={"key": key}))


def plain(apps: Apps, query: str) -> Opening:
    return open_plain(apps, Request(method="GET", path="/ws", query=query))


def test_a_pusher_client_finds_its_app_by_key(apps: Apps) -> None:
    opening = pusher(apps, KEY, "protocol=7")
    assert opening.app is apps.default
    assert opening.protocol.name == "pusher"


@pytest.mark.parametrize(
    ("key", "query", "name"),
    [("other", "protocol=7", "app_gone"), (KEY, "protocol=4", "bad_protocol"), (KEY, "", "bad_protocol")],
)
def test_a_pusher_client_is_turned_away_with_a_word(apps: Apps, key: str, query: str, name: str) -> None:
    opening = pusher(apps, key, query)
    assert opening.app is None
    assert opening.turned_away is not None
    assert opening.turned_away.name == name


def test_a_plain_url_may_ask_for_channels(apps: Apps) -> None:
    opening = plain(apps, "channel=a&channel=b&cursor=00000001:5")
    (command,) = opening.commands
    assert isinstance(command, Subscribe)
    assert command.channels == ("a", "b")
    assert str(command.after) == "00000001:5"
    assert plain(apps, "").commands == ()


@pytest.mark.parametrize("query", ["channel=a%20b", "cursor=x", "app=nobody"])
def test_a_plain_url_that_is_wrong_is_refused(apps: Apps, query: str) -> None:
    with pytest.raises(Refusal):
        plain(apps, query)


@pytest.mark.parametrize(
    ("path", "pattern", "client"),
    [
        ("/ws", "/ws", None),
        ("/app/k", "/app/{key}", None),
        ("/c/me/app/k", "/app/{key}", "me"),
        ("/c/me/ws", "/ws", "me"),
    ],
)
def test_a_path_finds_its_socket(path: str, pattern: str, client: str | None) -> None:
    found = SocketTable().find(path)
    assert found is not None
    assert (found[0].pattern, found[2]) == (pattern, client)


@pytest.mark.parametrize("path", ["/", "/app", "/app/", "/app/k/x", "/ws/", "/c/me", "/c/me/", "", "/wsx"])
def test_other_paths_find_none(path: str) -> None:
    assert SocketTable().find(path) is None


def test_a_client_id_that_is_none_is_refused() -> None:
    with pytest.raises(Refusal):
        SocketTable().find("/c/a b/ws")
