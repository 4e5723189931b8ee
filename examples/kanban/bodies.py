"""What the kanban API accepts in a request: types, limits, and clear refusals. Reads no database."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.requests import Request

from examples.kanban.problems import Problem

MAX_BODY_BYTES: Final = 65_536
"""Far above the longest description; a bigger body is a mistake or an attack on memory."""
MAX_EVENT_BYTES: Final = 10_240
"""Pusher's bound for the data of one event."""
TITLE_MAX: Final = 200
DESCRIPTION_MAX: Final = 5_000
NAME_MAX: Final = 60
LABEL_MAX: Final = 24

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Title = Annotated[str, Meta(max_length=TITLE_MAX)]
Description = Annotated[str, Meta(max_length=DESCRIPTION_MAX)]
Label = Annotated[str, Meta(max_length=LABEL_MAX)]
Name = Annotated[str, Meta(max_length=NAME_MAX)]
Priority = Literal["none", "low", "medium", "high", "urgent"]
EventName = Literal[
    "task-created",
    "task-updated",
    "task-deleted",
    "task-moved",
    "status-created",
    "status-updated",
    "status-deleted",
]


class NewTask(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """POST /api/tasks. The client may make `id`; without `status_id` the first column takes the task."""

    project_id: Id
    title: Title
    id: Id | None = None
    status_id: Id | None = None
    before_id: Id | None = None
    description: Description = ""
    priority: Priority = "none"
    label: Label = ""
    assignee: str | None = None


class TaskChanges(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """PATCH /api/tasks/{id}: only fields that are present change, so two editors do not collide."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    label: Label | UnsetType = UNSET
    assignee: str | UnsetType | None = UNSET


class Move(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """PATCH /api/tasks/{id}/move. Without `before_id`, or when that task has left, the end of the column."""

    status_id: Id
    before_id: Id | None = None


class NewStatus(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """POST /api/statuses: a column at the right end of the board."""

    project_id: Id
    name: Name
    id: Id | None = None


class StatusChanges(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """PATCH /api/statuses/{id}."""

    name: Name


class EventData(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Ids and nothing else: readers fetch the truth from the back end."""

    task_id: Id | UnsetType = UNSET
    status_id: Id | UnsetType = UNSET
    new_status_id: Id | UnsetType = UNSET
    project_id: Id | UnsetType = UNSET


class Trigger(msgspec.Struct, rename="camel", forbid_unknown_fields=True, kw_only=True):
    """POST /api/pusher/trigger."""

    channel: str
    event: EventName
    data: EventData
    project_id: Id | None = None


FIXES: Final = {
    "title": f"Send 1 to {TITLE_MAX} characters of text.",
    "name": f"Send 1 to {NAME_MAX} characters of text.",
    "description": f"Send at most {DESCRIPTION_MAX} characters; link to longer texts.",
    "label": f"Send at most {LABEL_MAX} characters.",
    "priority": "Send none, low, medium, high or urgent.",
    "event": "Send one of task-created, task-updated, task-deleted, task-moved, "
    "status-created, status-updated, status-deleted.",
    "assignee": "Send the name of a member of the project, or null.",
}
LIMITS: Final = {"title": TITLE_MAX, "name": NAME_MAX, "description": DESCRIPTION_MAX, "label": LABEL_MAX}
FAULTY_FIELD: Final = re.compile(r"(?:at `\$\.|field `)(\w+)")

Body = TypeVar("Body", bound=msgspec.Struct)


async def read_body(request: Request, shape: type[Body]) -> Body:
    """The request's JSON body as `shape`.

    Raises Problem: 415 without a JSON content type (which also keeps foreign sites' forms out), 413 above
    MAX_BODY_BYTES, 400 for broken JSON, 422 for a wrong type or a passed limit.
    """
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if content_type != "application/json":
        raise Problem(415, "not_json", "The body is not JSON.", fix="Send Content-Type: application/json.")
    raw = await read_bounded(request, MAX_BODY_BYTES)
    return decode(raw, shape)


async def read_bounded(request: Request, limit: int) -> bytes:
    """The body, refused with 413 as soon as it passes `limit` bytes."""
    raw = bytearray()
    async for part in request.stream():
        raw += part
        if len(raw) > limit:
            raise Problem(
                413,
                "body_too_large",
                f"The body is larger than {limit} bytes.",
                limit=limit,
                fix="Send less.",
            )
    return bytes(raw)


def decode(raw: bytes, shape: type[Body]) -> Body:
    """JSON bytes to a checked body; raises Problem 400 or 422."""
    try:
        return msgspec.json.decode(raw, type=shape)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(
            400, "bad_json", f"The body is not valid JSON: {error}.", fix="Send one JSON object."
        ) from None


def required_text(value: str, field: str) -> str:
    """`value` without outer blanks; raises Problem 422 when nothing is left."""
    text = value.strip()
    if not text:
        raise Problem(
            422,
            f"{field}_missing",
            f"{field} is empty.",
            field=field,
            limit=LIMITS.get(field),
            fix=FIXES[field],
        )
    return text


def changed_fields(changes: TaskChanges) -> dict[str, Any]:
    """The fields that a PATCH really names, ready for SQL."""
    fields = {name: getattr(changes, name) for name in changes.__struct_fields__}
    named = {name: value for name, value in fields.items() if value is not UNSET}
    if not named:
        raise Problem(
            422,
            "nothing_to_change",
            "The body names no field.",
            fix=f"Send one of {', '.join(sorted(fields))}.",
        )
    if "title" in named:
        named["title"] = required_text(named["title"], "title")
    return named


def _invalid(message: str) -> Problem:
    found = FAULTY_FIELD.search(message)
    field = found[1] if found else None
    too_long = "length <=" in message
    fix = FIXES.get(field or "", "Send the types and fields that the README lists.")
    return Problem(
        422,
        f"{field}_too_long" if too_long else "invalid_body",
        f"{message}.",
        field=field,
        limit=LIMITS.get(field or "") if too_long else None,
        fix=fix,
    )
