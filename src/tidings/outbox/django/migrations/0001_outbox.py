"""The outbox with its trigger, by the kind of database. The SQL is that of `tidings.outbox.table`, as for everybody."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models
from django.db.models.functions import Now

from tidings.outbox.django.writing import create_outbox, drop_outbox


class Migration(migrations.Migration):  # type: ignore[misc]  # Django has no types
    """Runs the SQL, and tells Django which model it amounts to."""

    initial = True
    dependencies: ClassVar[list[tuple[str, str]]] = []
    operations: ClassVar[list[Any]] = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunPython(create_outbox, drop_outbox, hints={"model_name": "outboxrow"})
            ],
            state_operations=[
                migrations.CreateModel(
                    name="OutboxRow",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("channel", models.TextField()),
                        ("event", models.TextField()),
                        ("data", models.TextField(db_default="null")),
                        ("keys", models.TextField(null=True)),
                        ("entity", models.TextField(null=True)),
                        ("origin", models.TextField(null=True)),
                        ("created", models.DateTimeField(db_default=Now())),
                    ],
                    options={
                        "verbose_name": "outbox row",
                        "db_table": "tidings_outbox",
                        "default_permissions": (),
                    },
                )
            ],
        )
    ]
