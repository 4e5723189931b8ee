"""The outbox as a Django app. Holds its name only."""

from __future__ import annotations

from django.apps import AppConfig


class OutboxConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Found by Django when `"tidings.outbox.django"` stands in INSTALLED_APPS."""

    name = "tidings.outbox.django"
    label = "tidings_outbox"
    verbose_name = "Tidings outbox"
    default_auto_field = "django.db.models.BigAutoField"
