"""The shop's views. Each order is a transaction, and says in it what others are told of it."""

from __future__ import annotations

import json
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse

from examples.outbox_django.orders.models import Order, Redemption
from tidings.outbox.django import publish

CHANNEL = "orders"


class Declined(Exception):
    """The bank says no. By then the order stands in the transaction, and its event too."""


def orders(request: HttpRequest) -> HttpResponse:
    """GET: what was bought. POST `{item, coupon?, card?}`: 201; 402 when the card is declined, and nothing happened."""
    if request.method == "GET":
        return JsonResponse(list(Order.objects.order_by("id").values("id", "item")), safe=False)
    try:
        with transaction.atomic():
            order = place_order(json.loads(request.body))
    except Declined:
        return JsonResponse({"error": "declined"}, status=402)
    return JsonResponse(order, status=201)


def place_order(body: dict[str, Any]) -> dict[str, Any]:
    """One order inside the open transaction. Raises Declined."""
    order = Order.objects.create(item=str(body["item"]))
    publish(CHANNEL, "order-placed", {"orderId": order.pk, "item": order.item}, keys=[["orders"]])
    discount = "coupon" in body and redeem(order, str(body["coupon"]))
    if body.get("card") == "declined":
        raise Declined
    publish(CHANNEL, "order-paid", {"orderId": order.pk, "discount": discount}, keys=[["orders", order.pk]])
    return {"id": order.pk, "discount": discount}


def redeem(order: Order, code: str) -> bool:
    """Use a coupon in a transaction of its own within the order's: it may fail, and the order goes on without it."""
    try:
        with transaction.atomic():
            publish(CHANNEL, "coupon-redeemed", {"orderId": order.pk, "code": code})
            Redemption.objects.create(code=code, order=order)
    except IntegrityError:  # it was used before; what was said of it is gone with the savepoint
        publish(CHANNEL, "coupon-refused", {"orderId": order.pk, "code": code})
        return False
    return True
