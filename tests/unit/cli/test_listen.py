"""`tidings listen`: comes back with its cursor, tells gaps loudly, shows what came from outside harmlessly."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable

import httpx2
import pytest
from rich.console import Console

from tidings.cli import WRONG_USAGE, main
from tidings.cli.listen import LONGEST_WAIT, Follower, Happening, JsonTeller, Teller
from tidings.cli.publish import RequestFailed


class Ended(Exception):
    """The test has seen enough."""


def follower(
    answer: Callable[[httpx2.Request], httpx2.Response], *, waits: int = 1, cursor: str | None = None
) -> tuple[list[Happening], list[float]]:
    """What a follower tells until it waits for the `waits`-th time, and how long it waited."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) >= waits:
            raise Ended

    client = httpx2.Client(transport=httpx2.MockTransport(answer))
    following = Follower(
        "http://x", ["a", "b"], key="k", token="t", cursor=cursor, client=client, sleep=sleep
    )
    told = []
    with contextlib.suppress(Ended):  # nothing else ends it
        for happening in following.happenings():
            told.append(happening)  # noqa: PERF402
    return told, slept


def stream(text: str) -> httpx2.Response:
    return httpx2.Response(200, text=text, headers={"content-type": "text/event-stream"})


def test_it_asks_for_its_channels_with_app_and_token() -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return stream("")

    follower(answer, cursor="12345678:9")
    assert asked[0].url.query == b"channel=a&channel=b&framing=typed&app=k"
    assert asked[0].headers["authorization"] == "Bearer t"
    assert asked[0].headers["last-event-id"] == "12345678:9"


def test_it_comes_back_with_the_cursor_it_has() -> None:
    cursors: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        cursors.append(request.headers.get("last-event-id"))
        return stream(f'id: 12345678:{len(cursors)}\ndata: {{"type":"message"}}\n\n')

    told, _ = follower(answer, waits=3)
    assert cursors == [None, "12345678:1", "12345678:2"]
    assert [h.cursor for h in told if h.broken is None] == ["12345678:1", "12345678:2", "12345678:3"]


def test_it_waits_as_long_as_the_server_asks() -> None:
    _, slept = follower(lambda request: stream('retry: 8000\ndata: {"type":"goodbye"}\n\n'))
    assert 6.0 < slept[0] < 10.0


def test_it_waits_longer_with_every_failure_up_to_a_bound() -> None:
    def refused(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    told, slept = follower(refused, waits=10)
    assert slept[0] < 1.0
    assert slept[3] > 2 * slept[0]
    assert max(slept) <= LONGEST_WAIT * 1.2
    assert all("refused" in str(happening.broken) for happening in told)


def test_a_refusal_ends_it_with_the_servers_words() -> None:
    body = {"error": {"name": "not_authenticated", "message": "channel: needs a proof"}}
    client = httpx2.Client(transport=httpx2.MockTransport(lambda r: httpx2.Response(401, json=body)))
    with pytest.raises(RequestFailed, match="channel: needs a proof"):
        next(Follower("http://x", ["a"], client=client).happenings())


def test_another_kind_of_server_is_told() -> None:
    client = httpx2.Client(transport=httpx2.MockTransport(lambda r: httpx2.Response(404, text="no")))
    with pytest.raises(RequestFailed, match="404; is this a Tidings server"):
        next(Follower("http://x", ["a"], client=client).happenings())


def shown(happening: Happening) -> str:
    written = io.StringIO()
    Teller(Console(file=written, width=200, color_system=None, highlight=False, soft_wrap=True)).tell(
        happening
    )
    return written.getvalue()


def test_a_message_is_shown_with_time_cursor_channel_event_and_data() -> None:
    message = {
        "type": "message",
        "channel": "news",
        "event": "hello",
        "data": {"a": 1},
        "position": "12345678:7",
        "time": 0,
    }
    line = shown(Happening(message, "12345678:7"))
    for part in ("12345678:7", "news", "hello", '{"a":1}', ":00.000"):
        assert part in line


def test_a_reset_is_loud_and_says_what_to_do() -> None:
    line = shown(Happening({"type": "reset", "channels": ["news"], "reason": "retention"}, "12345678:7"))
    assert line.startswith("!! RESET news: retention")
    assert "read the present state anew" in line


def test_what_came_from_outside_cannot_steer_the_terminal() -> None:
    message = {
        "type": "message",
        "channel": "news",
        "event": "x\x1b[31m\n",
        "data": "\u202e[bold]",
        "time": 0,
    }
    line = shown(Happening(message, ""))
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert line.count("\n") == 1
    assert "[bold]" in line


def test_heartbeats_are_silent_and_refusals_are_not() -> None:
    assert shown(Happening({"type": "heartbeat"}, "")) == ""
    assert "refused" in shown(Happening({"type": "reply", "ok": False, "error": {"name": "x"}}, ""))


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    teller = JsonTeller()
    teller.tell(Happening({"type": "message", "data": 1}, "12345678:7"))
    teller.tell(Happening({}, "12345678:7", "gone"))
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"type": "message", "data": 1, "cursor": "12345678:7"}
    assert (second["type"], second["why"]) == ("broken", "gone")


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--cursor", "foo"], "a cursor looks like"),
        (["--cursor", "1f2e3d4c:"], "a cursor looks like"),
        (["--token", "garbage"], "is not a JWT"),
        (["--url", "ftp://x"], "http://127.0.0.1:8000"),
        (["--url", "http://"], "http://127.0.0.1:8000"),
        (["--url", "127.0.0.1:notaport"], "http://127.0.0.1:8000"),
    ],
)
def test_what_cannot_be_is_refused_before_a_connection_is_made(
    flags: list[str], hint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidings.cli.listen.Follower", None)
    assert main(["listen", "news", *flags]) == WRONG_USAGE
    assert hint in capsys.readouterr().err


def test_nobody_there_is_told_with_the_address_and_what_to_do() -> None:
    def refused(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    (told, *_), _ = follower(refused)
    assert str(told.broken).startswith(
        "no answer from http://x (refused); is `tidings serve` running there? --url"
    )


def test_after_a_reset_it_goes_on_from_the_resets_own_cursor() -> None:
    asked: list[str | None] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.headers.get("last-event-id"))
        return stream(
            'data: {"type":"reset","channels":["a"],"reason":"retention","cursor":"12345678:40"}\n\n'
        )

    told, _ = follower(answer, waits=2, cursor="12345678:1")
    assert asked == ["12345678:1", "12345678:40"]
    assert "12345678:40" in shown(told[0])
