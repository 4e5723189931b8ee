"""Frames and requests that no client should send, each with what the server must answer. Holds data alone."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

DEEP = "[" * 40 + "]" * 40
HUGE = "9" * 400
LONG = "x" * 201


def _frame(event: Any, data: Any = None, **fields: Any) -> str:
    return json.dumps({"event": event, "data": data, **fields})


def _subscribe(**data: Any) -> str:
    return _frame("pusher:subscribe", data)


def _sign_in(auth: Any, user_data: Any) -> str:
    return _frame("pusher:signin", {"auth": auth, "user_data": user_data})


NO_TEXT: tuple[Any, ...] = (True, 7, [], {})
NO_OBJECT: tuple[Any, ...] = (None, 7, [], {})
NO_NAME: tuple[Any, ...] = (7, [], {})
WRONG_TYPES: tuple[Any, ...] = (None, True, 7, 7.5, [], {}, ["a"], {"a": 1})

FRAMES: dict[str, str | bytes] = {
    # no JSON
    "nothing": "",
    "blanks": "   \n",
    "a word": "hello",
    "half an object": '{"event":"pusher:ping"',
    "half a text": '{"event":"pusher',
    "two objects": '{"event":"pusher:ping"}{"event":"pusher:ping"}',
    "a comma too many": '{"event":"pusher:ping",}',
    "single quotes": "{'event':'pusher:ping'}",
    "a comment": '{"event":"pusher:ping"}//',
    "NaN": '{"event":"pusher:ping","data":NaN}',
    "Infinity": '{"event":"pusher:ping","data":-Infinity}',
    "a byte order mark": '\ufeff{"event":"pusher:ping"}',
    "a NUL": '{"event":"pusher:ping\x00"}',
    "a raw line end in a text": '{"event":"pusher:\nping"}',
    "a bad escape": '{"event":"\\x41"}',
    "a lone surrogate": '{"event":"pusher:ping","data":"\\ud800"}',
    "half an escape": '{"event":"\\u12"}',
    "a number with a leading zero": '{"event":"pusher:ping","data":01}',
    "a number without end": f'{{"event":"pusher:ping","data":{HUGE}}}',
    "an exponent without end": '{"event":"pusher:ping","data":1e999999}',
    "nesting": f'{{"event":"pusher:ping","data":{DEEP}}}',
    "a hundred thousand brackets": "[" * 100_000,
    "a hundred thousand open objects": '{"a":' * 100_000,
    "an open text of a hundred thousand quotes": '"\\' + '"\\' * 50_000,
    # JSON, but no frame
    "an array": "[]",
    "a frame in an array": '[{"event":"pusher:ping"}]',
    "null": "null",
    "true": "true",
    "a number": "7",
    "a text": '"pusher:ping"',
    "an empty object": "{}",
    "no event": '{"data":{}}',
    "an event in capitals": '{"Event":"pusher:ping"}',
    "an event twice": '{"event":"pusher:ping","event":"pusher:subscribe"}',
    **{f"event is {json.dumps(value)}": _frame(value) for value in WRONG_TYPES},
    "an empty event": _frame(""),
    "an event of nobody": _frame("said"),
    "a pusher event of nobody": _frame("pusher:teleport"),
    "an event in other letters": _frame("PUSHER:PING"),
    "what servers say: established": _frame("pusher:connection_established", "{}"),
    "what servers say: error": _frame("pusher:error", {"code": 4001}),
    "what servers say: member_added": _frame("pusher_internal:member_added", "{}", channel="presence-a"),
    "what servers say: succeeded": _frame("pusher_internal:subscription_succeeded", "{}", channel="a"),
    "what servers say: signin_success": _frame("pusher:signin_success", "{}"),
    "what servers say: watchlist": _frame("pusher_internal:watchlist_events", "{}"),
    "phoenix": '["1","1","room:a","phx_join",{}]',
    "an event of a megabyte": _frame("e" * 900_000),
    "a binary frame": b'{"event":"pusher:ping"}',
    "a binary frame of nothing": b"",
    "a binary frame of zeros": b"\0" * 1000,
    # subscribing
    **{f"subscribe with {json.dumps(value)}": _frame("pusher:subscribe", value) for value in WRONG_TYPES},
    "subscribe with a text": _frame("pusher:subscribe", '{"channel":"a"}'),
    **{f"channel is {json.dumps(value)}": _subscribe(channel=value) for value in WRONG_TYPES},
    "channel is empty": _subscribe(channel=""),
    "channel with a blank": _subscribe(channel="a b"),
    "channel with a colon": _subscribe(channel="a:b"),
    "channel with a line end": _subscribe(channel="a\n"),
    "channel with a slash": _subscribe(channel="../a"),
    "channel with a star": _subscribe(channel="private-*"),
    "channel beyond ASCII": _subscribe(channel="kanäle"),
    "channel too long": _subscribe(channel=LONG),
    "channel of half a megabyte": _subscribe(channel="x" * 500_000),
    "channel twice": '{"event":"pusher:subscribe","data":{"channel":"a","channel":"private-a"}}',
    "a reserved channel": _subscribe(channel="#a"),
    "the server's own channel": _subscribe(channel="#users-7"),
    "a user's channel without an id": _subscribe(channel="#server-to-user-"),
    "a user's channel without sign-in": _subscribe(channel="#server-to-user-7"),
    "a private channel without auth": _subscribe(channel="private-a"),
    "a private channel with an empty auth": _subscribe(channel="private-a", auth=""),
    "a presence channel without auth": _subscribe(channel="presence-a", channel_data='{"user_id":1}'),
    "an encrypted channel without auth": _subscribe(channel="private-encrypted-a"),
    **{f"auth is {json.dumps(value)}": _subscribe(channel="private-b", auth=value) for value in NO_TEXT},
    "auth of words": _subscribe(channel="private-a", auth="let me in"),
    "auth of a colon": _subscribe(channel="private-a", auth=":"),
    "auth with an unknown key": _subscribe(channel="private-a", auth="other:" + "0" * 64),
    "auth with zeros": _subscribe(channel="private-a", auth="app-key:" + "0" * 64),
    "auth beyond ASCII": _subscribe(channel="private-a", auth="app-key:é"),
    "auth without end": _subscribe(channel="private-a", auth="app-key:" + "0" * 5000),
    "channel_data is an object": _subscribe(channel="presence-a", auth="app-key:0", channel_data={}),
    "channel_data without end": _subscribe(channel="presence-a", auth="k:0", channel_data="x" * 9000),
    # leaving
    **{f"unsubscribe with {json.dumps(value)}": _frame("pusher:unsubscribe", value) for value in NO_OBJECT},
    "unsubscribe from nowhere": _frame("pusher:unsubscribe", {"channel": "never-joined"}),
    "unsubscribe from a bad name": _frame("pusher:unsubscribe", {"channel": "a b"}),
    "unsubscribe from nothing": _frame("pusher:unsubscribe", {"channel": ""}),
    # signing in
    **{f"sign-in with {json.dumps(value)}": _frame("pusher:signin", value) for value in WRONG_TYPES},
    "sign-in without user data": _frame("pusher:signin", {"auth": "app-key:0"}),
    "sign-in without auth": _frame("pusher:signin", {"user_data": '{"id":"7"}'}),
    "sign-in with an object as user data": _sign_in("app-key:0", {"id": "7"}),
    "sign-in with a number as auth": _sign_in(7, '{"id":"7"}'),
    "sign-in with zeros": _sign_in("app-key:" + "0" * 64, '{"id":"7"}'),
    "sign-in with an unknown key": _sign_in("other:" + "0" * 64, '{"id":"7"}'),
    "sign-in as the documentation prints it": _sign_in("app-key::user::" + "0" * 64, '{"id":"7"}'),
    "sign-in with an empty auth": _sign_in("", "{}"),
    "sign-in without end": _sign_in("app-key:" + "0" * 64, "x" * 100_000),
    # client events
    "a client event without a channel": _frame("client-a", {}),
    **{
        f"a client event on channel {json.dumps(value)}": _frame("client-a", {}, channel=value)
        for value in NO_NAME
    },
    "a client event on no channel": _frame("client-a", {}, channel=""),
    "a client event on a bad channel": _frame("client-a", {}, channel="private-a b"),
    "a client event on a public channel": _frame("client-a", {}, channel="a"),
    "a client event on an encrypted channel": _frame("client-a", {}, channel="private-encrypted-a"),
    "a client event on a user's channel": _frame("client-a", {}, channel="#server-to-user-7"),
    "a client event from outside": _frame("client-a", {}, channel="private-a"),
    "a client event from outside, with presence": _frame("client-a", {}, channel="presence-a"),
    "a client event too large": _frame("client-a", "x" * 11_000, channel="private-a"),
    "a client event too deep": f'{{"event":"client-a","channel":"private-a","data":{DEEP}}}',
    "a client event too deep in its text": _frame("client-a", DEEP, channel="private-a"),
    "a client event with a name too long": _frame("client-" + LONG, {}, channel="private-a"),
}
"""Text (str) and binary (bytes) messages. Each is answered with one `pusher:error` or `pusher:subscription_error`."""

BROKEN: dict[str, tuple[bytes, int]] = {
    "a text that is not UTF-8": (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
    "an unmasked frame": (b"\x81\x02{}", 1002),
    "a reserved bit": (b"\xc1\x82\0\0\0\0{}", 1002),
    "an unknown opcode": (b"\x83\x82\0\0\0\0{}", 1002),
    "a ping in pieces": (b"\x09\x80\0\0\0\0", 1002),
    "a ping too long": (b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126, 1002),
    "a piece of nothing": (b"\x80\x82\0\0\0\0{}", 1002),
    "a message within a message": (b"\x01\x81\0\0\0\0{\x81\x82\0\0\0\0{}", 1002),
    "a frame above the limit": (b"\x81\xff" + (2 << 20).to_bytes(8, "big") + b"\0\0\0\0", 1009),
    "a frame of all there is": (b"\x81\xff\x7f" + b"\xff" * 7 + b"\0\0\0\0", 1009),
    "a close with half a code": (b"\x88\x81\0\0\0\0\x03", 1002),
    "a close with a code of nobody": (b"\x88\x82\0\0\0\0\x00\x01", 1002),
}
"""Bytes that break the WebSocket itself, and the code that the server closes with."""


class Bad(NamedTuple):
    """A request. sign: `good`, `none`, or how it is spoiled (`request_bytes` of the test says how)."""

    status: int
    path: str = "/apps/1001/events"
    body: bytes = b""
    method: str = "POST"
    query: tuple[tuple[str, str], ...] = ()
    sign: str = "good"
    headers: str = ""


def _event(**changes: Any) -> bytes:
    event = {"name": "said", "channel": "a", "data": "{}", **changes}
    return json.dumps({name: value for name, value in event.items() if value is not ...}).encode()


def _batch(*events: dict[str, Any]) -> bytes:
    return json.dumps({"batch": events}).encode()


CHANNELS, BATCH = "/apps/1001/channels", "/apps/1001/batch_events"
ONE = {"name": "said", "channel": "a", "data": "{}"}

REQUESTS: dict[str, Bad] = {
    # who asks
    "unsigned": Bad(401, sign="none", body=_event()),
    "signed by another secret": Bad(401, sign="secret", body=_event()),
    "an old clock": Bad(401, sign="late", body=_event()),
    "a clock ahead": Bad(401, sign="early", body=_event()),
    "another body than signed": Bad(401, sign="body", body=_event()),
    "another path than signed": Bad(401, sign="path", body=_event()),
    "another method than signed": Bad(401, sign="method", body=_event()),
    "a parameter added": Bad(401, sign="parameter", body=_event()),
    "a signature in capitals": Bad(401, sign="capitals", body=_event()),
    "no body_md5": Bad(401, sign="md5", body=_event()),
    "another version": Bad(401, sign="version", body=_event()),
    "a time that is none": Bad(401, sign="time", body=_event()),
    "a key of nobody": Bad(401, sign="key", body=_event()),
    "an app of nobody": Bad(404, path="/apps/9/events", body=_event()),
    "an app of words": Bad(404, path="/apps/../events/events", body=_event()),
    "a key twice": Bad(400, query=(("auth_key", "app-key"),), body=_event()),
    "a thousand parameters": Bad(400, query=tuple((f"p{n}", "1") for n in range(300)), body=_event()),
    # bodies
    "an empty body": Bad(400),
    "a body of words": Bad(400, body=b"hello"),
    "half a body": Bad(400, body=_event()[:-1]),
    "a body that is not UTF-8": Bad(400, body=b"\xff\xfe"),
    "a form": Bad(400, body=b"name=said&channel=a&data=1"),
    "an array as body": Bad(400, body=b"[]"),
    "null as body": Bad(400, body=b"null"),
    "a text as body": Bad(400, body=b'"said"'),
    "brackets without end": Bad(400, body=b"[" * 100_000),
    "objects without end": Bad(400, body=b'{"a":' * 50_000),
    "a number without end": Bad(400, body=b'{"name":"a","channel":"a","data":%b}' % (b"9" * 400)),
    "a lone surrogate": Bad(400, body=b'{"name":"\\ud800","channel":"a","data":"1"}'),
    "data too deep": Bad(400, body=_event(data=json.loads(DEEP))),
    "data too deep in its text": Bad(400, body=_event(data=DEEP)),
    "data too large": Bad(413, body=_event(data="x" * 100_001)),
    "a body too large": Bad(413, body=b"x" * (1 << 21)),
    # fields
    "no name": Bad(400, body=_event(name=...)),
    "no channel": Bad(400, body=_event(channel=...)),
    "no data": Bad(400, body=_event(data=...)),
    **{f"name is {json.dumps(value)}": Bad(400, body=_event(name=value)) for value in WRONG_TYPES},
    **{f"channel is {json.dumps(value)}": Bad(400, body=_event(channel=value)) for value in WRONG_TYPES},
    "name is empty": Bad(400, body=_event(name="")),
    "name too long": Bad(400, body=_event(name=LONG)),
    "name of the server": Bad(400, body=_event(name="pusher:error")),
    "name of the server's inside": Bad(400, body=_event(name="pusher_internal:member_added")),
    "channel with a blank": Bad(400, body=_event(channel="a b")),
    "channel too long": Bad(400, body=_event(channel=LONG)),
    "a reserved channel": Bad(400, body=_event(channel="#a")),
    "the server's own channel": Bad(400, body=_event(channel="#users-7")),
    "channels is a text": Bad(400, body=_event(channels="a")),
    "channels holds a number": Bad(400, body=_event(channels=[1])),
    "channels is empty": Bad(400, body=_event(channel=..., channels=[])),
    "channels with one bad name": Bad(400, body=_event(channels=["a", "b c"])),
    "too many channels": Bad(400, body=_event(channels=[f"c{n}" for n in range(101)])),
    "socket_id of words": Bad(400, body=_event(socket_id="me")),
    "socket_id with a colon": Bad(400, body=_event(socket_id="1.1:private-a")),
    "socket_id with a line end": Bad(400, body=_event(socket_id="1.1\n")),
    "socket_id is a number": Bad(400, body=_event(socket_id=1.1)),
    "info of nobody": Bad(400, body=_event(info="weather")),
    "info is a list": Bad(400, body=_event(info=["user_count"])),
    "cache is no info of a publish": Bad(400, body=_event(info="cache")),
    # batches
    "a batch without events": Bad(400, path=BATCH, body=_batch()),
    "no batch": Bad(400, path=BATCH, body=b"{}"),
    "a batch of words": Bad(400, path=BATCH, body=b'{"batch":"a"}'),
    "a batch of numbers": Bad(400, path=BATCH, body=b'{"batch":[1]}'),
    "a batch too long": Bad(400, path=BATCH, body=_batch(*[ONE] * 11)),
    "a batch with several channels": Bad(
        400, path=BATCH, body=_batch({**ONE, "channels": ["a"], "channel": None})
    ),
    "a batch with one bad event": Bad(400, path=BATCH, body=_batch(ONE, {**ONE, "name": "pusher:a"})),
    "a batch with one too large": Bad(413, path=BATCH, body=_batch(ONE, {**ONE, "data": "x" * 100_001})),
    # the old path
    "the old path without a name": Bad(400, path=f"{CHANNELS}/a/events", body=b"x"),
    "the old path with a bad name": Bad(
        400, path=f"{CHANNELS}/a/events", body=b"x", query=(("name", "phx_a"),)
    ),
    "the old path on a bad channel": Bad(
        400, path=f"{CHANNELS}/a:b/events", body=b"x", query=(("name", "a"),)
    ),
    "the old path, not UTF-8": Bad(400, path=f"{CHANNELS}/a/events", body=b"\xff", query=(("name", "a"),)),
    "the old path, too large": Bad(
        413, path=f"{CHANNELS}/a/events", body=b"x" * 100_001, query=(("name", "a"),)
    ),
    # questions
    "user_count of all channels": Bad(400, path=CHANNELS, method="GET", query=(("info", "user_count"),)),
    "cache of all channels": Bad(400, path=CHANNELS, method="GET", query=(("info", "cache"),)),
    "an attribute of nobody": Bad(400, path=CHANNELS, method="GET", query=(("info", "weather"),)),
    "user_count of a public channel": Bad(
        400, path=f"{CHANNELS}/a", method="GET", query=(("info", "user_count"),)
    ),
    "cache of a channel that has none": Bad(
        400, path=f"{CHANNELS}/a", method="GET", query=(("info", "cache"),)
    ),
    "a bad channel": Bad(400, path=f"{CHANNELS}/a:b", method="GET"),
    "users of a public channel": Bad(400, path=f"{CHANNELS}/a/users", method="GET"),
    "users of a bad channel": Bad(400, path=f"{CHANNELS}/presence-a:b/users", method="GET"),
    "info twice": Bad(400, path=CHANNELS, method="GET", query=(("info", ""), ("info", "user_count"))),
    # users
    "terminate a name too long": Bad(400, path="/apps/1001/users/" + LONG + "/terminate_connections"),
    "terminate nobody": Bad(404, path="/apps/1001/users//terminate_connections"),
    # paths and methods
    "a path of nobody": Bad(404, path="/apps/1001/nothing"),
    "another method": Bad(405, method="DELETE"),
    "a question that publishes": Bad(405, method="GET"),
    "an idempotency key too long": Bad(400, body=_event(), headers=f"Idempotency-Key: {LONG}\r\n"),
    "an empty idempotency key": Bad(400, body=_event(), headers="Idempotency-Key:\r\n"),
}
"""Requests, each with the status that it is refused with."""
