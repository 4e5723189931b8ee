"""The conversations of conformance/plain: the server's side plays them, the client's side reads every frame of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.conversations import ANY_TEXT, Conversation, conversations, play
from tidings.protocols.plain.client import PlainClient
from tidings.protocols.plain.server import PlainServer, parse_connect

CONVERSATIONS = conversations("plain")


def make(*, query: str = "", **options: int) -> PlainServer:
    return PlainServer(after=parse_connect(query).after, **options)


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_the_server_keeps_to_the_conversation(conversation: Conversation) -> None:
    play(conversation, make)


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_the_client_reads_every_frame_of_it(conversation: Conversation) -> None:
    for step in conversation.steps:
        if "server" in step:
            assert len(PlainClient().receive(json.dumps(worded(step["server"])))) == 1


def worded(value: Any) -> Any:
    """A frame in which free texts stand as some text."""
    if value == ANY_TEXT:
        return "some words"
    if isinstance(value, dict):
        return {name: worded(inner) for name, inner in value.items()}
    return value
