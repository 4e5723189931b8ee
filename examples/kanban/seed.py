"""The two projects that a fresh database starts with. Writes nothing into a database that has a project."""

from __future__ import annotations

from typing import Final, NamedTuple

import apsw

from examples.kanban.ordering import keys_in_a_row
from examples.kanban.schema import writing

USERS: Final = ("Ada", "Grace", "Linus", "Margaret", "Alan")


class Card(NamedTuple):
    """One seeded task, without the ids that its place gives it."""

    title: str
    description: str = ""
    priority: str = "none"
    label: str = ""
    assignee: str | None = None


class Plan(NamedTuple):
    """One seeded project: who may see it and what its columns hold."""

    id: str
    name: str
    members: tuple[str, ...]
    columns: dict[str, list[Card]]


ATLAS: Final = Plan(
    "atlas",
    "Atlas website",
    USERS,
    {
        "Backlog": [
            Card(
                "Choose a typeface for long reads",
                "Compare three at 18 px on a phone.",
                "low",
                "Design",
                "Grace",
            ),
            Card("Collect customer stories", "Five short interviews, one quote each.", "none", "Content"),
            Card("Translate the help pages", "", "low", "Content", "Alan"),
            Card("Try a search that forgives typos", "", "none", "Research", "Linus"),
        ],
        "To do": [
            Card("Fix homepage", "The hero picture jumps while it loads.", "high", "Bug", "Ada"),
            Card("Write the privacy page", "Plain words, one screen.", "medium", "Content", "Margaret"),
            Card("Measure the first paint", "Below one second on a slow phone.", "medium", "Speed"),
        ],
        "In progress": [
            Card("New navigation", "Works with keyboard and screen reader.", "high", "Design", "Grace"),
            Card("Move pictures to the new store", "", "medium", "Backend", "Linus"),
        ],
        "Review": [
            Card(
                "Sign-up without a password",
                "Link by mail, valid for 15 minutes.",
                "urgent",
                "Backend",
                "Ada",
            )
        ],
        "Done": [
            Card("Pick the colours", "Light and dark, readable in both.", "none", "Design", "Margaret"),
            Card("Set up the staging site", "", "none", "Backend", "Alan"),
        ],
    },
)

HERMES: Final = Plan(
    "hermes",
    "Hermes mobile app",
    USERS[:4],
    {
        "Ideas": [
            Card("Read messages aloud", "", "none", "Research", "Margaret"),
            Card("Widget for the lock screen", "", "low", "Design"),
        ],
        "Next": [
            Card("Keep drafts when offline", "Nothing typed is ever lost.", "high", "App", "Ada"),
            Card("Smaller download", "Below 20 MB.", "medium", "Speed", "Linus"),
        ],
        "Doing": [Card("Dark theme", "", "medium", "Design", "Grace")],
        "Shipped": [],
    },
)


def fill(connection: apsw.Connection) -> None:
    """Write both projects in one transaction, unless there is a project already."""
    with writing(connection):
        if connection.execute("SELECT 1 FROM projects LIMIT 1").fetchall():
            return
        for plan in (ATLAS, HERMES):
            _write_project(connection, plan)


def _write_project(connection: apsw.Connection, plan: Plan) -> None:
    connection.execute("INSERT INTO projects (id, name) VALUES (?, ?)", (plan.id, plan.name))
    connection.executemany("INSERT INTO members VALUES (?, ?)", [(plan.id, user) for user in plan.members])
    for number, (name, cards) in enumerate(plan.columns.items(), start=1):
        status_id = f"{plan.id}-s{number}"
        position = keys_in_a_row(number)[-1]
        connection.execute(
            "INSERT INTO statuses (id, project_id, name, position) VALUES (?, ?, ?, ?)",
            (status_id, plan.id, name, position),
        )
        _write_cards(connection, plan.id, status_id, cards)


def _write_cards(connection: apsw.Connection, project_id: str, status_id: str, cards: list[Card]) -> None:
    for number, (card, position) in enumerate(zip(cards, keys_in_a_row(len(cards)), strict=True), start=1):
        connection.execute(
            "INSERT INTO tasks"
            " (id, project_id, status_id, title, description, priority, label, assignee, position)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (f"{status_id}-t{number}", project_id, status_id, *card, position),
        )
