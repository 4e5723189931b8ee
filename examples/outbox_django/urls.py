"""Where the shop's views are."""

from __future__ import annotations

from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from examples.outbox_django.orders.views import orders

urlpatterns = [path("orders", csrf_exempt(require_http_methods(["GET", "POST"])(orders)))]
