"""What rules make of a change, asked without a server."""

from __future__ import annotations

from pathlib import Path

from tests.unit.bootstrap.builders import RULE, database, with_source
from tidings.bootstrap import explain
from tidings.changes import Change
from tidings.config.settings import Config
from tidings.sources.rules import Rule

__all__ = ["database"]  # a fixture


def test_explain_tells_what_each_rule_of_the_table_would_send(database: Path) -> None:
    notes = Rule(table="notes", channel="n", insert="e")
    silent = Rule(table="tasks", channel="p", delete="gone")
    change = Change(table="tasks", kind="insert", key=("id",), new={"id": 1, "project_id": 7, "title": "t"})
    first, second = explain(with_source(database, notes, RULE, silent), change).told
    assert (first.rule, first.outcome, first.drafts[0].channel) == (2, "sent", "project-7")
    assert (second.rule, second.outcome) == (3, "nothing")
    assert second.why


def test_explain_needs_no_source() -> None:
    change = Change(table="tasks", kind="insert", key=("id",), new={"id": 1, "project_id": 7})
    answer = explain(Config(rules=(RULE,)), change)
    assert answer.told[0].drafts[0].channel == "project-7"
    assert answer.keyed


def test_explain_reads_the_primary_key_from_the_source(database: Path) -> None:
    change = Change(table="tasks", kind="insert", new={"id": 1, "project_id": 7})
    answer = explain(with_source(database, RULE), change)
    assert (answer.keyed, answer.told[0].drafts[0].data) == (True, {"id": 1, "project_id": 7})
    assert not explain(Config(rules=(RULE,)), change).keyed
