"""Messages and pushes for the protocol tests: ready ones, and hypothesis strategies for all there can be."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from tidings.errors import CATALOGUE, Disconnect, Refusal, Unsubscription
from tidings.ids import ChannelName, SessionId, UserId
from tidings.messages import Entity, Message, Origin, Position
from tidings.presence import Member
from tidings.pushes import (
    Accepted,
    Answer,
    CacheMiss,
    Delivered,
    Goodbye,
    Heartbeat,
    Push,
    Refused,
    Reset,
    SignedIn,
    Subscribed,
    Unsubscribed,
    WatchlistChanged,
    Welcome,
)

EPOCH = "1f2e3d4c"
CHANNEL = ChannelName("project-42")


def at(offset: int) -> Position:
    """A position in the log that these tests share."""
    return Position(EPOCH, offset)


def message(offset: int | None = 7, **changes: Any) -> Message:
    """A message of the log; an ephemeral one without `offset`."""
    plain = Message(
        id="m1",
        channel=CHANNEL,
        event="task-created",
        data=b'{"taskId":7}',
        time=1_700_000_000_000,
        kind="client" if offset is None else "event",
        position=None if offset is None else at(offset),
        previous=None if offset is None else offset - 2,
    )
    return msgspec.structs.replace(plain, **changes)


def welcome(cursor: int = 9, user: str | None = None) -> Welcome:
    return Welcome(
        session=SessionId("12.34"),
        cursor=at(cursor),
        activity_timeout=30,
        user=None if user is None else UserId(user),
    )


def plainly(value: object) -> Any:
    """A push, or several, as comparable data: exceptions are equal when their name, text and `after` are."""
    if isinstance(value, Refusal | Unsubscription | Disconnect):
        return (type(value).__name__, value.name, value.text, getattr(value, "after", None))
    if isinstance(value, tuple | list):
        return [plainly(item) for item in value]
    if isinstance(value, msgspec.Struct):
        fields = {name: plainly(getattr(value, name)) for name in value.__struct_fields__}
        return (type(value).__name__, fields)
    return value


# ── strategies

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.from_regex(r"[A-Za-z0-9_\-=@,.;]{1,40}", fullmatch=True).map(ChannelName)
positions = st.builds(Position, st.from_regex(r"[0-9a-f]{8}", fullmatch=True), st.integers(0, 2**63 - 1))
times = st.integers(0, 2**53)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)
raw_json = json_values.map(msgspec.json.encode)
pretty_json = st.tuples(json_values, st.sampled_from([b"\n", b"\r", b"\r\n", b" "])).map(
    lambda pair: msgspec.json.format(msgspec.json.encode(pair[0]), indent=2).replace(b"\n", pair[1])
)
users = st.text(min_size=1, max_size=10, alphabet=st.characters(exclude_categories=["Cs"])).map(UserId)
entities = st.builds(
    Entity,
    text,
    text | st.integers(0, 99),
    st.none() | st.integers(0, 99),
    st.sampled_from([None, "insert", "update", "delete"]),
)
origins = st.builds(Origin, st.none() | text, st.just(SessionId("1.2")))
keys = st.lists(st.lists(text | st.integers(0, 9), min_size=1, max_size=3).map(tuple), max_size=2).map(tuple)
refs = st.none() | st.integers(-(2**53), 2**53) | text
logged = st.builds(
    Message,
    id=text,
    channel=names,
    event=text,
    data=raw_json | pretty_json,
    time=times,
    position=positions,
    previous=st.none() | st.integers(0, 2**53),
    entity=st.none() | entities,
    keys=keys,
    origin=st.none() | origins,
    trail=st.none() | st.just("0a1b2c3d4e5f6071"),
    user=st.none() | users,
)
client_events = st.builds(
    Message,
    id=text,
    channel=names,
    event=text,
    data=raw_json,
    time=times,
    kind=st.just("client"),
    user=st.none() | users,
)
presence = st.sampled_from(["joined", "left"]).flatmap(
    lambda kind: st.builds(
        Message,
        id=text,
        channel=names,
        event=st.just(kind),
        data=raw_json,
        time=times,
        kind=st.just(kind),
        user=users,
    )
)
counts = st.builds(
    Message,
    id=text,
    channel=names,
    event=st.just("subscription_count"),
    data=st.integers(0, 10**6).map(lambda count: b"%d" % count),
    time=times,
    kind=st.just("count"),
)
messages = logged | client_events | presence | counts
members = st.builds(Member, users, raw_json)


def _reasons(low: int, high: int) -> st.SearchStrategy[str]:
    return st.sampled_from([name for name, reason in CATALOGUE.items() if low <= reason.code < high])


refusals = st.builds(
    Refusal,
    _reasons(100, 200),
    detail=text,
    field=st.none() | st.just("channel"),
    limit=st.none() | st.integers(0, 999),
)
watched = st.lists(users, max_size=3).map(tuple)
pushes: st.SearchStrategy[Push] = st.one_of(
    st.builds(Delivered, message=messages),
    st.builds(
        Welcome,
        session=st.just(SessionId("1.2")),
        cursor=positions,
        activity_timeout=st.integers(1, 120),
        user=st.none() | users,
    ),
    st.builds(
        Subscribed,
        channel=names,
        head=positions,
        members=st.none() | st.lists(members, max_size=3).map(tuple),
        ref=refs,
    ),
    st.builds(
        Unsubscribed,
        channel=names,
        reason=st.none() | st.builds(Unsubscription, _reasons(200, 300)),
        ref=refs,
    ),
    st.builds(
        Reset, channels=st.lists(names, max_size=3).map(tuple), reason=st.just("retention"), cursor=positions
    ),
    st.builds(
        Accepted, command=st.sampled_from(["publish", "track"]), ref=refs, position=st.none() | positions
    ),
    st.builds(
        Refused,
        command=st.sampled_from(["publish", "subscribe", ""]),
        refusal=refusals,
        channel=st.none() | names,
        ref=refs,
    ),
    st.builds(Answer, time=times, ref=refs),
    st.builds(Heartbeat, time=times),
    st.builds(CacheMiss, channel=names),
    st.builds(SignedIn, user=users, data=st.just(b'{"id":"7"}'), ref=refs),
    st.builds(WatchlistChanged, online=watched, offline=watched),
    st.builds(
        Goodbye,
        disconnect=st.builds(
            Disconnect, _reasons(300, 400), detail=text, after=st.sampled_from([0.0, 0.5, 30.0])
        ),
    ),
)
