"""The conversations of conformance/poll against the server's side of polling, read by the client's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conformance.conversations import Conversation, conversations, fits, message_from
from tidings.errors import Refusal
from tidings.messages import Position
from tidings.protocols.http import Request, Response
from tidings.protocols.personal import refused_response
from tidings.protocols.poll.client import PollClient
from tidings.protocols.poll.server import page_response, parse_poll


def answer(request: Request, page: dict[str, Any]) -> Response:
    """What the server says, given the page of the log that the conversation names."""
    return page_response(
        request,
        [message_from(message) for message in page.get("messages", [])],
        head=Position.parse(page["head"]),
        complete=page.get("complete", True),
        after=parse_poll(request).after,
        resets=page.get("resets", {}),
        reached=Position.parse(page["reached"]) if "reached" in page else None,
    )


def refused(request: Request) -> Response:
    with pytest.raises(Refusal) as refusal:
        parse_poll(request)
    return refused_response(refusal.value)


@pytest.mark.parametrize("conversation", conversations("poll"))
def test_the_answers_keep_to_the_conversation(conversation: Conversation) -> None:
    request, said, tag = Request(method="GET", path="/poll"), None, ""
    for step in conversation.steps:
        if "request" in step:
            headers = {"if-none-match": tag} if tag else {}
            request = Request(method="GET", path="/poll", query=step["request"], headers=headers)
            said = None
        elif "page" in step:
            said = answer(request, step["page"])
        else:
            said = said or refused(request)
            assert said.status == step["answer"]["status"]
            assert fits(json.loads(said.body or b"null"), step["answer"].get("body"))
            tag = said.headers.get("ETag", "")
            if said.status == 200:
                check_client(said, step["answer"]["body"])


def check_client(said: Response, body: dict[str, Any]) -> None:
    """Our client ends up at the same cursor, with as many pushes."""
    client = PollClient([])
    pushes = client.receive(200, {}, said.body)
    assert str(client.cursor) == body["cursor"]
    assert len(pushes) == len(body["messages"]) + len(body["reset"] or [])
