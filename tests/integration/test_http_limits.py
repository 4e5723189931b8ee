"""Hostile HTTP over a real socket: every vector is refused, and honest neighbours notice nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.fixtures.fix_server import PATIENCE, Peer, Running, make_node, running, until
from tidings.node.limits import Limits
from tidings.protocols.http import Host, Request, Response, Route

HOST = b"Host: localhost\r\n"


async def echo(request: Request, host: Host) -> Response:
    return Response(body=request.body, content_type="text/plain")


ROUTES = (Route("POST", "/echo", echo, max_body=1000), Route("GET", "/echo", echo))


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(routes=ROUTES) as found:
        yield found


def request(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return line + b"\r\n" + b"".join(header + b"\r\n" for header in headers) + b"\r\n" + body


GET = b"GET /echo HTTP/1.1"
POST = b"POST /echo HTTP/1.1"
H = b"Host: localhost"
CHUNKED = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"

VECTORS: dict[str, tuple[bytes, int]] = {
    "Content-Length and Transfer-Encoding": (
        request(POST, H, b"Content-Length: 5", CHUNKED, body=END), 400),
    "Transfer-Encoding and Content-Length": (
        request(POST, H, CHUNKED, b"Content-Length: 5", body=END), 400),
    "two equal Content-Length": (
        request(POST, H, b"Content-Length: 1", b"Content-Length: 1", body=b"a"), 400),
    "two different Content-Length": (
        request(POST, H, b"Content-Length: 1", b"Content-Length: 2", body=b"ab"), 400),
    "Content-Length list": (request(POST, H, b"Content-Length: 1, 1", body=b"a"), 400),
    "Content-Length with plus": (request(POST, H, b"Content-Length: +1", body=b"a"), 400),
    "Content-Length negative": (request(POST, H, b"Content-Length: -1"), 400),
    "Content-Length hexadecimal": (request(POST, H, b"Content-Length: 0x1", body=b"a"), 400),
    "Content-Length huge": (request(POST, H, b"Content-Length: " + b"9" * 30), 400),
    "Content-Length with a letter": (request(POST, H, b"Content-Length: 1a", body=b"a"), 400),
    "chunk size of 20 hex digits": (
        request(POST, H, CHUNKED, body=b"f" * 20 + b"\r\na\r\n" + END), 400),
    "chunk size with 0x": (request(POST, H, CHUNKED, body=b"0x1\r\na\r\n" + END), 400),
    "chunk size negative": (request(POST, H, CHUNKED, body=b"-1\r\na\r\n" + END), 400),
    "chunk without its end": (request(POST, H, CHUNKED, body=b"1\r\nabc\r\n" + END), 400),
    "chunk ended by LF": (request(POST, H, CHUNKED, body=b"1\na\n0\n\n"), 400),
    "xchunked": (request(POST, H, b"Transfer-Encoding: xchunked", body=END), 400),
    "chunked after VT": (request(POST, H, b"Transfer-Encoding: \x0bchunked", body=END), 400),
    "chunked in quotes": (request(POST, H, b'Transfer-Encoding: "chunked"', body=END), 400),
    "gzip, chunked": (request(POST, H, b"Transfer-Encoding: gzip, chunked", body=END), 400),
    "identity": (request(POST, H, b"Transfer-Encoding: identity"), 400),
    "Transfer-Encoding twice": (request(POST, H, CHUNKED, CHUNKED, body=END), 400),
    "HTTP/1.0 and Transfer-Encoding": (
        request(b"POST /echo HTTP/1.0", H, CHUNKED, body=b"1\r\na\r\n" + END), 400),
    "bare LF line ends": (b"GET /echo HTTP/1.1\nHost: localhost\n\n", 400),
    "bare CR line ends": (b"GET /echo HTTP/1.1\rHost: localhost\r\r", 400),
    "folded header": (request(GET, H, b"X: a\r\n b"), 400),
    "space before the colon": (request(GET, b"Host : localhost"), 400),
    "space in a name": (request(GET, H, b"X Y: a"), 400),
    "leading space in the first header": (request(GET, b" Host: localhost"), 400),
    "no colon": (request(GET, H, b"nothing"), 400),
    "empty name": (request(GET, H, b": a"), 400),
    "NUL in a value": (request(GET, H, b"X: a\0b"), 400),
    "CR in a value": (request(GET, H, b"X: a\rb"), 400),
    "NUL in a name": (request(GET, H, b"X\0: a"), 400),
    "no Host": (request(GET), 400),
    "two Hosts": (request(GET, H, H), 400),
    "two different Hosts": (request(GET, H, b"Host: other"), 400),
    "malformed Host": (request(GET, b"Host: a/b"), 400),
    "absolute form, another Host": (request(b"GET http://other/echo HTTP/1.1", H), 400),
    "HTTP/2.0": (request(b"GET /echo HTTP/2.0", H), 400),
    "HTTP/0.9": (b"GET /echo\r\n\r\n", 400),
    "HTTP/1.2": (request(b"GET /echo HTTP/1.2", H), 400),
    "HTTP2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS on the plain port": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 64, 400),
    "CONNECT": (request(b"CONNECT other:1 HTTP/1.1", H), 400),
    "lower-case method": (request(b"get /echo HTTP/1.1", H), 400),
    "space in the target": (request(b"GET /ec ho HTTP/1.1", H), 400),
    "fragment in the target": (request(b"GET /echo#a HTTP/1.1", H), 400),
    "bytes beyond ASCII in the target": (request(b"GET /\xc3\xa4 HTTP/1.1", H), 400),
    "hidden NUL in the path": (request(b"GET /a%00 HTTP/1.1", H), 400),
    "header of 64 KiB": (request(GET, H, b"X: " + b"a" * (64 << 10)), 431),
    "header of 4 MiB": (request(GET, H, b"X: " + b"a" * (4 << 20)), 431),
    "20,000 headers": (request(GET, H, *[b"X%d: a" % at for at in range(20_000)]), 431),
    "101 headers": (request(GET, H, *[b"X%d: a" % at for at in range(100)]), 431),
    "target of 9,000 bytes": (request(b"GET /" + b"a" * 9000 + b" HTTP/1.1", H), 414),
    "target of 64 KiB": (request(b"GET /" + b"a" * (64 << 10) + b" HTTP/1.1", H), 431),
    "header name of 64 KiB": (request(GET, H, b"X" * (64 << 10) + b": a"), 431),
    "body above the limit": (request(POST, H, b"Content-Length: 1001", body=b"a" * 1001), 413),
    "chunked body above the limit": (
        request(POST, H, CHUNKED, body=b"3e9\r\n" + b"a" * 1001 + b"\r\n" + END), 413),
    "an expectation": (request(POST, H, b"Expect: magic", b"Content-Length: 0"), 417),
    "WebSocket with a body": (
        request(GET, H, b"Connection: Upgrade", b"Upgrade: websocket", b"Content-Length: 1", body=b"a"), 400),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("step", [None, 1400])
def test_a_hostile_request_is_refused_and_the_connection_ends(
    server: Running, name: str, step: int | None
) -> None:
    data, status = VECTORS[name]
    with server.connect() as peer:
        for at in range(0, len(data), step or len(data)):
            peer.send(data[at : at + (step or len(data))])
        answer = peer.read_all()
    assert answer.startswith(b"HTTP/1.1 %d " % status), (name, answer[:200])
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_head_of_exactly_the_limit_passes(server: Running) -> None:
    head = b"GET /echo HTTP/1.1\r\n" + HOST
    counted = len(b"/echo") + len(b"Host") + len(b"localhost") + 4 + len(b"X") + 4
    size = (16 << 10) - counted - len(b"\r\n") * 4 - 20
    with server.connect() as peer:
        peer.send(head + b"X: " + b"a" * size + b"\r\n\r\n")
        assert peer.response()[0] == 200


def test_a_body_of_exactly_the_limit_passes(server: Running) -> None:
    with server.connect() as peer:
        for _ in range(3):
            peer.send(request(POST, H, b"Content-Length: 1000", body=b"a" * 1000))
            assert peer.response()[::2] == (200, b"a" * 1000)


def test_a_head_in_single_bytes_is_read(server: Running) -> None:
    with server.connect() as peer:
        for byte in request(POST, H, b"Content-Length: 3", body=b"abc"):
            peer.send(bytes((byte,)))
        assert peer.response()[2] == b"abc"


def test_pipelined_requests_are_answered_in_order(server: Running) -> None:
    with server.connect() as peer:
        bodies = [b"%d" % at for at in range(200)]
        peer.send(b"".join(request(POST, H, b"Content-Length: %d" % len(b), body=b) for b in bodies))
        assert [peer.response()[2] for _ in bodies] == bodies


def test_ours_and_others_alternate_on_one_connection(server: Running) -> None:
    with server.connect() as peer:
        for _ in range(3):
            peer.send(request(POST, H, b"Content-Length: 1", body=b"x") + request(b"GET /nope HTTP/1.1", H))
        assert [peer.response()[0] for _ in range(6)] == [200, 404] * 3


def test_what_was_asked_before_the_fault_is_answered_first(server: Running) -> None:
    good = request(POST, H, b"Content-Length: 1", body=b"x")
    answer = server.exchange(good * 3 + request(GET, H, H))
    assert re.findall(rb"HTTP/1.1 (\d+) ", answer) == [b"200", b"200", b"200", b"400"]


def test_a_smuggled_second_request_is_never_seen(server: Running) -> None:
    inner = request(b"GET /healthz HTTP/1.1", H)
    answer = server.exchange(request(POST, H, b"Content-Length: 4", CHUNKED, body=END + inner))
    assert answer.count(b"HTTP/1.1") == 1


def test_too_many_waiting_requests_end_the_connection(server: Running) -> None:
    answer = server.exchange(request(b"GET /nope HTTP/1.1", H) * 8000)
    assert answer.rstrip().endswith(b"}")
    assert b"HTTP/1.1 400" in answer


def test_connection_close_is_obeyed(server: Running) -> None:
    answer = server.exchange(request(GET, H, b"Connection: close"))
    assert b"connection: close" in answer
    assert server.exchange(b"GET /echo HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_trailers_do_not_pass_for_headers(server: Running) -> None:
    with server.connect() as peer:
        peer.send(request(POST, H, CHUNKED, body=b"1\r\na\r\n0\r\nHost: other\r\nX: y\r\n\r\n"))
        assert peer.response()[2] == b"a"
        peer.send(request(GET, H))
        assert peer.response()[0] == 200


def test_a_body_that_is_announced_is_asked_for(server: Running) -> None:
    with server.connect() as peer:
        peer.send(request(POST, H, b"Content-Length: 2", b"Expect: 100-continue"))
        assert peer.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(b"ab")
        assert peer.response()[2] == b"ab"


def test_a_body_that_is_too_large_is_not_asked_for(server: Running) -> None:
    answer = server.exchange(request(POST, H, b"Content-Length: 2000", b"Expect: 100-continue"))
    assert answer.startswith(b"HTTP/1.1 413")


def test_another_upgrade_is_passed_over(server: Running) -> None:
    with server.connect() as peer:
        peer.send(request(GET, H, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c") * 2)
        assert [peer.response()[0] for _ in range(2)] == [200, 200]


def test_a_client_that_sends_on_after_a_refusal_still_reads_it(server: Running) -> None:
    with server.connect() as peer:
        peer.send(request(POST, H, b"Content-Length: 100000000"))
        peer.send(b"a" * 3_000_000)
        assert peer.response()[0] == 413


@pytest.fixture(scope="module")
def hasty() -> Iterator[Running]:
    limits = Limits(header_seconds=1.0, connects_per_second=0.0)
    with running(make_node(limits), routes=ROUTES) as found:
        yield found


def test_heads_that_never_end_are_cut_and_honest_clients_are_served(hasty: Running) -> None:
    slow = [hasty.connect() for _ in range(200)]
    for at, peer in enumerate(slow):
        peer.send([b"", b"G", b"GET /echo HTTP/1.1\r\nHost: loc", b"GET /echo HTTP/1.1\r\nX: a\r\n"][at % 4])
    for _ in range(20):
        with hasty.connect() as honest:
            honest.send(request(GET, H))
            assert honest.response()[0] == 200
    for peer in slow:
        answer = peer.read_all()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408")
        peer.sock.close()
    hasty.until(lambda: len(hasty.server.server_state.connections) == 0)


def test_dripping_does_not_buy_time(hasty: Running) -> None:
    began = time.monotonic()
    with hasty.connect() as peer:
        peer.sock.settimeout(0.05)
        peer.send(b"GET /echo HTTP/1.1\r\n")
        while not _is_cut(peer):
            assert time.monotonic() - began < PATIENCE
    assert time.monotonic() - began > 0.5


def _is_cut(peer: Peer) -> bool:
    """Send a line more, and see whether the server has had enough."""
    try:
        peer.send(b"X: a\r\n")
        return not peer.sock.recv(100)
    except TimeoutError:
        return False
    except (BrokenPipeError, ConnectionResetError):
        return True


def test_a_second_head_on_a_connection_has_its_own_deadline(hasty: Running) -> None:
    with hasty.connect() as peer:
        peer.send(request(GET, H))
        assert peer.response()[0] == 200
        peer.send(b"GET /echo HTTP/1.1\r\n")
        assert peer.read_all().startswith(b"HTTP/1.1 408")


def test_hosts_that_are_not_ours_are_refused() -> None:
    with running(routes=ROUTES, hosts=["good.example"]) as server:
        for host, status in ((b"good.example", 200), (b"good.example:81", 200), (b"evil.example", 400)):
            answer = server.exchange(request(GET, b"Host: " + host, b"Connection: close"))
            assert answer.startswith(b"HTTP/1.1 %d" % status)


def test_nothing_is_left_of_refused_connections(server: Running) -> None:
    until(lambda: server.call(lambda: len(server.server.server_state.connections)) == 0)
    assert server.call(lambda: len(server.server.server_state.tasks)) == 0
