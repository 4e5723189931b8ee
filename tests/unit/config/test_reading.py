"""The reader: every fault at once, each with the setting, what was given, where, and what was expected."""

from __future__ import annotations

from typing import Any

import pytest

from tidings.config.layers import Origin, paths_of
from tidings.config.reading import Reader
from tidings.config.settings import Config


def faults(tree: dict[str, Any], *, text: bool = False) -> list[str]:
    reader = Reader({at: Origin("file x.toml", text=text) for at in paths_of(tree)})
    reader.struct(Config, tree, "")
    return reader.faults


def test_a_wrong_type_is_told_with_setting_value_origin_and_expectation() -> None:
    assert faults({"server": {"port": "eight"}}) == [
        "server.port: 'eight' (file x.toml): expected a whole number, got text"
    ]


def test_all_faults_are_told_at_once() -> None:
    tree = {
        "server": {"prot": 1, "port": 0},
        "limits": {"batch": "many"},
        "apps": [{"key": 3}],
        "channels": [{"match": "x", "history": {"bites": 1}}],
    }
    found = faults(tree)
    assert [fault.split(" ")[0].rstrip(":") for fault in found] == [
        "server.prot",
        "server.port",
        "apps[1].id",
        "apps[1].key",
        "channels[1].history.bites",
        "limits.batch",
    ]


@pytest.mark.parametrize(
    ("tree", "hint"),
    [
        ({"sever": {}}, "did you mean server?"),
        ({"server": {"drian_seconds": 1}}, "did you mean drain_seconds?"),
        ({"server": {"dran": 1}}, "did you mean drain_seconds?"),
        ({"rules": [{"table": "t", "chanel": "c"}]}, "did you mean channel?"),
        ({"zzz": 1}, "known are server, engine"),
    ],
)
def test_an_unknown_setting_names_the_nearest(tree: dict[str, Any], hint: str) -> None:
    assert any(hint in fault for fault in faults(tree))


def test_a_choice_is_told_with_all_choices() -> None:
    (fault,) = faults({"server": {"log_format": "xml"}})
    assert fault.endswith("expected one of auto, console, json")


def test_a_table_where_a_list_belongs_is_told_with_the_way_to_write_it() -> None:
    assert faults({"apps": {"id": "1"}})[0].endswith("expected a list of tables, written [[apps]]")
    assert faults({"server": 3})[0].endswith("expected a table")


def test_a_wrong_secret_is_not_repeated() -> None:
    (fault,) = faults({"apps": [{"id": "1", "key": "k", "secret": 424242}]})
    assert "424242" not in fault
    assert fault.startswith("apps[1].secret (file x.toml)")


def test_a_long_wrong_value_is_cut() -> None:
    (fault,) = faults({"server": {"port": "9" * 5000}})
    assert len(fault) < 200


def test_texts_of_the_environment_are_read_as_numbers_flags_and_lists() -> None:
    tree = {
        "server": {"port": "9000", "trusted_proxies": "10.0.0.0/8, ::1", "drain_seconds": "2.5"},
        "limits": {"batch": "3"},
    }
    reader = Reader({at: Origin("env X", text=True) for at in paths_of(tree)})
    config = reader.struct(Config, tree, "")
    assert reader.faults == []
    assert config.server.port == 9000
    assert config.server.trusted_proxies == ("10.0.0.0/8", "::1")
    assert config.server.drain_seconds == 2.5
    assert config.limits.batch == 3


def test_a_text_in_a_file_is_no_number() -> None:
    assert faults({"server": {"port": "9000"}}) != []


def test_an_unknown_setting_spoils_nothing_and_a_wrong_value_spoils_its_table() -> None:
    reader = Reader({})
    tree = {"server": {"prot": 1, "port": 9000}, "apps": [{"id": 1, "key": "k"}], "limits": {"batch": 3}}
    config, broken = reader.whole(Config, tree)
    assert len(reader.faults) == 2
    assert broken == {"apps"}
    assert (config.server.port, config.limits.batch, config.apps) == (9000, 3, ())


def test_a_table_in_the_wrong_place_is_not_shown_since_it_may_hold_a_secret() -> None:
    told = faults({"apps": [{"id": "1", "keys": {"key": "x", "secret": "TOPSECRET"}}]})
    assert told
    assert "TOPSECRET" not in "\n".join(told)
