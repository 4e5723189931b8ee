"""What must hold of a webhook's settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tidings.config.layers import Layer
from tidings.config.loading import Faults, read
from tidings.config.showing import rows_of
from tidings.config.webhooks import faults_of_webhooks, shown
from tidings.node.webhooks.settings import BatchSettings, WebhookSettings

URL = "https://example.com/hook?token=hidden"


def faults(*webhooks: WebhookSettings) -> list[str]:
    return list(faults_of_webhooks("apps[1].webhooks", webhooks))


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"url": "nonsense"}, "[1].url: expected an address"),
        ({"url": "ftp://h/"}, "[1].url: expected an address"),
        ({"url": "https:///path"}, "[1].url: expected an address"),
        ({"url": "https://h:99999/"}, "[1].url: expected an address"),
        ({"url": "https://h/" + "x" * 2000}, "[1].url: expected at most 2000"),
        ({"url": "https://h/a b"}, "[1].url: expected at most 2000 characters, none of them blank"),
        ({"url": "https://user:hidden@h/"}, "[1].url: it holds a user or password"),
        ({"url": "http://example.com/hidden"}, "[1].url: 'http://example.com/…' is not encrypted"),
        ({"url": "https://127.0.0.1/"}, "[1].url: 127.0.0.1 is of this computer"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "[1].url: ::ffff:10.0.0.1 is an IPv4 address in disguise"),
        ({"headers": {"bad name": "x"}}, "[1].headers: 'bad name' is not the name"),
        ({"headers": {"X-Pusher-Key": "x"}}, "[1].headers: X-Pusher-Key is set by Tidings itself"),
        ({"headers": {"X-A": "a\r\nX-B: hidden"}}, "[1].headers: the value of X-A"),
        ({"headers": {f"X-{at}": "a" for at in range(21)}}, "[1].headers: more than 20"),
        ({"channels": ("",)}, "[1].channels: an empty pattern"),
    ],
)
def test_each_fault_begins_with_its_setting(given: dict[str, Any], fault: str) -> None:
    found = faults(WebhookSettings(**{"url": URL, **given}))
    assert [one for one in found if one.startswith(f"apps[1].webhooks{fault}")]
    assert not [one for one in found if "hidden" in one]


def test_two_webhooks_with_one_url_are_refused_without_telling_it_whole() -> None:
    assert faults(WebhookSettings(url=URL), WebhookSettings(url=URL)) == [
        "apps[1].webhooks: the url 'https://example.com/…' is given 2 times; join their events in one"
    ]


@pytest.mark.parametrize(
    "webhook",
    [
        WebhookSettings(url=URL, headers={"Authorization": "Bearer x"}, events=("cache_miss",)),
        WebhookSettings(url="http://127.0.0.1:9000/", allow_private=True),
        WebhookSettings(url="http://[::1]:9000/", allow_private=True),
        WebhookSettings(url="https://hooks.internal/", batch=BatchSettings(events=10)),
    ],
)
def test_a_sound_webhook_has_no_fault(webhook: WebhookSettings) -> None:
    assert faults(webhook) == []


def test_a_url_is_shown_without_its_path() -> None:
    assert shown("https://example.com/secret?token=x") == "https://example.com/…"
    assert shown("http://[::1") == "…"


def config(webhook: dict[str, Any]) -> Any:
    app = {"id": "1", "key": "k", "secret": "s", "webhooks": [{"url": URL, **webhook}]}
    return read(Layer({"apps": [app]}), os.environ)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"events": ["channel_ocupied"]}, "expected one of channel_occupied"),
        ({"batch": {"events": 1}}, "apps[1].webhooks[1].batch.events: 1"),
        ({"batch": {"evnts": 3}}, "did you mean events?"),
        ({"alow_private": True}, "did you mean allow_private?"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_right(given: dict[str, Any], fault: str) -> None:
    with pytest.raises(Faults) as raised:
        config(given)
    assert fault in str(raised.value)


def test_a_header_may_be_kept_elsewhere_and_is_never_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    monkeypatch.setenv("HOOK_TOKEN", "from-the-environment")
    read_config = config(
        {"headers": {"X-A": "env:HOOK_TOKEN", "X-B": f"file:{tmp_path}/token", "X-C": "plain"}}
    )
    (webhook,) = read_config.apps[0].webhooks
    assert webhook.headers == {"X-A": "from-the-environment", "X-B": "from-a-file", "X-C": "plain"}
    rows = {row.setting: row.value for row in rows_of(read_config, {"apps[1].webhooks[1].headers": None})}  # type: ignore[dict-item]
    assert not [value for value in rows.values() if "from-" in value or "plain" in value]


def test_a_header_that_refers_to_nothing_is_a_fault() -> None:
    with pytest.raises(Faults, match=r"apps\[1\]\.webhooks\[1\]\.headers\.X-A: env:NOT_THERE"):
        config({"headers": {"X-A": "env:NOT_THERE"}})
