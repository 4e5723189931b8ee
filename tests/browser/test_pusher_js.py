"""pusher-js in Chromium, the build with encryption, against `tidings.auth` endpoints and a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.fixtures.fix_auth_app import MASTER, running_app
from tests.fixtures.fix_publish import publish
from tidings.auth import Auth
from tidings.testing.process import AppCredentials, ServerProcess

LIMIT = 20_000  # milliseconds
APP = AppCredentials("1001", "app-key", "app-secret")

CONNECT = """
([key, port, backend]) => {
  window.seen = [];
  window.note = (channel, event, data) => window.seen.push({ channel, event, data });
  window.pusher = new Pusher(key, {
    cluster: "mt1", wsHost: "127.0.0.1", wsPort: port, forceTLS: false, enabledTransports: ["ws", "wss"],
    channelAuthorization: { endpoint: "/pusher/auth", transport: "ajax" },
    userAuthentication: { endpoint: "/pusher/user-auth", transport: "ajax" },
  });
  pusher.user.bind_global((event, data) => note("user", event, data));
  pusher.user.watchlist.bind_global((event, data) => note("watchlist", event, data));
}
"""
JOIN = """
(channel) => window.pusher.subscribe(channel).bind_global((event, data) => {
  if (event === "pusher:subscription_succeeded") data = data?.members ?? {};
  if (event === "pusher:subscription_error") data = data.status;
  note(channel, event, data);
})
"""
FIND = "([channel, event]) => window.seen.find((one) => one.channel === channel && one.event === event)"
SUCCEEDED, FAILED = "pusher:subscription_succeeded", "pusher:subscription_error"


class Tab:
    """A page of a signed-in user with pusher-js connected."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def heard(self, channel: str, event: str) -> Any:
        """The data of an event, as soon as it has come."""
        self.page.wait_for_function(FIND, arg=[channel, event], timeout=LIMIT)
        return self.page.evaluate(FIND, [channel, event]).get("data")

    def join(self, channel: str, answer: str = SUCCEEDED) -> Any:
        self.page.evaluate(JOIN, channel)
        return self.heard(channel, answer)

    def sign_in(self) -> Any:
        self.page.evaluate("pusher.signin()")
        return self.page.evaluate(
            "pusher.user.signinDonePromise.then(() => pusher.user.user_data?.id ?? null)"
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("data"), app=APP) as running:
        yield running


@pytest.fixture(scope="module")
def auth() -> Auth:
    return Auth(APP.key, APP.secret, encryption_master_key=MASTER)


@pytest.fixture(scope="module")
def backend(auth: Auth) -> Iterator[str]:
    with running_app(auth) as address:
        # By another name than the server's: cookies know no port, and a page of another origin that sends some is
        # refused unless the app's `origins` name it.
        yield address.replace("127.0.0.1", "localhost")


@pytest.fixture
def tab(browser: Browser, server: ServerProcess, backend: str) -> Iterator[Callable[[str], Tab]]:
    """`tab("ada")`: a browser of its own with that session."""
    contexts: list[BrowserContext] = []

    def open_tab(session: str) -> Tab:
        context = browser.new_context()
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{backend}/sign-in/{session}")
        page.evaluate(CONNECT, [APP.key, server.port, backend])
        page.wait_for_function("pusher.connection.state === 'connected'", timeout=LIMIT)
        return Tab(page)

    yield open_tab
    for context in contexts:
        context.close()


def say(server: ServerProcess, channel: str, data: Any, event: str = "said") -> None:
    answer = publish(server.url, APP.id, APP.key, APP.secret, channel, event, data)
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize("kind", ["private-", "private-cache-", "presence-"])
def test_both_families_of_a_user_are_heard(
    tab: Callable[[str], Tab], server: ServerProcess, kind: str
) -> None:
    ada = tab("ada")
    for family in ("smith", "jones"):
        ada.join(f"{kind}family-{family}")
        say(server, f"{kind}family-{family}", {"of": family})
        assert ada.heard(f"{kind}family-{family}", "said") == {"of": family}


def test_an_encrypted_event_is_read_in_the_browser(
    tab: Callable[[str], Tab], server: ServerProcess, auth: Auth
) -> None:
    ada = tab("ada")
    channel = "private-encrypted-family-smith"
    ada.join(channel)
    say(server, channel, auth.encrypt(channel, {"text": "grüße"}))
    assert ada.heard(channel, "said") == {"text": "grüße"}


def test_the_last_encrypted_event_greets_a_newcomer(
    tab: Callable[[str], Tab], server: ServerProcess, auth: Auth
) -> None:
    channel = "private-encrypted-cache-family-jones"
    say(server, channel, auth.encrypt(channel, {"n": 7}))
    bob = tab("bob")
    bob.join(channel)
    assert bob.heard(channel, "said") == {"n": 7}


def test_refusals_carry_their_status(tab: Callable[[str], Tab]) -> None:
    assert tab("nobody").join("private-family-smith", FAILED) == 401
    bob = tab("bob")
    for channel in ("private-family-smith", "presence-family-smith", "private-encrypted-family-smith"):
        assert bob.join(channel, FAILED) == 403


def test_members_and_whispers(tab: Callable[[str], Tab]) -> None:
    ada, bob = tab("ada"), tab("bob")
    ada.join("presence-family-jones")
    assert bob.join("presence-family-jones") == {"1": {"name": "Ada"}, "2": {"name": "Bob"}}
    assert ada.heard("presence-family-jones", "pusher:member_added")["id"] == "2"
    bob.page.evaluate("pusher.channel('presence-family-jones').trigger('client-typing', { on: true })")
    assert ada.heard("presence-family-jones", "client-typing") == {"on": True}
    bob.page.evaluate("pusher.disconnect()")
    assert ada.heard("presence-family-jones", "pusher:member_removed")["id"] == "2"


def test_signing_in_opens_the_users_own_channel_and_watchlist(
    tab: Callable[[str], Tab], server: ServerProcess
) -> None:
    ada, bob = tab("ada"), tab("bob")
    assert ada.sign_in() == "1"
    ada.page.wait_for_function("pusher.user.serverToUserChannel?.subscribed", timeout=LIMIT)
    say(server, "#server-to-user-1", {"to": "ada"}, event="hello")
    assert ada.heard("user", "hello") == {"to": "ada"}
    assert bob.sign_in() == "2"
    assert ada.heard("watchlist", "online")["user_ids"] == ["2"]
    assert tab("nobody").sign_in() is None
