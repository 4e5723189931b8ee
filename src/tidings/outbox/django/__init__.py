"""The outbox in a Django project: a row inside the transaction that is open. Knows nothing of who reads it.

Add `"tidings.outbox.django"` to INSTALLED_APPS and migrate. Nothing of Django is loaded before the first call, since
Django imports this module before its settings are ready.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tidings.messages import Entity

__all__ = ["emit", "publish"]


def publish(
    channel: str,
    event: str,
    data: Any = None,
    *,
    using: str = "default",
    keys: Iterable[Sequence[Any]] = (),
    entity: Entity | Mapping[str, Any] | None = None,
    mutation: str | None = None,
    skip: str | None = None,
) -> None:
    """Write a message into the transaction that is open on `using`: it is told once that commits, and never if not.

    Inside `transaction.atomic`, nested ones too, it goes with the block; outside it is a transaction of its own.
    Messages are told in the order they were written. data: anything JSON can hold, or a model with `model_dump_json`.
    keys: query keys that clients invalidate. entity: what it is about. mutation: the sender's own id of this write.
    skip: socket id of the connection that does not get it.
    Raises Refusal for a message that could not be told; TypeError for data that JSON cannot hold; ConfigError when
    `using` is neither SQLite nor Postgres.

        with transaction.atomic():
            task.save()
            publish("project-42", "task-created", {"taskId": task.pk})
    """
    from tidings.outbox.django.writing import write_row
    from tidings.outbox.table import stage

    write_row(stage(channel, event, data, keys=keys, entity=entity, mutation=mutation, skip=skip), using)


def emit(
    channel: str,
    event: str,
    data: Any = None,
    *,
    using: str = "default",
    keys: Iterable[Sequence[Any]] = (),
    entity: Entity | Mapping[str, Any] | None = None,
    mutation: str | None = None,
    skip: str | None = None,
) -> None:
    """Write a message into the log of Postgres, without a table, as part of the transaction that is open on `using`.

    It needs neither the app in INSTALLED_APPS nor its migration. Raises as `publish` does.
    """
    from tidings.outbox.django.writing import write_emission
    from tidings.outbox.table import stage

    write_emission(stage(channel, event, data, keys=keys, entity=entity, mutation=mutation, skip=skip), using)
