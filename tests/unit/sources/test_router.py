"""From transactions to messages: order, identity, and that one bad change never holds up the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from tidings.changes import Change, Checkpoint, Emitted, Gap, Transaction
from tidings.errors import ConfigError
from tidings.sources.router import MAX_DRAFTS, ChangeRouter, Parked
from tidings.sources.rules import Draft, FunctionRule, Rule

COLUMNS = {"tasks": ("id", "project_id"), "notes": ("id",)}
TASKS = Rule(table="tasks", channel="project-{project_id}", insert="made", delete="gone")
NOTES = Rule(table="notes", channel="notes", insert="noted")


def task(id: int, project: object = 1, **fields: Any) -> Change:
    return Change(
        table="tasks",
        kind="insert",
        key=("id",),
        new={"id": id, "project_id": project},
        time=1000 + id,
        **fields,
    )


def transaction(*changes: Change, gap: Gap | None = None) -> Transaction:
    return Transaction(checkpoint=Checkpoint(5), changes=changes, gap=gap)


def router(*rules: Rule | FunctionRule, parked: list[Parked] | None = None, **options: Any) -> ChangeRouter:
    return ChangeRouter(rules, COLUMNS, on_parked=(parked if parked is not None else []).append, **options)


def function_rule(function: Any) -> FunctionRule:
    return FunctionRule(table="tasks", function=function, channels=("team-*",))


def test_messages_come_in_the_order_of_changes_with_ids_from_the_key() -> None:
    note = Change(table="notes", kind="insert", key=("id",), new={"id": 9})
    messages = router(TASKS, NOTES).route(transaction(task(1), note, task(2, 4)), "app:aa:5").messages
    assert [(m.id, m.channel, m.event) for m in messages] == [
        ("app:aa:5.0", "project-1", "made"), ("app:aa:5.1", "notes", "noted"), ("app:aa:5.2", "project-4", "made"),
    ]  # fmt: skip
    assert [m.time for m in messages] == [1001, 0, 1002]
    assert msgspec.json.decode(messages[0].data) == {"id": 1, "project_id": 1}
    assert len({m.trail for m in messages}) == 1


def test_a_repeat_gives_the_same_messages() -> None:
    made = router(TASKS)
    assert made.route(transaction(task(1)), "k").messages == made.route(transaction(task(1)), "k").messages
    assert (
        made.route(transaction(task(1)), "k").messages != made.route(transaction(task(1)), "other").messages
    )


def test_rules_are_validated_when_the_router_is_made() -> None:
    with pytest.raises(ConfigError, match="did you mean 'tasks'"):
        router(Rule(table="task", channel="x", insert="e"))


@pytest.mark.parametrize("value", ["has space", "é", "x" * 300, "", {"$hex": "00"}])
def test_a_poison_value_parks_its_change_and_the_stream_goes_on(value: object) -> None:
    parked: list[Parked] = []
    rule = Rule(table="tasks", channel="{project_id}", insert="made")
    made = router(rule, parked=parked)
    messages = made.route(transaction(task(1, value), task(2, value), task(3, "fine")), "k").messages
    assert [m.channel for m in messages] == ["fine"]
    assert made.parked == {1: 2}
    assert len(parked) == 1  # told once for the rule and reason
    assert str(value) not in parked[0].reason or value == ""


def test_one_rule_that_fails_does_not_stop_another() -> None:
    def broken(change: Change) -> Iterable[Draft]:
        raise KeyError("secret row content")

    parked: list[Parked] = []
    made = router(function_rule(broken), TASKS, parked=parked)
    assert [m.event for m in made.route(transaction(task(1)), "k").messages] == ["made"]
    assert parked == [Parked(1, "tasks", "the rule function raised KeyError")]


def test_a_function_makes_messages_of_a_change() -> None:
    def tell(change: Change) -> Iterable[Draft]:
        yield Draft(
            channel=f"team-{change.row['project_id']}", event="task", data={"n": 1}, keys=(("teams",),)
        )

    (message,) = router(function_rule(tell)).route(transaction(task(1)), "k").messages
    assert (message.channel, message.event, message.data, message.keys) == (
        "team-1",
        "task",
        b'{"n":1}',
        (("teams",),),
    )


@pytest.mark.parametrize(
    ("drafts", "says"),
    [
        ([Draft(channel="not allowed", event="e")], "characters"),
        ([Draft(channel="c", event="pusher:e")], "may not begin"),
        ([Draft(channel="c", event="e", data=object())], "JSON"),
        ([Draft(channel="c", event="e", data="x" * 200_000)], "above 100000 bytes"),
        (["no draft"], "a str where a Draft"),
        (5, "TypeError"),
        (itertools.repeat(Draft(channel="c", event="e")), f"more than {MAX_DRAFTS}"),
    ],
)
def test_what_a_function_gives_is_checked(drafts: Any, says: str) -> None:
    parked: list[Parked] = []
    assert (
        router(function_rule(lambda change: drafts), parked=parked).route(transaction(task(1)), "k").messages
        == ()
    )
    assert says in parked[0].reason


def test_a_rule_sends_all_of_a_change_or_nothing() -> None:
    drafts = [Draft(channel="good", event="e"), Draft(channel="bad one", event="e")]
    assert router(function_rule(lambda change: drafts)).route(transaction(task(1)), "k").messages == ()


def test_a_gap_names_the_patterns_of_its_tables() -> None:
    made = router(TASKS, NOTES, function_rule(lambda change: []))
    assert made.patterns(Gap("source", ("tasks",))) == ["project-*", "team-*"]
    assert made.patterns(Gap("source", ("notes",))) == ["notes"]
    assert made.patterns(Gap("source")) == ["project-*", "notes", "team-*"]
    assert made.patterns(Gap("source", ("other",))) == []


def test_a_truncated_table_is_a_gap_and_no_message() -> None:
    truncated = transaction(Change(table="tasks", kind="truncate"), gap=Gap("source", ("notes",)))
    made = router(TASKS)
    assert made.route(truncated, "k").messages == ()
    assert made.gaps(truncated) == [Gap("source", ("notes",)), Gap("source", ("tasks",))]
    assert made.gaps(transaction(task(1))) == []


def test_explain_tells_what_each_rule_would_do_and_counts_nothing() -> None:
    made = router(TASKS, NOTES, Rule(table="tasks", channel="p", delete="gone"))
    sent, other, silent = made.explain(task(1))
    assert (sent.outcome, sent.drafts[0].channel) == ("sent", "project-1")
    assert (other.outcome, other.why) == ("nothing", "it is for table 'notes'")
    assert (silent.outcome, silent.why) == ("nothing", "the rule names no event for insert")
    (parked, *_) = made.explain(task(1, "a b"))
    assert parked.outcome == "parked"
    assert not made.parked
    assert "reset" in made.explain(Change(table="tasks", kind="truncate"))[0].why


def test_a_table_without_rules_sends_nothing() -> None:
    assert router(NOTES).route(transaction(task(1)), "k").messages == ()


def update(old: dict[str, Any] | None) -> Change:
    return Change(table="tasks", kind="update", key=("id",), new={"id": 1, "project_id": 2}, old=old)


MOVES = Rule(table="tasks", channel="project-{project_id}", update="changed", delete="gone")


def test_a_deleted_row_whose_channel_is_not_told_is_a_reset_of_the_rules_channels() -> None:
    gone = Change(table="tasks", kind="delete", key=("id",), old={"id": 1})
    parked: list[Parked] = []
    routed = router(MOVES, parked=parked).route(transaction(gone), "k")
    assert (routed.messages, routed.untold) == ((), ("project-*",))
    assert "unknown" in parked[0].reason


@pytest.mark.parametrize(("whole_old", "untold"), [(True, ("project-*",)), (False, ())])
def test_an_update_whose_old_channel_is_not_told(whole_old: bool, untold: tuple[str, ...]) -> None:
    routed = router(MOVES, whole_old=whole_old).route(transaction(update({"id": 1})), "k")
    assert [m.channel for m in routed.messages] == ["project-2"]
    assert routed.untold == untold


def test_an_update_that_tells_all_misses_nobody() -> None:
    routed = router(MOVES, whole_old=True).route(transaction(update({"id": 1, "project_id": 1})), "k")
    assert [m.channel for m in routed.messages] == ["project-1", "project-2"]
    assert routed.untold == ()


# ── the outbox


def outbox(**columns: Any) -> Change:
    aside = {"keys": None, "entity": None, "origin": None}
    row = {"channel": "orders", "event": "placed", "data": '{"id":7}', **aside, **columns}
    return Change(table="tidings_outbox", kind="insert", key=("id",), new=row, time=5)


def test_an_outbox_row_is_a_message_already_and_its_sweeping_no_news() -> None:
    swept = Change(table="tidings_outbox", kind="delete", key=("id",), old={"id": 1})
    (message,) = router(TASKS).route(transaction(outbox(), swept), "k").messages
    assert (message.id, message.channel, message.event, message.data) == (
        "k.0",
        "orders",
        "placed",
        b'{"id":7}',
    )


def test_what_a_transaction_emitted_stands_where_it_was_said() -> None:
    content = b'{"channel": "orders", "event": "said", "data": 1}'
    emitted = (
        Emitted(at=1, prefix="tidings", content=content, time=9),
        Emitted(at=1, prefix="other", content=b"x"),
        Emitted(at=2, prefix="tidings", content=content, time=9),
    )
    given = Transaction(checkpoint=Checkpoint(5), changes=(task(1), task(2)), emitted=emitted)
    messages = router(TASKS).route(given, "k").messages
    assert [m.event for m in messages] == ["made", "said", "made", "said"]
    assert [m.id for m in messages] == ["k.0", "k.1", "k.2", "k.3"]


@pytest.mark.parametrize(
    ("columns", "untold"),
    [({"channel": "no space"}, ()), ({"data": "{"}, ("orders",)), ({"event": "pusher:x"}, ("orders",))],
)
def test_a_poison_outbox_row_is_parked_and_its_channel_told(
    columns: dict[str, str], untold: tuple[str, ...]
) -> None:
    parked: list[Parked] = []
    routed = router(parked=parked).route(transaction(outbox(**columns), outbox()), "k")
    assert len(routed.messages) == 1
    assert routed.untold == untold
    assert (parked[0].rule, parked[0].table) == (0, "tidings_outbox")


def test_a_poison_emission_is_parked() -> None:
    parked: list[Parked] = []
    given = Transaction(checkpoint=Checkpoint(5), emitted=(Emitted(at=0, prefix="tidings", content=b"{"),))
    assert router(parked=parked).route(given, "k").messages == ()
    assert parked[0].table == "pg_logical_emit_message"


# ── truncated tables that are told


def test_an_emptied_table_is_told_by_an_event_where_the_channel_is_the_tables() -> None:
    rule = Rule(table="notes", channel="rows-notes", deliver="change", truncate="emptied")
    emptied = Change(table="notes", kind="truncate")
    made = router(rule)
    (message,) = made.route(transaction(emptied), "k").messages
    assert (message.event, msgspec.json.decode(message.data)["type"]) == ("emptied", "TRUNCATE")
    assert made.gaps(transaction(emptied)) == []


# ── what an application names itself may go anywhere


def test_a_gap_of_the_outbox_concerns_every_channel() -> None:
    made = ChangeRouter([TASKS], COLUMNS, named=True)
    assert made.patterns(Gap("the slot is gone")) == ["*"]
    assert made.patterns(Gap("not published", ("tidings_outbox",))) == ["*"]
    assert made.patterns(Gap("not published", ("tasks",))) == ["project-*"]
    assert made.patterns(Gap("source", first=True)) == ["project-*"]
    assert router(TASKS).patterns(Gap("the slot is gone")) == ["project-*"]


def test_a_poison_emission_for_a_good_channel_is_told_there() -> None:
    content = b'{"channel": "orders", "event": "pusher:x", "data": 1}'
    given = Transaction(checkpoint=Checkpoint(5), emitted=(Emitted(at=0, prefix="tidings", content=content),))
    assert router().route(given, "k").untold == ("orders",)


def test_a_table_of_another_schema_is_not_the_outbox() -> None:
    foreign = Change(
        table="tidings_outbox", schema="x", kind="insert", new={"channel": "a", "event": "b", "data": "1"}
    )
    assert router().route(transaction(foreign), "k").messages == ()
