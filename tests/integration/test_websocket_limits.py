"""Hostile WebSockets over a real socket: each is told why and cut, and its memory is free."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.fixtures.fix_server import (
    Peer,
    Running,
    client_frame,
    handshake,
    make_node,
    running,
)
from tidings.node.limits import Limits
from tidings.server.wire import Wire


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    limits = Limits(connects_per_second=0.0, frame_bytes=100_000, send_buffer=300_000)
    with running(make_node(limits)) as found:
        yield found


@pytest.fixture
def peer(server: Running) -> Iterator[Peer]:
    with server.connect() as found:
        assert found.upgrade("/ws") == 101
        found.frame()  # connected
        yield found


CUT = {
    "unmasked": (client_frame(1, b"a", masked=False), 1002),
    "RSV1 without deflate": (client_frame(1, b"a", rsv=4), 1002),
    "RSV2": (client_frame(1, b"a", rsv=2), 1002),
    "reserved opcode": (client_frame(3), 1002),
    "reserved control opcode": (client_frame(12), 1002),
    "long ping": (client_frame(9, b"x" * 126), 1002),
    "fragmented ping": (client_frame(9, fin=False), 1002),
    "continuation of nothing": (client_frame(0, b"a"), 1002),
    "text within a message": (client_frame(1, fin=False) + client_frame(1), 1002),
    "close code 1005": (client_frame(8, b"\x03\xed"), 1002),
    "close of one byte": (client_frame(8, b"\x03"), 1002),
    "bad UTF-8": (client_frame(1, b"\xff\xfe"), 1007),
    "surrogate": (client_frame(1, b"\xed\xa0\x80"), 1007),
    "bad UTF-8 in an unfinished frame": (client_frame(1, b"\xff" + b"x" * 1000)[:50], 1007),
    "frame above the limit": (client_frame(2, b"x" * 100_001), 1009),
    "frame of 2^63 bytes": (b"\x82\xff" + (2**63).to_bytes(8, "big") + b"abcd", 1009),
    "message above the limit": (
        client_frame(2, b"x" * 60_000, fin=False) + client_frame(0, b"x" * 60_000),
        1009,
    ),
    "65 fragments": (client_frame(1, fin=False) + client_frame(0, fin=False) * 64, 1009),
    "fragments without end": (
        client_frame(1, b"a", fin=False) + client_frame(0, b"a", fin=False) * 9000,
        1009,
    ),
    "pings without end": (client_frame(9, b"x" * 125) * 3000, 1008),
    "pongs without end": (client_frame(10, b"x") * 3000, 1008),
}


@pytest.mark.parametrize("name", CUT)
def test_a_hostile_frame_is_told_why_and_cut(server: Running, peer: Peer, name: str) -> None:
    data, code = CUT[name]
    peer.send(data)
    assert peer.close_code() == code
    assert peer.read_all() == b""


def test_a_client_that_sends_on_still_reads_the_code(peer: Peer) -> None:
    peer.send(client_frame(2, b"x" * 100_001) + b"y" * 2_000_000)
    assert peer.close_code() == 1009


def test_as_many_fragments_as_allowed_are_read(peer: Peer) -> None:
    text = b'{"type":"ping","ref":"1"}'
    data = client_frame(1, text[:1], fin=False)
    for at in range(1, 24):
        data += client_frame(0, text[at : at + 1], fin=False)
    data += client_frame(0, b"", fin=False) * 39 + client_frame(0, text[24:])
    peer.send(data)
    assert b'"pong"' in peer.frame()[1]


def test_binary_has_no_meaning_but_is_answered(peer: Peer) -> None:
    peer.send(client_frame(2, b"\x00"))
    assert b"bad_message" in peer.frame()[1]
    peer.send(client_frame(9, b"still here"))
    assert peer.frame() == (10, b"still here")


def test_the_closing_handshake_is_answered_in_kind(peer: Peer) -> None:
    peer.send(client_frame(8, b"\x0f\xa0bye"))
    assert peer.frame() == (8, b"\x0f\xa0bye")
    assert peer.read_all() == b""


def test_an_empty_close_is_answered_empty(peer: Peer) -> None:
    peer.send(client_frame(8))
    assert peer.frame() == (8, b"")


def test_what_comes_behind_a_close_is_not_read(peer: Peer) -> None:
    peer.send(client_frame(1, b"a", fin=False) + client_frame(8, b"\x03\xe8") + client_frame(0, b"b"))
    assert peer.close_code() == 1000


def test_a_ping_between_fragments_is_answered_at_once(peer: Peer) -> None:
    peer.send(client_frame(1, b'{"type":', fin=False) + client_frame(9, b"?"))
    assert peer.frame() == (10, b"?")
    peer.send(client_frame(0, b'"ping","ref":1}'))
    assert b"pong" in peer.frame()[1]


HANDSHAKES = {
    "no key": (handshake().replace(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""), 400),
    "short key": (handshake().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"YWJj"), 400),
    "two keys": (handshake(headers="Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400),
    "version 8": (handshake().replace(b"Version: 13", b"Version: 8"), 400),
    "POST": (handshake().replace(b"GET ", b"POST "), 405),
    "subprotocol beyond ASCII": (handshake(headers="Sec-WebSocket-Protocol: gr\xfc\xdf\r\n"), 400),
    "subprotocol that is empty": (handshake(headers="Sec-WebSocket-Protocol: ,\r\n"), 400),
    "origin beyond ASCII": (handshake(headers="Origin: http://gr\xfc\xdf\r\n"), 403),
    "origin null": (handshake(headers="Origin: null\r\n"), 403),
    "foreign page with cookies": (handshake(headers="Origin: http://evil.example\r\nCookie: a=b\r\n"), 403),
    "two origins": (handshake(headers="Origin: http://a\r\nOrigin: http://b\r\n"), 400),
    "unknown path": (handshake("/nowhere"), 404),
    "bad channel": (handshake("/ws?channel=a%20b"), 400),
    "bad cursor": (handshake("/ws?channel=a&cursor=x"), 400),
    "unknown app": (handshake("/ws?app=nobody"), 404),
    "bad client id": (handshake("/c/a%20b/ws"), 400),
    "frames before the answer": (handshake() + client_frame(1, b"early"), 400),
}


@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_handshake_that_is_wrong_is_refused(server: Running, name: str) -> None:
    data, status = HANDSHAKES[name]
    answer = server.exchange(data)
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:200]


def test_a_page_of_the_same_host_may_bring_its_cookies(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/ws", "Origin: http://localhost\r\nCookie: a=b\r\n") == 101


def test_an_offered_subprotocol_is_confirmed(server: Running) -> None:
    with server.connect() as peer:
        peer.send(handshake("/ws", "Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.eHl6\r\n"))
        head = peer.read_until(b"\r\n\r\n").lower()
        assert b"sec-websocket-protocol: phoenix\r\n" in head


def test_compression_is_not_offered(server: Running) -> None:
    with server.connect() as peer:
        peer.send(handshake("/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n"))
        assert b"extensions" not in peer.read_until(b"\r\n\r\n").lower()


def test_a_reader_that_stops_is_cut_and_others_hear_everything(server: Running) -> None:
    with server.connect() as stuck, server.connect() as fine:
        assert stuck.upgrade("/ws?channel=flood") == 101
        assert fine.upgrade("/ws?channel=flood") == 101
        for peer in (stuck, fine):
            peer.read_until(b'"subscribed"')
            peer.read_until(b"}")
        before = server.call(lambda: server.node.connections)
        data = b'"' + b"x" * 60_000 + b'"'
        for at in range(400):
            server.publish("flood", data, event=f"e{at}")
            assert f'"e{at}"'.encode() in fine.frame()[1]
            if server.call(lambda: server.node.connections) < before:
                break
        server.until(lambda: server.node.connections == before - 1)
        assert at < 399, "the stuck reader was never cut"
        server.publish("flood", b"1", event="last")
        assert b'"last"' in fine.frame()[1]


def test_a_reader_that_pauses_gets_all_in_order(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/ws?channel=pause") == 101
        peer.read_until(b'"subscribed"')
        peer.read_until(b"}")
        for at in range(40):
            server.publish("pause", b'"' + b"x" * 5000 + b'"', event=f"n{at}")
        events = [peer.frame()[1] for _ in range(40)]
        assert all(f'"n{at}"'.encode() in event for at, event in enumerate(events))


def wires() -> int:
    gc.collect()
    return sum(isinstance(thing, Wire) for thing in gc.get_objects())


def test_nothing_is_left_of_connections_that_ended(server: Running) -> None:
    for ending in (client_frame(8, b"\x03\xe8"), client_frame(3), b""):
        with server.connect() as peer:
            peer.upgrade("/ws?channel=left")
            peer.frame()
            peer.send(ending)
            if ending:
                peer.close_code()
    server.until(lambda: server.node.connections == 0)
    server.until(lambda: len(server.server.server_state.connections) == 0)
    server.until(lambda: wires() == 0)


def test_an_address_that_connects_too_often_is_refused() -> None:
    node = make_node(Limits(connects_per_second=1.0))
    with running(node) as server:
        statuses = []
        for _ in range(12):
            with server.connect() as peer:
                statuses.append(peer.upgrade("/ws"))
        assert statuses[:10] == [101] * 10
        assert 429 in statuses
