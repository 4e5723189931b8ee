"""What the JSON objects look like, field by field."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.protocols.nouns import CHANNEL, at, message, welcome
from tidings.errors import Disconnect, Refusal, Unsubscription
from tidings.ids import SessionId, UserId
from tidings.messages import Entity, Origin
from tidings.presence import Member
from tidings.protocols.neutral_writing import MessageEncoder, encode_message, encode_push, error_body
from tidings.pushes import (
    Accepted,
    Answer,
    Delivered,
    Goodbye,
    Heartbeat,
    Push,
    Refused,
    Reset,
    Subscribed,
    Unsubscribed,
)


def read(data: bytes) -> Any:
    return msgspec.json.decode(data)


def test_a_logged_message_has_these_fields_and_no_others() -> None:
    assert read(encode_message(message(7))) == {
        "type": "message",
        "id": "m1",
        "channel": "project-42",
        "event": "task-created",
        "data": {"taskId": 7},
        "position": "1f2e3d4c:7",
        "previous": 5,
        "time": 1_700_000_000_000,
    }


def test_the_first_message_of_a_channel_says_that_nothing_was_before_it() -> None:
    assert read(encode_message(message(7, previous=None)))["previous"] is None


def test_an_ephemeral_message_has_no_place_in_the_log() -> None:
    told = read(encode_message(message(None, user=UserId("ada"))))
    assert "position" not in told
    assert "previous" not in told
    assert (told["kind"], told["user"]) == ("client", "ada")


def test_data_goes_out_as_the_bytes_that_came_in() -> None:
    odd = b'{"b" : 1.0,\n "a":\t"\\u00e9"}'
    assert odd in encode_message(message(data=odd))


def test_what_applies_to_few_messages_is_told_with_them() -> None:
    told = read(
        encode_message(
            message(
                entity=Entity("task", 7, version=3, change="update"),
                keys=(("projects", 42), ("tasks",)),
                origin=Origin(mutation="w1", session=SessionId("1.2")),
                trail="00ff",
            )
        )
    )
    assert told["entity"] == {"type": "task", "id": 7, "version": 3, "change": "update"}
    assert told["keys"] == [["projects", 42], ["tasks"]]
    assert told["origin"] == {"mutation": "w1", "session": "1.2"}
    assert told["trail"] == "00ff"


@pytest.mark.parametrize("kind", ["joined", "left"])
def test_presence_is_told_by_its_own_type(kind: str) -> None:
    told = read(encode_message(message(None, kind=kind, user=UserId("ada"), data=b'{"name":"Ada"}')))
    assert told == {
        "type": kind,
        "id": "m1",
        "channel": "project-42",
        "user": "ada",
        "info": {"name": "Ada"},
        "time": 1_700_000_000_000,
    }


@pytest.mark.parametrize(
    ("push", "told"),
    [
        (
            welcome(9, "ada"),
            {
                "type": "connected",
                "cursor": "1f2e3d4c:9",
                "session": "12.34",
                "activity_timeout": 30,
                "user": "ada",
            },
        ),
        (
            Subscribed(channel=CHANNEL, head=at(9), ref="s1"),
            {"type": "subscribed", "channel": "project-42", "cursor": "1f2e3d4c:9", "ref": "s1"},
        ),
        (
            Subscribed(channel=CHANNEL, head=at(9), members=(Member(UserId("ada"), b"[1]"),)),
            {
                "type": "subscribed",
                "channel": "project-42",
                "cursor": "1f2e3d4c:9",
                "members": [{"user": "ada", "info": [1]}],
            },
        ),
        (Unsubscribed(channel=CHANNEL, ref=0), {"type": "unsubscribed", "channel": "project-42", "ref": 0}),
        (
            Reset(channels=(CHANNEL,), reason="retention", cursor=at(9)),
            {"type": "reset", "channels": ["project-42"], "reason": "retention", "cursor": "1f2e3d4c:9"},
        ),
        (
            Accepted(command="publish", ref=4, position=at(10)),
            {"type": "reply", "ref": 4, "ok": True, "command": "publish", "position": "1f2e3d4c:10"},
        ),
        (
            Accepted(command="authenticate", ref="t"),
            {"type": "reply", "ref": "t", "ok": True, "command": "token"},
        ),
        (Answer(time=5, ref="p"), {"type": "pong", "ref": "p", "time": 5}),
        (Heartbeat(time=5), {"type": "heartbeat", "time": 5}),
    ],
)
def test_a_push_has_these_fields_and_no_others(push: Push, told: dict[str, Any]) -> None:
    assert read(encode_push(push)) == told


def test_a_refusal_names_field_limit_and_whether_to_try_again() -> None:
    refusal = Refusal("message_too_large", field="data", limit=100)
    told = read(encode_push(Refused(command="publish", refusal=refusal, channel=CHANNEL, ref=1)))
    assert told == {
        "type": "reply",
        "ref": 1,
        "ok": False,
        "command": "publish",
        "channel": "project-42",
        "error": {
            "code": 105,
            "name": "message_too_large",
            "message": refusal.text,
            "field": "data",
            "limit": 100,
            "retry": False,
        },
    }
    assert read(error_body(refusal)) == {"error": told["error"]}


def test_the_end_of_a_subscription_says_why() -> None:
    told = read(encode_push(Unsubscribed(channel=CHANNEL, reason=Unsubscription("revoked"))))
    assert (told["reason"], told["code"], told["retry"]) == ("revoked", 200, False)


def test_a_goodbye_says_whether_and_when_to_come_back() -> None:
    told = read(encode_push(Goodbye(disconnect=Disconnect("draining", after=2.5))))
    assert (told["name"], told["code"], told["retry"], told["after"]) == ("draining", 300, True, 2.5)
    assert "after" not in read(encode_push(Goodbye(disconnect=Disconnect("slow"))))


def test_all_sessions_share_one_encoding() -> None:
    assert MessageEncoder().key == MessageEncoder().key
    assert MessageEncoder().encode(message()) == encode_push(Delivered(message=message()))
