"""What the campaign's clients write down for each thing a server can say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from websockets.asyncio.client import ClientConnection

from campaigns.recorder import Recorder
from campaigns.subscribers import Subscriber
from campaigns.websocket_subscribers import PlainSubscriber, PusherSubscriber
from campaigns.wire import CampaignError
from tidings.testing.observations import AnyObservation, Delivered, Repeated, Reset, Subscribed, decode_lines
from tidings.testing.process import AppCredentials

NOBODY = cast(ClientConnection, None)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    with Recorder(tmp_path / "history.jsonl") as recorder:
        yield recorder


def make(kind: type[Subscriber], recorder: Recorder) -> Any:
    app = AppCredentials("1", "key", "secret")
    return kind("c1", address=("127.0.0.1", 1), app=app, channels=("a", "b"), recorder=recorder, seed=1)


def message(offset: int, *, channel: str = "a", previous: int | None = None) -> dict[str, Any]:
    place = {"id": f"i{offset}", "position": f"e:{offset}", "previous": previous}
    return {"type": "message", "event": "step", "channel": channel, "data": {"body": f"m{offset}"}, **place}


def kinds(recorder: Recorder) -> list[type[AnyObservation]]:
    return [type(seen) for seen in recorder.observations]


def test_a_message_is_noted_and_moves_the_cursor(recorder: Recorder) -> None:
    client = make(PlainSubscriber, recorder)
    client.take(message(7, previous=3))
    seen = recorder.observations[0]
    assert isinstance(seen, Delivered)
    assert (seen.body, seen.epoch, seen.offset, seen.previous) == ("m7", "e", 7, 3)
    assert client.cursor == "e:7"


def test_a_client_with_its_own_cursor_hides_no_duplicate(recorder: Recorder) -> None:
    client = make(PlainSubscriber, recorder)
    client.take(message(7))
    client.take(message(7))
    assert kinds(recorder) == [Delivered, Delivered]


async def test_a_pusher_client_drops_what_it_knows_and_says_so(recorder: Recorder) -> None:
    client = make(PusherSubscriber, recorder)
    for offset in (7, 7, 8):
        await client._frame(message(offset), NOBODY)
    await client._frame(message(6, channel="b"), NOBODY)
    assert kinds(recorder) == [Delivered, Repeated, Delivered, Delivered]


async def test_a_pusher_reset_names_the_channel_of_its_frame(recorder: Recorder) -> None:
    client = make(PusherSubscriber, recorder)
    data = '{"reason":"epoch","cursor":"f:2"}'
    await client._frame({"event": "tidings:reset", "channel": "b", "data": data}, NOBODY)
    seen = recorder.observations[0]
    assert isinstance(seen, Reset)
    assert (seen.channels, seen.reason, seen.epoch, seen.offset) == (("b",), "epoch", "f", 2)


def test_a_channel_counts_from_its_first_confirmation_on(recorder: Recorder) -> None:
    client = make(PlainSubscriber, recorder)
    assert not client.confirm("a", "e:1")
    assert client.confirm("b", "e:1")
    assert client.confirm("a", "e:9")
    assert kinds(recorder) == [Subscribed, Subscribed]


def test_the_plain_cursor_waits_until_every_channel_is_covered(recorder: Recorder) -> None:
    client = make(PlainSubscriber, recorder)
    client.cursor, waiting = "e:1", {"a", "b"}
    client._frame({"type": "subscribed", "channel": "a", "cursor": "e:9"}, waiting)
    assert client.cursor == "e:1"
    client._frame({"type": "subscribed", "channel": "b", "cursor": "e:9"}, waiting)
    assert client.cursor == "e:9"


def test_it_has_caught_up_with_the_last_message_of_each_channel(recorder: Recorder) -> None:
    client = make(PlainSubscriber, recorder)
    client.expect({"a": "m7", "b": "m8", "c": "m9"})
    client.take(message(7))
    assert not client.caught_up.is_set()
    client.reset({"channels": ["b"], "reason": "floor", "cursor": "e:8"})
    assert client.caught_up.is_set()


@pytest.mark.parametrize("missing", ["id", "position", "previous", "data"])
def test_a_message_without_its_place_ends_the_campaign(recorder: Recorder, missing: str) -> None:
    told = message(7)
    del told[missing]
    with pytest.raises(CampaignError):
        make(PlainSubscriber, recorder).take(told)


def test_the_history_is_in_the_file_in_the_end(tmp_path: Path) -> None:
    with Recorder(tmp_path / "h.jsonl") as recorder:
        make(PlainSubscriber, recorder).take(message(7))
    assert decode_lines((tmp_path / "h.jsonl").read_bytes()) == recorder.observations
