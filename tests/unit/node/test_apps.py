"""Apps: options by name and rule, lookups by id and key, replayed signatures."""

from __future__ import annotations

from typing import Any

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
    with pytest.raises(Disconnect) as switched_off:
        apps.by_key("k2")
    assert switched_off.value.name == "app_off"
    with pytest.raises(Disconnect) as gone:
        apps.by_key("k3")
    assert gone.value.name == "app_gone"
    with pytest.raises(Refusal) as disabled:
        apps.by_id("2")
    assert disabled.value.name == "app_disabled"
    with pytest.raises(Refusal) as unknown:
        apps.named("nobody")
    assert unknown.value.name == "unknown_app"


def other(**given: Any) -> AppSettings:
    return AppSettings(**{"id": AppId("2"), "keys": {"k2": "s"}, **given})


def test_apps_come_go_and_change() -> None:
    apps = Apps([app()])
    second = App(other(), by_name, lambda hub: None)
    apps.add(second)
    assert len(apps) == 2
    assert apps.by_key("k2") is second
    assert apps.change(other(keys={"k3": "s3", "k2": "s"})) is second
    assert apps.by_key("k3") is apps.by_key("k2") is second
    apps.change(other(keys={"k3": "s3"}))
    with pytest.raises(Disconnect):
        apps.by_key("k2")
    assert apps.remove(AppId("2")) is second
    assert apps.get("2") is None
    with pytest.raises(Disconnect):
        apps.by_key("k3")
    with pytest.raises(KeyError):
        apps.remove(AppId("2"))


def test_no_app_takes_a_key_or_an_id_from_another() -> None:
    apps = Apps([app(), App(other(), by_name, lambda hub: None)])
    with pytest.raises(ValueError, match="belongs to another"):
        apps.change(other(keys={"k3": "s", "key": "s"}))
    assert apps.by_key("k2").id == "2"
    with pytest.raises(Disconnect):
        apps.by_key("k3")
    with pytest.raises(ValueError, match="already"):
        apps.add(App(other(keys={"k9": "s"}), by_name, lambda hub: None))
    with pytest.raises(ValueError, match="belongs"):
        apps.add(App(other(id=AppId("3")), by_name, lambda hub: None))
    assert apps.get("3") is None


def test_a_server_without_apps_says_so() -> None:
    with pytest.raises(Refusal) as none:
        Apps([]).named(None)
    assert none.value.name == "unknown_app"


def test_a_change_of_rules_holds_at_once() -> None:
    tenant = app()
    assert not tenant.options(ChannelName("project-1")).require_auth
    tenant.change(settings(ChannelRule(match="project-*", require_auth=True)))
    assert tenant.options(ChannelName("project-1")).require_auth
