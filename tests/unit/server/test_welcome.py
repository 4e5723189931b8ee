"""The page at the root."""

from __future__ import annotations

from html.parser import HTMLParser

import msgspec
import pytest

from tests.fixtures.fix_server import KEY, SECRET, make_node
from tidings.protocols.http import Request, Response
from tidings.server.app import TidingsApp
from tidings.server.welcome import PLACES, answer, prefers_json


async def ask(path: str = "/", accept: str = "text/html") -> Response:
    got = await answer(Request(method="GET", path=path, headers={"accept": accept}))
    assert isinstance(got, Response)
    return got


class Outline(HTMLParser):
    """Tags in order, and links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.language = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "html":
            self.language = given["lang"] or ""
        if tag == "a":
            self.links.append(given["href"] or "")


async def test_a_browser_gets_a_page_that_can_be_read_aloud() -> None:
    outline = Outline((await ask("/live/")).body.decode())
    assert outline.language == "en"
    assert outline.tags.count("h1") == 1
    assert {"main", "title", "caption"} <= set(outline.tags)
    assert outline.links == ["/live/healthz", "/live/readyz", "/live/metrics"]


async def test_whoever_prefers_json_gets_the_addresses() -> None:
    told = msgspec.json.decode((await ask(accept="application/json")).body)["tidings"]
    assert told["events"] == "/events?channel={channel}"
    assert list(told) == [place.name for place in PLACES]


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("", False),
        ("*/*", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json", True),
        ("application/json, */*;q=0.1", True),
        ("text/html;q=0.5, application/json", True),
        ("text/html, application/json;q=0.9", False),
        ("nonsense", False),
    ],
)
def test_the_preference_is_the_accept_headers(accept: str, json: bool) -> None:
    assert prefers_json(accept) is json


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_it_holds_no_key_and_no_secret(accept: str) -> None:
    found = TidingsApp(make_node()).fast.router.match("GET", "/")
    assert found is not None
    got = await found.endpoint.answer(Request(method="GET", path="/", headers={"accept": accept}))
    assert isinstance(got, Response)
    text = got.body.decode().replace("{key}", "")
    assert KEY not in text.split()
    assert SECRET not in text


async def test_a_path_in_front_cannot_write_into_the_page() -> None:
    assert b"<script>" not in (await ask("/<script>/")).body


def test_another_application_keeps_its_own_root() -> None:
    async def extra(*_: object) -> None: ...

    assert TidingsApp(make_node(), extra=extra).fast.router.match("GET", "/") is None
