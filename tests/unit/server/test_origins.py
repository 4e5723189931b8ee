"""The matrix of origins: who may connect from where."""

from __future__ import annotations

import pytest

from tidings.server.origins import Origin, allowed, parse_origin, same_host

LIST = (
    "https://example.com",
    "http://localhost:5173",
    "https://*.example.org",
    "intranet",
    "any.example.net:*",
)

MATRIX = [
    # origin, allowed by LIST
    ("https://example.com", True),
    ("https://EXAMPLE.com", True),
    ("HTTPS://example.com", True),
    ("https://example.com:443", True),
    ("https://example.com:444", False),
    ("https://example.com:80", False),
    ("http://example.com", False),
    ("https://example.com.evil.org", False),
    ("https://evilexample.com", False),
    ("https://sub.example.com", False),
    ("https://example.co", False),
    ("https://example.comm", False),
    ("https://example.com.", False),
    ("https://example.com/", False),
    ("https://example.com/path", False),
    ("https://example.com@evil.org", False),
    ("https://evil.org#https://example.com", False),
    ("https://evil.org?https://example.com", False),
    ("https://user:pass@example.com", False),
    ("https://example.com https://evil.org", False),
    ("https://example.com,https://evil.org", False),
    ("https://xn--exmple-cua.com", False),
    ("https://exämple.com", False),
    ("https://exampl\u0435.com", False),  # a Cyrillic letter
    ("null", False),
    ("NULL", False),
    ("", False),
    ("file://", False),
    ("example.com", False),
    ("//example.com", False),
    ("https://", False),
    ("https://example.com:", False),
    ("https://example.com:99999", False),
    ("javascript://example.com", False),
    ("http://localhost:5173", True),
    ("http://localhost", False),
    ("http://localhost:51730", False),
    ("https://a.example.org", True),
    ("https://a.b.example.org", True),
    ("https://example.org", False),
    ("https://evilexample.org", False),
    ("https://a.example.org.evil.com", False),
    ("http://intranet", True),
    ("https://intranet", True),
    ("https://intranet:8443", False),
    ("https://any.example.net:8443", True),
    ("http://any.example.net", True),
    (None, True),
]


@pytest.mark.parametrize(("origin", "good"), MATRIX)
def test_a_list_is_obeyed_by_whole_origins(origin: str | None, good: bool) -> None:
    for cookies in (False, True):
        assert allowed(LIST, origin, "example.com", cookies=cookies) is good


@pytest.mark.parametrize(
    ("origin", "host", "cookies", "good"),
    [
        ("https://example.com", "example.com", True, True),
        ("https://example.com", "EXAMPLE.com:443", True, True),
        ("http://example.com", "example.com:80", True, True),
        ("http://example.com:8000", "example.com:8000", True, True),
        ("http://example.com:8000", "example.com:8001", True, False),
        ("http://example.com", "example.com:8000", True, False),
        ("https://evil.org", "example.com", True, False),
        ("https://evil.org", "example.com", False, True),
        ("https://example.com.evil.org", "example.com", True, False),
        ("http://[::1]:8000", "[::1]:8000", True, True),
        ("http://127.0.0.1:8000", "localhost:8000", True, False),
        ("null", "example.com", False, False),
        ("null", "example.com", True, False),
        (None, "example.com", True, True),
        ("https://example.com", "", True, False),
    ],
)
def test_without_a_list_cookies_bind_a_page_to_its_host(
    origin: str | None, host: str, cookies: bool, good: bool
) -> None:
    assert allowed((), origin, host, cookies=cookies) is good


def test_a_star_allows_every_page_but_those_without_an_origin_of_their_own() -> None:
    assert allowed(("*",), "https://anything.at.all", "h", cookies=True)
    assert not allowed(("*",), "null", "h", cookies=True)


@pytest.mark.parametrize(
    "pattern", ["https://", "ex*mple.com", "*.*.com", "https://*", ".*", "https://example.com/"]
)
def test_a_pattern_that_is_none_allows_nobody(pattern: str) -> None:
    assert not allowed((pattern,), "https://example.com", "h", cookies=False)


def test_an_origin_has_its_schemes_port() -> None:
    assert parse_origin("https://a.b") == Origin("https", "a.b", 443)


def test_the_same_host_needs_the_same_port() -> None:
    assert same_host(Origin("http", "a", 80), "a")
    assert not same_host(Origin("http", "a", 81), "a")
