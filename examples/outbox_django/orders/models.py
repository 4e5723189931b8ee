"""The shop's tables."""

from __future__ import annotations

from django.db import models


class Order(models.Model):  # type: ignore[misc]  # Django has no types
    """Something that was bought."""

    item = models.TextField()


class Redemption(models.Model):  # type: ignore[misc]  # Django has no types
    """A coupon that was used. The database itself lets each be used once."""

    code = models.TextField(primary_key=True)
    order = models.ForeignKey(Order, on_delete=models.CASCADE)
