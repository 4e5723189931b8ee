"""The conversations of conformance/sse against the server's side of a stream, read by the client's parser."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.conversations import Conversation, conversations, fits, message_from, push_from
from tidings.protocols.http import Request
from tidings.protocols.sse.client import SseClient
from tidings.protocols.sse.events import EventParser, StreamEvent
from tidings.protocols.sse.server import SseServer, parse_events

CONVERSATIONS = conversations("sse")


def make(query: str, headers: dict[str, str] | None = None) -> SseServer:
    return parse_events(Request(method="GET", path="/events", query=query, headers=headers or {})).server()


def said(server: SseServer, step: dict[str, Any]) -> bytes:
    """The bytes for a step that makes the server say something."""
    if "push" in step:
        return b"".join(server.push(push_from(step["push"])))
    return server.encoder.encode(message_from(step["message"]))


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_the_stream_keeps_to_the_conversation(conversation: Conversation) -> None:
    server = make(**conversation.options)
    parser = EventParser()
    stream = b""
    owed: list[StreamEvent] = []
    for step in conversation.steps:
        if "stream" in step:
            assert stream.decode() == step["stream"]
        elif "retry" in step:
            assert parser.retry == step["retry"]
        elif "event" in step:
            found = owed.pop(0)
            assert fits({"event": found.event, "data": read(found.data)}, but_id(step["event"]))
            assert found.id == step["event"].get("id", found.id)
        else:
            assert not owed, step
            stream = said(server, step)
            owed = parser.feed(stream)
    assert not owed


def read(data: str) -> Any:
    return data if data == ":heartbeat" else json.loads(data)


def but_id(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != "id"}


@pytest.mark.parametrize("conversation", [p for p in CONVERSATIONS if str(p.id).startswith("typed")])
def test_our_client_hears_every_push(conversation: Conversation) -> None:
    server, client = make(**conversation.options), SseClient([])
    for step in conversation.steps:
        if "push" in step or "message" in step:
            assert len(client.receive(said(server, step))) == 1
