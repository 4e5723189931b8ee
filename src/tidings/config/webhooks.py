"""What must hold of a webhook's settings. Opens nothing: whether its host can be reached shows when it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tidings.node.webhooks.guard import why_refused
from tidings.node.webhooks.settings import WebhookSettings, is_reserved

MAX_URL: Final = 2_000
"""Characters: each letter that waits holds the URL."""

MAX_HEADERS: Final = 20
"""Headers of one webhook: they go with every request."""

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~\-]{1,100}\Z")
_VALUE: Final = re.compile(r"[\x20-\x7e\t]{0,4096}\Z")
_ADDRESS: Final = re.compile(r"[0-9.]+\Z|.*:")


def faults_of_webhooks(name: str, webhooks: Sequence[WebhookSettings]) -> Iterator[str]:
    """Every fault of an app's webhooks. name: of the setting that holds them."""
    for at, webhook in enumerate(webhooks, 1):
        yield from (f"{name}[{at}].url: {why}" for why in _faults_of_url(webhook))
        yield from (f"{name}[{at}].headers: {why}" for why in _faults_of_headers(webhook))
        if not all(webhook.channels):
            yield f"{name}[{at}].channels: an empty pattern; * stands for every channel"
    for url, count in Counter(webhook.url for webhook in webhooks).items():
        if count > 1:
            yield f"{name}: the url {shown(url)!r} is given {count} times; join their events in one"


def shown(url: str) -> str:
    """A URL as it may be printed: path and query may hold the receiver's secret."""
    parts = _split(url)
    return f"{parts.scheme}://{parts.hostname}/…" if parts is not None and parts.hostname else "…"


def _faults_of_url(webhook: WebhookSettings) -> Iterator[str]:
    parts = _split(webhook.url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        yield "expected an address such as https://example.com/hooks"
        return
    if len(webhook.url) > MAX_URL or not webhook.url.isprintable() or " " in webhook.url:
        yield f"expected at most {MAX_URL} characters, none of them blank"
    if parts.username is not None or parts.password is not None:
        yield "it holds a user or password; put an Authorization header into headers"
    if webhook.allow_private:
        return
    if parts.scheme == "http":
        yield f"{shown(webhook.url)!r} is not encrypted; use https, or set allow_private = true"
    if _ADDRESS.match(parts.hostname) and (why := why_refused(parts.hostname)) is not None:
        yield f"{parts.hostname} is {why}; set allow_private = true to send there"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for a port that is none
    except ValueError:
        return None
    return parts


def _faults_of_headers(webhook: WebhookSettings) -> Iterator[str]:
    if len(webhook.headers) > MAX_HEADERS:
        yield f"more than {MAX_HEADERS}"
    for header, value in webhook.headers.items():
        if _NAME.match(header) is None:
            yield f"{header[:40]!r} is not the name of a header"
        elif is_reserved(header):
            yield f"{header} is set by Tidings itself"
        elif _VALUE.match(value) is None:
            yield f"the value of {header} holds what a header cannot"
