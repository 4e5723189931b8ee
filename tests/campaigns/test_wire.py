"""The campaign's own reading of HTTP and event streams, against bytes cut at every place."""

from __future__ import annotations

import asyncio

import pytest

from campaigns.publishers import signed_query
from campaigns.wire import Answer, CampaignError, EventStream, HttpConnection, WireError
from tidings.testing.ports import free_port
from tidings.testing.process import AppCredentials

STREAM = b'retry: 500\r\n: hello\n\nid: e:1\ndata: {"a":\ndata: 1}\n\nid: e:2\n\ndata:x\n\n: ping\n\n'


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_come_out_the_same_however_the_bytes_are_cut(size: int) -> None:
    stream = EventStream("e:0")
    events = [event for at in range(0, len(STREAM), size) for event in stream.feed(STREAM[at : at + size])]
    assert events == [('{"a":\n1}', "e:1"), ("x", "e:2")]
    assert stream.last_event_id == "e:2"


def test_an_event_that_was_cut_off_does_not_move_the_id() -> None:
    stream = EventStream("e:0")
    assert stream.feed(b"id: e:9\ndata: half") == []
    assert stream.last_event_id == "e:0"


async def answered(reply: bytes) -> tuple[Answer, bytes]:
    served = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)
        writer.close()
        await writer.wait_closed()
        served.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        connection = await HttpConnection.open("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            answer = await connection.request("GET", "/", {"Host": "x"})
            return answer, await connection.body(answer)
        finally:
            await asyncio.wait_for(served.wait(), 10)
            connection.close()
            await asyncio.sleep(0)  # one turn of the loop, in which the socket is let go


@pytest.mark.parametrize(
    "head_and_body",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"Connection: close\r\n\r\nhello",
    ],
)
async def test_bodies_are_read_in_every_framing(head_and_body: bytes) -> None:
    answer, body = await answered(b"HTTP/1.1 200 OK\r\nX-Thing: yes\r\n" + head_and_body)
    assert (answer.status, answer.headers["x-thing"], body) == (200, "yes", b"hello")


@pytest.mark.parametrize(
    "torn",
    [
        b"HTTP/1.1 200 OK\r\nConte",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
async def test_a_torn_answer_is_an_error_to_retry_after(torn: bytes) -> None:
    with pytest.raises(WireError):
        await answered(torn)


async def test_nobody_listening_is_an_error_to_retry_after() -> None:
    with pytest.raises(WireError):
        await HttpConnection.open("127.0.0.1", free_port())


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_server_in_trouble_is_tried_again(status: int) -> None:
    with pytest.raises(WireError):
        Answer(status, {}).require(200)


@pytest.mark.parametrize("status", [301, 400, 401, 404])
def test_a_refusal_ends_the_campaign(status: int) -> None:
    with pytest.raises(CampaignError):
        Answer(status, {}).require(200)


def test_requests_are_signed_as_the_public_example() -> None:
    app = AppCredentials("3", "278d425bdf160c739803", "7ad3773142a6692b25b8")
    body = b'{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'
    query = signed_query(app, "POST", "/apps/3/events", body, timestamp=1353088179)
    assert "body_md5=ec365a775a4cd0599faeb73354201b6f" in query
    assert query.endswith("auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c")
