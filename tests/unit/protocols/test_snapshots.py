"""`GET /snapshot` as values: what may be asked, how rows are written."""

from __future__ import annotations

import pytest

from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.protocols.http import Request
from tidings.protocols.snapshots import MAX_CHANNELS, parse_snapshot, snapshot_response


def request(query: str) -> Request:
    return Request(method="GET", path="/snapshot", query=query)


def test_channels_and_app_are_read() -> None:
    query = parse_snapshot(request("channel=a&channel=b&channel=a&app=key"))
    assert (query.channels, query.app) == (("a", "b"), "key")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "bad_request"),
        ("channel=no%20space", "bad_channel"),
        ("&".join(f"channel=c{n}" for n in range(MAX_CHANNELS + 1)), "too_many_channels"),
    ],
)
def test_what_cannot_be_asked_is_refused(query: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        parse_snapshot(request(query))
    assert caught.value.name == reason


def test_rows_stand_as_the_source_wrote_them() -> None:
    rows = {ChannelName("a"): {"t": [b'{"n":1.10}', b'{"n":2}'], "u": []}}
    response = snapshot_response(Position("0a1b2c3d", 7), rows)
    assert response.body == b'{"cursor":"0a1b2c3d:7","channels":{"a":{"t":[{"n":1.10},{"n":2}],"u":[]}}}'
    assert response.headers["Cache-Control"] == "no-store"
