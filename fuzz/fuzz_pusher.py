"""Fuzz target for everything that the Pusher protocol reads from strangers. Holds the properties, not the inputs.

Run `python fuzz/fuzz_pusher.py [folder of inputs] [-max_total_time=60]` where atheris is installed. A test runs the
same functions under hypothesis, so that `make test` fuzzes without it.
"""

from __future__ import annotations

import json
import sys

from tidings import pushes
from tidings.commands import SignIn, Subscribe
from tidings.errors import Refusal
from tidings.ids import ChannelName, SessionId
from tidings.messages import Message
from tidings.protocols.http import Request
from tidings.protocols.pusher.api import BatchBody
from tidings.protocols.pusher.door import read_body as read_event_body
from tidings.protocols.pusher.messages import ENCODER, data_from_raw, data_from_text
from tidings.protocols.pusher.server import PusherServer
from tidings.protocols.pusher.signatures import read_member, read_user, verify_request

SERVER = PusherServer(client_events=True)
SESSION = SessionId("1.2")
SECRETS = {"key": "secret"}


def read_frame(data: bytes) -> None:
    """A frame makes commands or one refusal, which can be told; a command's proof proves nothing."""
    for frame in (data, data.decode("utf-8", "surrogatepass" if _passable(data) else "replace")):
        try:
            made = SERVER.receive(frame)
        except Refusal as refusal:
            (told,) = SERVER.push(pushes.Refused(command="", refusal=refusal))
            assert json.loads(told)["event"] in ("pusher:error", "pusher:subscription_error")
            continue
        for command in made:
            if isinstance(command, Subscribe) and command.credential is not None:
                refuses(command.credential.verify, SECRETS, SESSION, command.channels[0])
            elif isinstance(command, SignIn):
                refuses(command.credential.verify, SECRETS, SESSION)


def read_published(data: bytes) -> None:
    """What is accepted for publishing is JSON, and Pusher clients get exactly the text that was published."""
    text = data.decode("utf-8", "replace")
    try:
        kept = data_from_text(text)
    except Refusal:
        return
    json.loads(kept)
    frame = json.loads(
        ENCODER.encode(Message(id="m", channel=ChannelName("c"), event="e", data=kept, time=0))
    )
    assert frame["data"] == text


def read_body(data: bytes) -> None:
    """A body, a data field, channel data and a query are understood or refused."""
    text = data.decode("utf-8", "replace")
    request = Request(method="POST", path="/apps/1/events", query=text, body=data)
    refuses(verify_request, request, SECRETS, 1.0)
    refuses(read_event_body, request, BatchBody)
    refuses(data_from_raw, data)
    refuses(read_member, text)
    read_user_data(text)


def read_user_data(text: str) -> None:
    """User data is understood or refused; what is understood can be told, with an id that is text."""
    try:
        grant = read_user(text)
    except Refusal:
        return
    (told,) = SERVER.push(pushes.SignedIn(user=grant.user, data=grant.data))
    user_data = json.loads(json.loads(json.loads(told)["data"])["user_data"])
    assert user_data["id"] == grant.user != ""
    assert len(grant.watchlist) <= 100


TARGETS = (read_frame, read_published, read_body)


def one_input(data: bytes) -> None:
    """The first byte chooses the target, the rest is its input."""
    if data:
        TARGETS[data[0] % len(TARGETS)](data[1:])


def refuses(function: object, *arguments: object) -> None:
    """Call; any exception but Refusal is a finding."""
    assert callable(function)
    try:
        function(*arguments)
    except Refusal:
        return


def _passable(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def main() -> None:
    """Hand over to atheris, which never returns."""
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
