"""From configuration to parts: addresses, which rules belong to which source, what is wrong said at once."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest

from tests.unit.bootstrap.builders import APP, MEMORY, RULE, database, with_source
from tests.unit.tenants.tables import create_table, insert, run
from tidings.bootstrap import (
    assemble,
    check,
    make_engine,
    make_node,
    make_webhooks,
    options_by_name,
    serve,
)
from tidings.config.settings import (
    AppsTable,
    Config,
    EngineSettings,
    ServerSettings,
)
from tidings.engines.memory import MemoryEngine
from tidings.engines.memory.webhooks import MemoryStore
from tidings.engines.sqlite import SqliteEngine
from tidings.engines.sqlite.webhooks import SqliteStore
from tidings.errors import ConfigError, EngineError
from tidings.hub.channel import DEFAULT_OPTIONS
from tidings.node.apps import ChannelRule
from tidings.node.webhooks.settings import WebhookSettings
from tidings.sources.rules import Rule
from tidings.testing.ports import free_port

__all__ = ["database"]  # a fixture


# ── addresses


def test_each_scheme_has_its_engine(tmp_path: Path) -> None:
    assert isinstance(make_engine("memory:", lambda app, channel: DEFAULT_OPTIONS), MemoryEngine)
    engine = make_engine(f"sqlite:///{tmp_path}/log.db", lambda app, channel: DEFAULT_OPTIONS)
    assert isinstance(engine, SqliteEngine)


@pytest.mark.parametrize("url", ["redis://h:1", "nats://h"])
def test_a_scheme_of_a_later_version_is_named_as_such(url: str) -> None:
    with pytest.raises(ConfigError, match=r"is not in this build yet; use memory: or sqlite:///path"):
        make_engine(url, lambda app, channel: DEFAULT_OPTIONS)


# ── the whole


def test_channel_rules_reach_the_engine_and_the_node() -> None:
    config = Config(apps=(APP,), engine=MEMORY, channels=(ChannelRule(match="project-*", require_auth=True),))
    node = make_node(config)
    app = node.apps.default
    assert app.options("project-1").require_auth  # type: ignore[arg-type]
    assert not app.options("news").require_auth  # type: ignore[arg-type]


def test_names_mean_on_every_protocol_what_they_mean_in_pushers() -> None:
    options = options_by_name("presence-cache-room")
    assert (options.presence, options.cache, options.require_auth) == (True, True, True)
    assert options_by_name("news") == DEFAULT_OPTIONS


def test_without_an_app_nothing_is_assembled() -> None:
    with pytest.raises(ConfigError, match=r"\[\[apps\]\] or --app"):
        assemble(Config(engine=MEMORY))


def test_a_rule_that_names_a_missing_column_is_refused_with_the_nearest(database: Path) -> None:
    rule = Rule(table="tasks", channel="p-{projct_id}", insert="e")
    with pytest.raises(ConfigError, match="did you mean 'project_id'"):
        assemble(with_source(database, rule))


def test_check_tells_every_faulty_rule_by_its_number(database: Path) -> None:
    bad = Rule(table="tasks", channel="p-{projct_id}", insert="e")
    worse = Rule(table="tasks", channel="p-{id}")
    faults = check(with_source(database, RULE, bad, worse))
    assert [fault.split(":")[0] for fault in faults] == ["rules[2].channel", "rules[3]"]


def test_check_tells_faults_of_every_source_table_and_rule_at_once(database: Path, tmp_path: Path) -> None:
    bad = Rule(table="tasks", channel="p-{projct_id}", insert="e", data={"x": "titel"})
    missing = Rule(table="taks", channel="p", insert="e")
    other = Rule(table="nots", channel="p", insert="e")
    faults = check(with_source(database, missing, bad, other))
    assert [fault.split(":")[0] for fault in faults] == [
        "rules[1].table",
        "rules[3].table",
        "rules[2].channel",
        "rules[2].data",
    ]
    assert faults[0].endswith("did you mean 'tasks'?")


def test_check_tells_a_rule_whose_table_nobody_captures_by_its_number_and_goes_on(database: Path) -> None:
    bad = Rule(table="tasks", channel="p-{projct_id}", insert="e")
    faults = check(with_source(database, bad, Rule(table="taks", channel="p", insert="e"), tables=("tasks",)))
    assert faults == [
        "rules[2].table: no source captures table 'taks'; did you mean 'tasks'? (or add it to a source's tables)",
        "rules[1].channel: there is no column 'projct_id' in table 'tasks'; did you mean 'project_id'?",
    ]


def test_check_tells_addresses_and_databases(tmp_path: Path) -> None:
    config = with_source(tmp_path / "none.db", RULE)
    config = msgspec.structs.replace(config, engine=EngineSettings(url="redis://x"))
    assert [fault for fault in check(config) if "redis" in fault]
    assert [fault for fault in check(config) if "there is no database" in fault]


def test_check_has_nothing_to_say_of_what_is_well(database: Path) -> None:
    assert check(with_source(database, RULE)) == []


# ── serving


async def test_a_busy_port_is_told_with_the_flag_that_helps() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        config = Config(apps=(APP,), engine=MEMORY, server=ServerSettings(port=port))
        with pytest.raises(ConfigError, match=rf"port {port} .* in use by another program.*--port"):
            await serve(assemble(config))


async def test_an_address_of_another_computer_is_told() -> None:
    config = Config(apps=(APP,), engine=MEMORY, server=ServerSettings(host="192.0.2.1"))
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:8000.*--host"):
        await serve(assemble(config))


# ── webhooks


def test_webhooks_are_kept_where_the_log_is(tmp_path: Path) -> None:
    hook = WebhookSettings(url="https://example.com/")
    app = msgspec.structs.replace(APP, webhooks=(hook,))
    lasting = make_node(Config(apps=(app,), engine=EngineSettings(url=f"sqlite:///{tmp_path}/log.db")))
    store = make_webhooks(lasting)._ledger._store
    assert isinstance(store, SqliteStore)
    assert store.path == f"{tmp_path}/log-webhooks.db"
    passing = make_node(Config(apps=(app,), engine=MEMORY))
    assert isinstance(make_webhooks(passing)._ledger._store, MemoryStore)
    assert passing.observed
    assert [one.settings.webhooks for one in passing.apps] == [(hook,)]


async def test_a_store_that_cannot_be_used_stops_the_start_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "log-webhooks.db").write_bytes(b"this is no database" * 1000)
    config = Config(apps=(APP,), engine=EngineSettings(url=f"sqlite:///{tmp_path}/log.db"))
    node = assemble(config).node
    with pytest.raises(EngineError, match="cannot be used for webhooks"):
        await node.start()
    await node.stop()


# ── apps from a table


def table_config(path: Path) -> Config:
    return Config(apps_table=AppsTable(url=f"sqlite:///{path}"), engine=EngineSettings(url="memory:"))


async def test_apps_of_a_table_are_there_when_the_node_has_started(tmp_path: Path) -> None:
    run(tmp_path / "apps.db", create_table())
    insert(tmp_path / "apps.db", "7", "k7")
    node = assemble(table_config(tmp_path / "apps.db"), sqlite="sqlite3").node
    assert len(node.apps) == 0
    await node.start()
    try:
        assert node.apps.by_key("k7").id == "7"
    finally:
        await node.stop()


def test_check_names_what_is_wrong_with_a_table_and_its_rows(tmp_path: Path) -> None:
    config = table_config(tmp_path / "apps.db")
    (missing,) = check(config)
    assert "there is no database" in missing
    run(tmp_path / "apps.db", create_table())
    assert check(config) == []
    insert(tmp_path / "apps.db", "7", "k7", limits='{"batches": 1}')
    (fault,) = check(config)
    assert fault.startswith("tidings_apps '7': limits.batches")
    assert "sqlite:///" in check(Config(apps_table=AppsTable(url="postgresql://x")))[0]
