"""Messages as rows and back, unchanged."""

from __future__ import annotations

from tests.engines.harness import NEWS, message
from tidings.engines.sqlite.rows import ReadRow, extra_of, to_message
from tidings.ids import SessionId, UserId
from tidings.messages import Entity, Message, Origin, Position


def there_and_back(m: Message) -> Message:
    row: ReadRow = (7, 3, m.id, m.event, m.time, extra_of(m), m.data)
    return to_message(row, m.channel, "0000000a")


def test_a_plain_message_needs_no_extra() -> None:
    plain = message(NEWS)
    assert extra_of(plain) is None
    found = there_and_back(plain)
    assert (found.position, found.previous) == (Position("0000000a", 7), 3)
    assert (found.id, found.event, found.data, found.time) == (plain.id, plain.event, plain.data, plain.time)


def test_everything_a_message_may_have_comes_back() -> None:
    full = Message(
        id="m",
        channel=NEWS,
        event="e",
        data=b"[]",
        time=5,
        position=Position("0000000a", 7),
        previous=3,
        entity=Entity("task", "7", version=2, change="delete"),
        keys=(("a", 1, None), ("b", True)),
        origin=Origin(mutation="m", session=SessionId("1.2")),
        trail="t",
        user=UserId("u"),
    )
    assert there_and_back(full) == full
