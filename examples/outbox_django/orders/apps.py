"""The app's name."""

from __future__ import annotations

from django.apps import AppConfig


class OrdersConfig(AppConfig):  # type: ignore[misc]  # Django has no types
    """Found by Django when the package stands in INSTALLED_APPS."""

    name = "examples.outbox_django.orders"
    label = "orders"
    default_auto_field = "django.db.models.BigAutoField"
