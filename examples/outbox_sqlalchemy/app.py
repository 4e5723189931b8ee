"""The shop as one Starlette app. Each request is a transaction, and says in it what others are told of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.outbox_sqlalchemy.tables import Order, Redemption, make_tables, open_engine
from tidings.outbox.sqlalchemy import publish

CHANNEL = "orders"


class Declined(Exception):
    """The bank says no. By then the order stands in the transaction, and its event too."""


def create_app(url: str) -> Starlette:
    """The shop on the database at `url`."""
    shop = Shop(open_engine(url))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await make_tables(shop.engine)
        yield
        await shop.engine.dispose()

    routes = [
        Route("/orders", shop.orders),
        Route("/orders", shop.place, methods=["POST"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


class Shop:
    """Reads and places orders."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def orders(self, request: Request) -> Response:
        """GET: what was bought."""
        async with AsyncSession(self.engine) as session:
            found = await session.scalars(select(Order).order_by(Order.id))
            return JSONResponse([{"id": order.id, "item": order.item} for order in found])

    async def place(self, request: Request) -> Response:
        """POST `{item, coupon?, card?}`: 201; 402 when the card is declined, and nothing happened."""
        body = await request.json()
        try:
            async with AsyncSession(self.engine) as session, session.begin():
                order = await place_order(session, body)
        except Declined:
            return JSONResponse({"error": "declined"}, 402)
        return JSONResponse(order, 201)


async def place_order(session: AsyncSession, body: dict[str, Any]) -> dict[str, Any]:
    """One order inside the transaction of `session`. Raises Declined."""
    order = Order(item=str(body["item"]))
    session.add(order)
    await session.flush()
    publish(session, CHANNEL, "order-placed", {"orderId": order.id, "item": order.item}, keys=[["orders"]])
    discount = "coupon" in body and await redeem(session, order, str(body["coupon"]))
    if body.get("card") == "declined":
        raise Declined
    publish(
        session,
        CHANNEL,
        "order-paid",
        {"orderId": order.id, "discount": discount},
        keys=[["orders", order.id]],
    )
    return {"id": order.id, "discount": discount}


async def redeem(session: AsyncSession, order: Order, code: str) -> bool:
    """Use a coupon in a transaction of its own within the order's: it may fail, and the order goes on without it."""
    try:
        async with session.begin_nested():
            publish(session, CHANNEL, "coupon-redeemed", {"orderId": order.id, "code": code})
            session.add(Redemption(code=code, order_id=order.id))
    except IntegrityError:  # it was used before; what was said of it is gone with the savepoint
        publish(session, CHANNEL, "coupon-refused", {"orderId": order.id, "code": code})
        return False
    return True
