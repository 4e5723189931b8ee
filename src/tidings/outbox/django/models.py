"""The outbox table as Django's migrations know it. Not for queries: the table is always empty."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from tidings.outbox.table import TABLE


class OutboxRow(models.Model):  # type: ignore[misc]  # Django has no types
    """A message on its way. `publish` writes it; a trigger takes it out again before anybody could read it."""

    id = models.BigAutoField(primary_key=True)
    channel = models.TextField()
    event = models.TextField()
    data = models.TextField(db_default="null")
    keys = models.TextField(null=True)
    entity = models.TextField(null=True)
    origin = models.TextField(null=True)
    created = models.DateTimeField(db_default=Now())

    class Meta:
        """The table's name is part of what sources recognise."""

        db_table = TABLE
        default_permissions = ()
        verbose_name = "outbox row"
