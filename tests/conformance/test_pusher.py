"""The Pusher conversations of conformance/pusher against the server's side, in memory."""

from __future__ import annotations

import json
import re

import pytest

from tests.conformance.conversations import FOLDER, Conversation, conversations, play
from tidings.protocols.pusher.server import PusherServer

CONVERSATIONS = conversations("pusher")


def make(*, client_events: bool = True) -> PusherServer:
    return PusherServer(client_events=client_events)


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_the_server_keeps_to_the_conversation(conversation: Conversation) -> None:
    play(conversation, make)


def test_each_clause_group_has_conversations() -> None:
    groups = {str(parameter.id).partition(":")[0] for parameter in CONVERSATIONS}
    assert groups >= {
        "connecting",
        "subscribing",
        "events",
        "keep_alive",
        "client_events",
        "presence",
        "errors",
        "closing",
        "signing_in",
        "counting",
        "cache",
        "encrypted",
    }


@pytest.mark.parametrize("clause", [f"1.{number}" for number in range(1, 14)])
def test_every_clause_of_the_protocol_has_conversations(clause: str) -> None:
    files = [json.loads(path.read_text())["clause"] for path in (FOLDER / "pusher").glob("*.json")]
    assert any(clause in re.findall(r"[0-9]+\.[0-9]+", told) for told in files)


@pytest.mark.parametrize(
    "steps",
    [
        [{"client": {"event": "pusher:ping"}}],
        [{"client": {"event": "pusher:ping"}}, {"command": {"pong": {}}}],
        [{"client": {"event": "nonsense"}}, {"refusal": "bad_json"}],
        [{"client": {"event": "nonsense"}}, {"refusal": "unknown_command"}],
        [{"push": {"heartbeat": {"time": 0}}}],
        [{"push": {"heartbeat": {"time": 0}}}, {"server": {"event": "pusher:ping"}}],
        [{"push": {"accepted": {"command": "publish"}}}, {"server": {"event": "pusher:ping", "data": {}}}],
        [{"close": {"reason": "draining", "code": 4100}}],
    ],
)
def test_a_conversation_that_goes_another_way_is_noticed(steps: list[dict[str, object]]) -> None:
    with pytest.raises(AssertionError):
        play(Conversation("wrong", steps), make)
