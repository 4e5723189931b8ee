"""The rule language: how rules are read, and which are refused with what help."""

from __future__ import annotations

from typing import Any

import pytest

from tidings.errors import ConfigError
from tidings.sources.rules import (
    MAX_RULES,
    FunctionRule,
    Rule,
    When,
    check_rules,
    faults_of_rules,
    load_rules,
)

COLUMNS = {"tasks": ("id", "project_id", "status_id", "title"), "notes": ("id",)}
TASKS: dict[str, Any] = {"table": "tasks", "channel": "project-{project_id}", "insert": "task-created"}


def test_the_contracts_example_is_read_and_fits() -> None:
    (rule,) = load_rules(
        [
            TASKS
            | {
                "delete": "task-deleted",
                "update": "task-updated",
                "when": [{"changed": "status_id", "event": "task-moved"}],
                "data": {"taskId": "id", "projectId": "project_id"},
                "keys": [["projects", "{project_id}"], ["tasks", "{id}"]],
                "deliver": "notify",
            }
        ]
    )
    assert rule.when == (When("status_id", "task-moved"),)
    assert rule.keys == (("projects", "{project_id}"), ("tasks", "{id}"))
    check_rules([rule], COLUMNS)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("chanel", "x", r"rules\[1\].*'chanel'.*did you mean 'channel'"),
        ("deliver", "all", r"rules\[1\].*deliver"),
        ("keys", ["a"], r"rules\[1\].*keys"),
        ("when", [{"changed": "id"}], r"rules\[1\].*event"),
        ("when", [{"changed": "id", "event": "e", "colour": 1}], r"rules\[1\].*colour"),
    ],
)
def test_a_rule_that_cannot_be_read_is_refused_by_name(field: str, value: object, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_rules([TASKS | {field: value}])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"table": "task"}, "rules.1..table.*'task'.*did you mean 'tasks'"),
        ({"channel": "project-{projekt_id}"}, "channel.*'projekt_id'.*did you mean 'project_id'"),
        ({"channel": "project {id}"}, "channel.*not allowed"),
        ({"channel": "p-*"}, "channel.*not allowed"),
        ({"channel": "p-{"}, "channel.*brace"),
        ({"channel": ""}, "channel.*empty"),
        ({"channel": "x" * 201}, "channel.*longer than 200"),
        ({"data": {"t": "titel"}}, "data.*did you mean 'title'"),
        ({"keys": (("a", "{idd}"),)}, "keys.*did you mean 'id'"),
        ({"keys": (("a", "{id"),)}, "keys.*brace"),
        ({"when": (When("status", "e"),)}, "when.1..changed.*did you mean 'status_id'"),
        ({"when": (When("id", "e", {"x": "none such"}),)}, "when.1..data"),
        ({"version": "rev"}, "version.*'rev'"),
        ({"insert": "pusher:x"}, "insert.*may not begin"),
        ({"insert": ""}, "sends nothing|printable"),
        ({"insert": "e" * 201}, "insert.*200"),
        ({"update": "a\nb"}, "update.*printable"),
        ({"insert": None}, "sends nothing"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused_with_the_nearest_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        check_rules([Rule(**{**TASKS, **change})], COLUMNS)


def test_every_fault_of_every_rule_is_told_in_the_order_of_words() -> None:
    rules = [Rule(**TASKS), Rule(table="task", channel="a b", insert="e", keys=(("{idd}",), ("{x",)))]
    rules.append(Rule(table="tasks", channel="p-{projct_id}", version="rev"))
    found = faults_of_rules(rules, COLUMNS)
    assert [fault.split(":")[0] for fault in found] == [
        "rules[2].table",
        "rules[2].channel",
        "rules[2].keys",
        "rules[3]",
        "rules[3].channel",
        "rules[3].version",
    ]
    assert "there is no column 'projct_id' in table 'tasks'; did you mean 'project_id'?" in found[4]


def test_a_function_rule_needs_a_table_that_is_captured() -> None:
    rule = FunctionRule(table="nots", function=lambda change: [], channels=("n-*",))
    with pytest.raises(ConfigError, match="did you mean 'notes'"):
        check_rules([rule], COLUMNS)


def test_rules_are_bounded() -> None:
    with pytest.raises(ConfigError, match=str(MAX_RULES)):
        check_rules([Rule(**TASKS)] * (MAX_RULES + 1), COLUMNS)
