"""One suite over every framework and database: what is committed is in the database's log, once, in commit order."""

from __future__ import annotations

import pytest

from tests.outbox.logs import Log
from tests.outbox.rigs import Rig
from tidings.errors import Refusal
from tidings.messages import Entity, Origin

MANY = 1200
"""More than a framework writes in one statement."""


def events(log: Log) -> list[str]:
    return [staged.event for staged in log.told()]


def test_a_committed_message_is_told_once_with_all_it_holds(rig: Rig, log: Log) -> None:
    work = rig.work()
    work.note("paint")
    work.publish(
        "project-42",
        "task-created",
        {"title": "it's 5 o'clock: ü 😀 100 %", "n": None},
        keys=[["projects", 42], ["tasks"]],
        entity={"type": "task", "id": 7, "version": 3, "change": "insert"},
        mutation="m-1",
        skip="123.456",
    )
    work.commit()
    (told,) = log.told()
    assert (told.channel, told.event) == ("project-42", "task-created")
    assert told.data == '{"title":"it\'s 5 o\'clock: ü 😀 100 %","n":null}'.encode()
    assert told.keys == (("projects", 42), ("tasks",))
    assert told.entity == Entity("task", 7, 3, "insert")
    assert told.origin == Origin("m-1", "123.456")  # type: ignore[arg-type]


def test_the_table_is_empty_whatever_was_written(rig: Rig, log: Log) -> None:
    work = rig.work()
    work.publish("a", "one")
    work.commit()
    assert events(log) == ["one"]
    assert log.rows("SELECT count(*) FROM tidings_outbox") == [(0,)]


def test_a_message_alone_makes_a_transaction(rig: Rig, log: Log) -> None:
    work = rig.work()
    work.publish("a", "alone")
    work.commit()
    assert events(log) == ["alone"]


def test_a_rollback_takes_all_of_it(rig: Rig, log: Log) -> None:
    work = rig.work()
    work.note("paint")
    work.publish("a", "gone")
    work.rollback()
    work = rig.work()
    work.publish("a", "kept")
    work.commit()
    assert events(log) == ["kept"]
    assert log.rows("SELECT body FROM notes") == []


def test_a_savepoint_rolled_back_takes_what_was_said_in_it(rig: Rig, log: Log) -> None:
    work = rig.work()
    work.publish("a", "before")
    with work.savepoint(undo=True):
        work.note("coupon")
        work.publish("a", "inside")
    work.publish("a", "after")
    work.commit()
    assert events(log) == ["before", "after"]
    assert log.rows("SELECT body FROM notes") == []


def test_a_savepoint_that_holds_keeps_its_place(rig: Rig, log: Log) -> None:
    work = rig.work()
    work.publish("a", "before")
    with work.savepoint():
        work.publish("a", "inside")
        work.note("coupon")
        work.publish("a", "inside too")
    work.publish("a", "after")
    work.commit()
    assert events(log) == ["before", "inside", "inside too", "after"]


def test_a_savepoint_that_held_goes_with_the_transaction(rig: Rig, log: Log) -> None:
    work = rig.work()
    with work.savepoint():
        work.note("coupon")
        work.publish("a", "inside")
    work.rollback()
    assert events(log) == []
    assert log.rows("SELECT body FROM notes") == []


def test_savepoints_within_savepoints(rig: Rig, log: Log) -> None:
    work = rig.work()
    with work.savepoint():
        work.publish("a", "outer")
        with work.savepoint(undo=True):
            work.publish("a", "middle")
            with work.savepoint():
                work.publish("a", "inner")
        with work.savepoint():
            work.publish("a", "second")
    work.commit()
    assert events(log) == ["outer", "second"]


def test_what_the_database_refuses_tells_nothing(rig: Rig, log: Log) -> None:
    work = rig.work()
    work.note("once")
    work.commit()
    work = rig.work()
    work.publish("a", "never")
    with pytest.raises(Exception, match=r"(?i)unique"):
        work.note("once")
    work.rollback()
    assert events(log) == []


def test_many_keep_the_order_in_which_they_were_said(rig: Rig, log: Log) -> None:
    work = rig.work()
    for at in range(MANY):
        options = {"keys": [[at]]} if at % 3 else {}  # other columns make other statements
        work.publish(f"c-{at % 7}", f"e-{at}", at, **options)
    work.commit()
    assert events(log) == [f"e-{at}" for at in range(MANY)]
    assert log.rows("SELECT count(*) FROM tidings_outbox") == [(0,)]


def test_transactions_one_after_another(rig: Rig, log: Log) -> None:
    for at in range(5):
        work = rig.work()
        work.publish("a", f"e-{at}")
        work.commit() if at != 2 else work.rollback()
    assert events(log) == ["e-0", "e-1", "e-3", "e-4"]


@pytest.mark.parametrize(
    ("channel", "event", "data", "code"),
    [
        ("two words", "e", 1, "bad_channel"),
        ("a", "pusher:e", 1, "bad_event"),
        ("a", "client-e", 1, "bad_event"),
        ("a", "e", "x" * 100_000, "message_too_large"),
    ],
)
def test_a_bad_message_is_refused_where_it_is_said(
    rig: Rig, log: Log, channel: str, event: str, data: object, code: str
) -> None:
    work = rig.work()
    with pytest.raises(Refusal) as caught:
        work.publish(channel, event, data)
    assert caught.value.name == code
    work.publish("a", "well")  # the transaction is unharmed
    work.commit()
    assert events(log) == ["well"]


# ── Postgres


def test_race_crossing_transactions_are_told_as_they_commit(postgres_rig: Rig, postgres_log: Log) -> None:
    """The number of the first is lower, but it commits last. A reader by number would have passed it by."""
    first, second = postgres_rig.work(), postgres_rig.work()
    first.publish("a", "first-began")
    with first.savepoint():  # the row is written now
        pass
    second.publish("a", "second-began")
    second.commit()
    assert events(postgres_log) == ["second-began"]
    first.publish("a", "first-went-on")
    first.commit()
    assert events(postgres_log) == ["second-began", "first-began", "first-went-on"]


def test_a_message_needs_no_table(postgres_rig: Rig, postgres_log: Log) -> None:
    work = postgres_rig.work()
    work.emit("project-42", "task-created", {"title": "ü"}, keys=[["tasks", 7]], mutation="m")
    with work.savepoint(undo=True):
        work.emit("a", "inside")
    work.commit()
    work = postgres_rig.work()
    work.emit("a", "gone")
    work.rollback()
    (told,) = postgres_log.told()
    assert (told.channel, told.event, told.data) == ("project-42", "task-created", '{"title":"ü"}'.encode())
    assert (told.keys, told.origin) == ((("tasks", 7),), Origin("m"))


def test_rows_and_messages_without_a_table_keep_one_order(postgres_rig: Rig, postgres_log: Log) -> None:
    work = postgres_rig.work()
    work.publish("a", "row")
    work.emit("a", "no row")
    work.publish("a", "row again")
    work.commit()
    assert events(postgres_log) == ["row", "no row", "row again"]
