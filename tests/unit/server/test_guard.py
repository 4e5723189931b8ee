"""The head's checks, one rule at a time. The same rules over a socket: tests/integration/test_http_limits.py."""

from __future__ import annotations

import pytest

from tidings.server.guard import BadHead, Head, Header, HostRule, check_head, decode_path

ANY = HostRule()


def check(
    *headers: Header,
    method: bytes = b"GET",
    target: bytes = b"/",
    version: str = "1.1",
    hosts: HostRule = ANY,
) -> Head:
    return check_head(method, target, version, list(headers), hosts)


HOST = (b"host", b"example.com")


def test_an_honest_head_is_told_apart() -> None:
    head = check((b"host", b"Example.com:80"), target=b"/a%20b?x=%2F&y")
    assert head == Head("/a b", "x=%2F&y", "example.com:80")


def test_the_path_is_decoded_once() -> None:
    assert check(HOST, target=b"/a%252Fb").path == "/a%2Fb"


def test_the_absolute_form_says_the_same_as_the_origin_form() -> None:
    assert check(HOST, target=b"http://Example.com/a?b=1") == Head("/a", "b=1", "example.com")


def test_http_1_0_may_come_without_a_host() -> None:
    assert check(version="1.0").host == ""


BAD = {
    "no host": ((), {}),
    "two hosts": ((HOST, HOST), {}),
    "two different hosts": ((HOST, (b"host", b"b")), {}),
    "host with a path": (((b"host", b"a/b"),), {}),
    "host with a user": (((b"host", b"u@a"),), {}),
    "host with a space": (((b"host", b"a b"),), {}),
    "host that is empty": (((b"host", b""),), {}),
    "host that is a list": (((b"host", b"a, b"),), {}),
    "port that is none": (((b"host", b"a:99999"),), {}),
    "port that is a word": (((b"host", b"a:http"),), {}),
    "host beyond ASCII": (((b"host", "ä.de".encode()),), {}),
    "absolute form, another host": ((HOST,), {"target": b"http://other/"}),
    "absolute form, another port": ((HOST,), {"target": b"http://example.com:81/"}),
    "absolute form with a user": ((HOST,), {"target": b"http://u@example.com/"}),
    "absolute form, another scheme": ((HOST,), {"target": b"ftp://example.com/"}),
    "two lengths": ((HOST, (b"content-length", b"1"), (b"content-length", b"1")), {}),
    "length and chunked": ((HOST, (b"content-length", b"1"), (b"transfer-encoding", b"chunked")), {}),
    "length with a sign": ((HOST, (b"content-length", b"+1")), {}),
    "length below nothing": ((HOST, (b"content-length", b"-1")), {}),
    "length in hexadecimal": ((HOST, (b"content-length", b"0x1")), {}),
    "length that is a list": ((HOST, (b"content-length", b"1, 1")), {}),
    "length of 20 digits": ((HOST, (b"content-length", b"9" * 20)), {}),
    "length that is empty": ((HOST, (b"content-length", b"")), {}),
    "another coding": ((HOST, (b"transfer-encoding", b"xchunked")), {}),
    "two codings": ((HOST, (b"transfer-encoding", b"gzip, chunked")), {}),
    "chunked twice": ((HOST, (b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")), {}),
    "chunked in 1.0": ((HOST, (b"transfer-encoding", b"chunked")), {"version": "1.0"}),
    "two authorizations": ((HOST, (b"authorization", b"a"), (b"authorization", b"b")), {}),
    "two origins": ((HOST, (b"origin", b"http://a"), (b"origin", b"http://b")), {}),
    "version 2.0": ((HOST,), {"version": "2.0"}),
    "version 0.9": ((HOST,), {"version": "0.9"}),
    "connect": ((HOST,), {"method": b"CONNECT", "target": b"example.com:1"}),
    "fragment": ((HOST,), {"target": b"/a#b"}),
    "target with a space": ((HOST,), {"target": b"/a b"}),
    "target with a control character": ((HOST,), {"target": b"/a\x7f"}),
    "target beyond ASCII": ((HOST,), {"target": b"/\xc3\xa4"}),
    "target without a slash": ((HOST,), {"target": b"a"}),
    "percent and nothing": ((HOST,), {"target": b"/a%"}),
    "percent and no digits": ((HOST,), {"target": b"/a%zz"}),
    "hidden NUL": ((HOST,), {"target": b"/a%00"}),
    "hidden line break": ((HOST,), {"target": b"/a%0d%0a"}),
    "no UTF-8": ((HOST,), {"target": b"/%ff"}),
    "upgrade with a body": ((HOST, (b"upgrade", b"websocket"), (b"content-length", b"5")), {}),
    "upgrade with chunks": ((HOST, (b"upgrade", b"websocket"), (b"transfer-encoding", b"chunked")), {}),
}


@pytest.mark.parametrize("name", BAD)
def test_what_has_two_readings_is_refused(name: str) -> None:
    headers, request = BAD[name]
    with pytest.raises(BadHead) as caught:
        check(*headers, **request)  # type: ignore[arg-type]
    assert caught.value.status == 400


def test_too_many_headers_are_refused() -> None:
    many = [(b"x-%d" % at, b"") for at in range(99)]
    assert check(HOST, *many).host == "example.com"
    with pytest.raises(BadHead) as caught:
        check(HOST, *many, (b"x", b""))
    assert caught.value.status == 431


def test_a_target_that_is_too_long_is_refused() -> None:
    check(HOST, target=b"/" + b"a" * 8191)
    with pytest.raises(BadHead) as caught:
        check(HOST, target=b"/" + b"a" * 8192)
    assert caught.value.status == 414


def test_an_expectation_we_do_not_know_is_refused() -> None:
    check(HOST, (b"expect", b"100-Continue"))
    with pytest.raises(BadHead) as caught:
        check(HOST, (b"expect", b"200-ok"))
    assert caught.value.status == 417


@pytest.mark.parametrize(
    ("allowed", "host", "good"),
    [
        (["example.com"], "example.com", True),
        (["example.com"], "EXAMPLE.com:8000", True),
        (["example.com:80"], "example.com:80", True),
        (["example.com:80"], "example.com:81", False),
        (["example.com"], "example.com.evil.org", False),
        (["example.com"], "notexample.com", False),
        (["example.com"], "sub.example.com", False),
        (["*.example.com"], "sub.example.com", True),
        (["*.example.com"], "example.com", False),
        (["*.example.com"], "evilexample.com", False),
        (["a", "b"], "b", True),
        ([], "anything.at.all:1", True),
        ([], "[::1]:8000", True),
        ([], "127.0.0.1", True),
        ([], "[::1", False),
        ([], "a..b", False),
    ],
)
def test_hosts_are_compared_whole(allowed: list[str], host: str, good: bool) -> None:
    rule = HostRule(allowed)
    for _ in range(2):  # the second time from memory
        if good:
            check((b"host", host.encode()), hosts=rule)
        else:
            with pytest.raises(BadHead):
                check((b"host", host.encode()), hosts=rule)


def test_a_plain_path_is_left_alone() -> None:
    assert decode_path("/a/b+c") == "/a/b+c"
