"""Apps: options by name and rule, lookups by id and key, replayed signatures."""

from __future__ import annotations

import pytest

from tests.unit.node.builders import by_name, settings
from tidings.errors import Disconnect, Refusal
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import AppId, ChannelName
from tidings.node.apps import App, Apps, AppSettings, ChannelRule, apply_rules


def app(**given: object) -> App:
    return App(settings(**given), by_name, lambda hub: None)


def test_the_later_rule_wins_and_says_only_what_it_names() -> None:
    rules = (
        ChannelRule(match="a*", cache=True, history=Retention(count=5)),
        ChannelRule(match="ab*", cache=False),
        ChannelRule(match="zz", ephemeral=True),
    )
    assert apply_rules(ChannelOptions(), "abc", rules) == ChannelOptions(history=Retention(count=5))


def test_a_public_name_can_be_made_to_need_authorisation() -> None:
    guarded = App(settings(ChannelRule(match="project-*", require_auth=True)), by_name, lambda hub: None)
    assert guarded.options(ChannelName("project-1")).require_auth
    assert not guarded.options(ChannelName("other")).require_auth


def test_a_signature_is_accepted_once_within_its_window() -> None:
    tenant = app()
    assert tenant.accept_signature("s", now=0, expires=600)
    assert not tenant.accept_signature("s", now=3, expires=600)
    assert not tenant.accept_signature("s", now=599, expires=1200)
    assert tenant.accept_signature("s", now=601, expires=1200)


def test_the_same_event_twice_in_a_second_is_not_a_replay() -> None:
    tenant = app()
    assert tenant.accept_signature("s", now=0.0, expires=600)
    assert tenant.accept_signature("s", now=0.9, expires=600)
    assert not tenant.accept_signature("s", now=2.1, expires=600)


def test_a_retry_is_a_replay_unless_it_carries_the_same_key() -> None:
    tenant = app()
    assert tenant.accept_signature("s", now=0, expires=600, key="k")
    assert tenant.accept_signature("s", now=1, expires=600, key="k")
    assert not tenant.accept_signature("s", now=1, expires=600, key="other")
    assert not tenant.accept_signature("s", now=1, expires=600)


def test_lookups_say_what_is_wrong() -> None:
    off = AppSettings(id=AppId("2"), keys={"k2": "s"}, enabled=False)
    apps = Apps([app(), App(off, by_name, lambda hub: None)])
    assert apps.by_key("key") is apps.default
    assert apps.named(None) is apps.default
    assert [one.id for one in apps] == ["1001", "2"]
    with pytest.raises(Disconnect) as gone:
        apps.by_key("k2")
    assert gone.value.name == "app_gone"
    with pytest.raises(Refusal) as disabled:
        apps.by_id("2")
    assert disabled.value.name == "app_disabled"
    with pytest.raises(Refusal) as unknown:
        apps.named("nobody")
    assert unknown.value.name == "unknown_app"
