"""What one rule makes of one change."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tidings.changes import Change
from tidings.messages import Entity
from tidings.sources.rulebook import CompiledRule, Undeliverable, encode_json
from tidings.sources.rules import Draft, Rule, When

COLUMNS = ("id", "project_id", "status_id", "title")
ROW = {"id": 7, "project_id": 3, "status_id": 1, "title": "write"}


def compiled(**fields: Any) -> CompiledRule:
    base = {"table": "tasks", "channel": "project-{project_id}"}
    return CompiledRule(
        Rule(**{**base, "insert": "made", "update": "changed", "delete": "gone", **fields}), COLUMNS, 1000
    )


def change(old: dict[str, Any] | None, new: dict[str, Any] | None, **fields: Any) -> Change:
    kind: Any = "update" if old and new else ("insert" if new else "delete")
    return Change(table="tasks", kind=kind, key=("id",), old=old, new=new, **fields)


def only(rule: CompiledRule, of: Change) -> Draft:
    (draft,) = rule.drafts(of)
    return draft


def test_by_default_the_data_is_the_key_and_the_channels_columns() -> None:
    draft = only(compiled(), change(None, ROW))
    assert (draft.channel, draft.event, draft.data) == ("project-3", "made", {"id": 7, "project_id": 3})
    assert draft.entity == Entity(type="tasks", id=7, change="insert")


def test_data_and_keys_are_filled_by_the_rule() -> None:
    rule = compiled(data={"taskId": "id"}, keys=(("projects", "{project_id}"), ("tasks", "t-{id}"), ("all",)))
    draft = only(rule, change(ROW, None))
    assert (draft.event, draft.data) == ("gone", {"taskId": 7})
    assert draft.keys == (("projects", 3), ("tasks", "t-7"), ("all",))


def test_a_key_with_null_in_it_is_left_out() -> None:
    draft = only(
        compiled(keys=(("status", "{status_id}"), ("tasks", "{id}"))), change(None, ROW | {"status_id": None})
    )
    assert draft.keys == (("tasks", 7),)


@pytest.mark.parametrize("kind", ["insert", "update", "delete"])
def test_no_event_is_named_so_nothing_is_sent(kind: str) -> None:
    rule = compiled(**{kind: None})
    told = {
        "insert": change(None, ROW),
        "update": change(ROW, ROW | {"title": "x"}),
        "delete": change(ROW, None),
    }[kind]
    assert rule.drafts(told) == []
    assert kind in rule.silence(told)


def test_the_first_when_that_fits_wins_and_may_name_its_own_data() -> None:
    when = (
        When("status_id", "moved", {"taskId": "id", "newStatusId": "status_id"}),
        When("title", "renamed"),
    )
    rule = compiled(when=when)
    moved = only(rule, change(ROW, ROW | {"status_id": 2, "title": "both"}))
    assert (moved.event, moved.data) == ("moved", {"taskId": 7, "newStatusId": 2})
    assert only(rule, change(ROW, ROW | {"title": "x"})).event == "renamed"


def test_a_row_that_changes_its_channel_is_told_to_both() -> None:
    leave, enter = compiled().drafts(change(ROW, ROW | {"project_id": 4}))
    assert (leave.channel, leave.event, leave.data) == ("project-3", "gone", {"id": 7, "project_id": 3})
    assert (enter.channel, enter.event, enter.data) == ("project-4", "made", {"id": 7, "project_id": 4})
    assert leave.entity is not None
    assert enter.entity is not None
    assert (leave.entity.change, enter.entity.change) == ("leave", "enter")


def test_a_move_is_told_as_an_update_where_nothing_else_is_named() -> None:
    drafts = compiled(insert=None, delete=None).drafts(change(ROW, ROW | {"project_id": 4}))
    assert [draft.event for draft in drafts] == ["changed", "changed"]


def test_null_in_the_channel_is_no_channel() -> None:
    nowhere = ROW | {"project_id": None}
    rule = compiled()
    assert rule.drafts(change(None, nowhere)) == []
    assert "NULL" in rule.silence(change(None, nowhere))
    assert [d.event for d in rule.drafts(change(nowhere, ROW))] == ["made"]
    assert [d.event for d in rule.drafts(change(ROW, nowhere))] == ["gone"]


def test_old_values_that_are_not_told_count_as_unmoved() -> None:
    of = Change(table="tasks", kind="update", key=("id",), old=None, new=ROW)
    assert only(compiled(), of).event == "changed"
    assert only(compiled(), change({"id": 7}, ROW)).event == "changed"


def test_full_delivers_the_row_and_its_version() -> None:
    rule = compiled(deliver="full", data={"taskId": "id"}, version="status_id", entity="task")
    draft = only(rule, change(None, ROW))
    assert draft.data == {**ROW, "taskId": 7}
    assert draft.entity == Entity(type="task", id=7, version=1, change="insert")
    assert only(rule, change(ROW, None)).data == {"taskId": 7}


def test_patch_delivers_what_changed_and_the_version() -> None:
    rule = compiled(deliver="patch", version="status_id")
    assert only(rule, change(ROW, ROW | {"title": "x"})).data == {
        "id": 7, "project_id": 3, "title": "x", "status_id": 1,
    }  # fmt: skip
    assert only(rule, change(None, ROW)).data == ROW


def test_a_row_above_the_limit_is_told_by_its_ids_and_columns() -> None:
    rule = compiled(deliver="full")
    data = only(rule, change(None, ROW | {"title": "x" * 2000})).data
    assert data == {"id": 7, "project_id": 3, "too_large": True, "columns": sorted(COLUMNS)}


def test_a_row_that_is_not_wholly_known_is_told_by_its_ids() -> None:
    known = {key: value for key, value in ROW.items() if key != "title"}
    for deliver in ("full", "patch"):
        data = only(compiled(deliver=deliver), change(None, known, unknown=("title",))).data
        assert (data["too_large"], "title" in data["columns"]) == (True, True)


@pytest.mark.parametrize("row", [{"id": 7}, {"id": 7, "project_id": {"$hex": "00"}}])
def test_a_channel_that_cannot_be_filled_is_undeliverable(row: dict[str, Any]) -> None:
    with pytest.raises(Undeliverable, match="channel: column project_id"):
        compiled().drafts(change(None, row))


def test_data_that_is_not_known_is_undeliverable() -> None:
    with pytest.raises(Undeliverable, match="data: column title"):
        compiled(data={"t": "title"}).drafts(change(None, {"id": 1, "project_id": 2}))


def test_a_composite_key_is_one_identity() -> None:
    of = Change(table="tasks", kind="insert", key=("project_id", "id"), new=ROW)
    draft = only(compiled(), of)
    assert draft.entity is not None
    assert draft.entity.id == "3,7"


def test_without_a_key_there_is_no_entity() -> None:
    assert only(compiled(), Change(table="tasks", kind="insert", new=ROW)).entity is None


# ── raw changes


def raw(of: Change, **fields: Any) -> list[Draft]:
    rule = Rule(table="tasks", channel="project-{project_id}", deliver="change", **fields)
    return CompiledRule(rule, COLUMNS, 1000).drafts(of)


def test_a_raw_change_tells_table_type_rows_time_and_position() -> None:
    (draft,) = raw(change(ROW, ROW | {"title": "read"}, schema="public", time=7, position="0/1A"))
    assert draft.event == "update"
    assert draft.data == {
        "schema": "public", "table": "tasks", "type": "UPDATE", "new": ROW | {"title": "read"}, "old": ROW,
        "commit_time": 7, "position": "0/1A",
    }  # fmt: skip


def test_who_is_left_sees_a_row_go_and_who_is_entered_sees_one_come() -> None:
    left, entered = raw(change(ROW, ROW | {"project_id": 4}))
    assert (left.channel, left.data["type"], left.data["new"]) == ("project-3", "DELETE", None)
    assert (entered.channel, entered.data["type"], entered.data["old"]) == ("project-4", "INSERT", None)


def test_what_was_not_told_is_named_and_never_null() -> None:
    new = {name: value for name, value in ROW.items() if name != "title"}
    (draft,) = raw(change({"id": 7, "project_id": 3}, new, unchanged=("title",)))
    assert draft.data["unchanged"] == ["title"]
    assert "title" not in draft.data["new"]
    (gone,) = raw(change({"id": 7, "project_id": 3}, None, unknown=("title", "status_id")))
    assert gone.data["unknown"] == ["title", "status_id"]


def test_a_raw_change_above_the_limit_keeps_its_keys_and_names_its_columns() -> None:
    (draft,) = raw(change(None, ROW | {"title": "x" * 2000}))
    assert draft.data["new"] == {"id": 7, "project_id": 3}
    assert draft.data["too_large"]
    assert draft.data["columns"] == sorted(ROW)


def test_a_full_row_names_what_an_update_did_not_touch() -> None:
    new = {name: value for name, value in ROW.items() if name != "title"}
    draft = only(compiled(deliver="full"), change(ROW, new, unchanged=("title",)))
    assert draft.data == new | {"unchanged": ["title"]}


def test_a_patch_holds_what_may_have_changed_when_the_old_row_is_known_in_part() -> None:
    draft = only(compiled(deliver="patch"), change({"id": 7, "project_id": 3, "status_id": 1}, ROW))
    assert draft.data == {"id": 7, "project_id": 3, "title": "write"}


def test_numbers_keep_every_digit() -> None:
    exact = Decimal("12345678901234567890.1230")
    draft = only(compiled(deliver="full"), change(None, ROW | {"status_id": exact}))
    assert b'"status_id":12345678901234567890.1230' in encode_json(draft.data)
