"""What must hold between settings."""

from __future__ import annotations

import pytest

from tidings.config.checks import faults_of, notices_of
from tidings.config.settings import (
    AppEntry,
    AppsTable,
    Config,
    KeyPair,
    ServerSettings,
    SourceSettings,
)
from tidings.hub.channel import Retention
from tidings.node.apps import ChannelRule
from tidings.node.limits import Limits
from tidings.node.quotas import Quotas
from tidings.node.webhooks.settings import WebhookSettings
from tidings.sources.rules import Rule

APP = AppEntry(id="1", key="k", secret="s")


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        (Config(apps=(AppEntry(id="a/b", key="k", secret="s"),)), "apps[1].id: 'a/b'"),
        (Config(apps=(AppEntry(id="1", key="k"),)), "apps[1]: key and secret belong together"),
        (Config(apps=(AppEntry(id="1"),)), "apps[1]: no key"),
        (
            Config(apps=(AppEntry(id="1", key="k", secret="s", quotas=Quotas(connections=-1)),)),
            "apps[1].quotas.connections",
        ),
        (
            Config(apps_table=AppsTable(url="sqlite:///a"), sources=(SourceSettings(url="sqlite:///b"),)),
            "sources[1].app: there is no [[apps]]",
        ),
        (Config(apps=(AppEntry(id="1", key="a:b", secret="s"),)), "apps[1]: key 'a:b'"),
        (Config(apps=(AppEntry(id="1", key="k", secret=""),)), "apps[1]: the secret of key 'k' is empty"),
        (Config(apps=(AppEntry(id="1", key="k", secret="s", jwt_secret=""),)), "apps[1].jwt_secret"),
        (Config(apps=(APP, AppEntry(id="1", key="l", secret="s"))), "apps: the id '1' is given 2 times"),
        (Config(apps=(APP, AppEntry(id="2", key="k", secret="s"))), "apps: the key 'k' is given 2 times"),
        (
            Config(apps=(AppEntry(id="1", key="k", secret="s", keys=(KeyPair(key="k", secret="t"),)),)),
            "apps: the key 'k' is given 2 times",
        ),
        (
            Config(apps=(AppEntry(id="1", key="k", secret="s", limits=Limits(batch=0)),)),
            "apps[1].limits.batch: 0",
        ),
        (Config(limits=Limits(connections=-1)), "limits.connections: -1"),
        (
            Config(apps=(APP,), sources=(SourceSettings(url="sqlite:///a", app="x"),)),
            "sources[1].app: no app has the id 'x'",
        ),
        (
            Config(
                sources=(
                    SourceSettings(url="sqlite:///a", name="n"),
                    SourceSettings(url="sqlite:///b", name="n"),
                )
            ),
            "sources: the name 'n'",
        ),
        (Config(channels=(ChannelRule(match=""),)), "channels[1].match"),
        (
            Config(channels=(ChannelRule(match="*", history=Retention(count=0)),)),
            "channels[1].history.count: 0",
        ),
        (Config(server=ServerSettings(path_prefix="live/")), "server.path_prefix: 'live/'"),
        (
            Config(server=ServerSettings(trusted_proxies=("1.2.3.4.5",))),
            "server.trusted_proxies: '1.2.3.4.5'",
        ),
        (Config(server=ServerSettings(data="")), "server.data"),
        (
            Config(
                apps=(AppEntry(id="1", key="k", secret="s", webhooks=(WebhookSettings(url="http://x"),)),)
            ),
            "apps[1].webhooks[1].url",
        ),
    ],
)
def test_each_fault_begins_with_its_setting(config: Config, fault: str) -> None:
    assert [found for found in faults_of(config) if found.startswith(fault)]


def test_a_sound_configuration_has_no_fault() -> None:
    server = ServerSettings(path_prefix="/live/v1", trusted_proxies=("10.0.0.0/8", "::1"))
    assert faults_of(Config(apps=(APP,), server=server, limits=Limits(connects_per_second=0))) == []


def test_no_fault_repeats_a_secret() -> None:
    app = AppEntry(id="a/b", key="k:", secret="hidden-secret", jwt_secret="hidden-too")
    assert not [fault for fault in faults_of(Config(apps=(app, app))) if "hidden" in fault]


def test_settings_for_later_versions_are_noticed() -> None:
    app = AppEntry(id="1", key="k", secret="s", jwks_url="https://x")
    notices = notices_of(Config(apps=(app,), rules=(Rule(table="t", channel="c", insert="e"),)))
    assert [notice.split(":")[0] for notice in notices] == [
        "apps[1].jwks_url",
        "rules",
    ]
