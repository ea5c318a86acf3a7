"""Owns the routes of the account: orders, direct cancel, positions, balances, fills."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.http.label import fill_body, label_of_value, labelled_items
from app.http.shape import order_body
from app.http.unit import read, write
from app.http.wire import Body, Line, Number, Word
from services.kit.context import Context
from services.ledger import book, portfolio, valuation
from services.orders import bust, execute, position_facts, store

router = APIRouter(prefix="/api/v1/broker")
PortfolioId = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]


class CorrectBody(Body):
    """Why a fill is corrected, and its right price; without a price it is taken back."""

    reason: Line
    price: Number | None = None


class CancelBody(Body):
    """Why the order is cancelled; may be empty."""

    reason: Line = ""


@router.get("/orders")
async def list_orders(
    request: Request,
    *,
    open: bool = False,  # noqa: A002
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """List orders, newest first; `open` leaves out those that have ended."""
    return await read(
        request,
        lambda ctx: labelled_items(
            ctx, [order_body(one) for one in store.list_orders(ctx, open_only=open, limit=limit)]
        ),
    )


@router.get("/orders/{id}")
async def show_order(request: Request, id: Word) -> Response:  # noqa: A002
    """Return one order with its fills and every change of its state."""
    return await read(
        request,
        lambda ctx: {
            **order_body(store.get_order(ctx, id)),
            "fills": [fill_body(one) for one in store.list_fills(ctx, order_id=id)],
            "transitions": store.list_transitions(ctx, id),
        },
    )


@router.post("/orders/{id}/cancel")
async def cancel_order(request: Request, id: Word, body: CancelBody | None = None) -> Response:  # noqa: A002, ARG001
    """Cancel an order at once; the person's own button, without a card."""
    return await write(request, lambda ctx: order_body(execute.cancel(ctx, id)))


@router.get("/positions")
async def list_positions(request: Request, portfolio_id: PortfolioId = None) -> Response:
    """List what is held, valued at the feed's prices."""

    def act(ctx: Context) -> dict[str, object]:
        value = valuation.value(ctx, portfolio.get_portfolio(ctx, portfolio_id).id)
        return {"items": value.holdings, **label_of_value(ctx, value)}

    return await write(request, act)


@router.get("/stops")
async def list_stops(request: Request, portfolio_id: PortfolioId = None) -> Response:
    """List the nearest stop known of every position, and whether an order holds it."""
    return await write(request, lambda ctx: {"items": position_facts.list_stops(ctx, portfolio_id)})


@router.get("/balances")
async def show_balances(request: Request, portfolio_id: PortfolioId = None) -> Response:
    """Return cash posted, reserved and available, and the equity."""

    def act(ctx: Context) -> dict[str, object]:
        mine = portfolio.get_portfolio(ctx, portfolio_id)
        value = valuation.value(ctx, mine.id)
        return {
            "account": portfolio.account_of(ctx, mine.id),
            "cash": book.cash(ctx, mine.id),
            "equity": value.equity,
            "day_pnl": value.day_pnl,
            **label_of_value(ctx, value),
        }

    return await write(request, act)


@router.get("/fills")
async def list_fills(
    request: Request, limit: Annotated[int, Query(ge=1, le=500)] = 100
) -> Response:
    """List fills, newest first."""
    return await read(
        request, lambda ctx: labelled_items(ctx, map(fill_body, store.list_fills(ctx, limit=limit)))
    )


@router.post("/fills/{id}/correct")
async def correct_fill(request: Request, id: Word, body: CorrectBody) -> Response:  # noqa: A002
    """Reverse a fill that the broker took back, and post it anew where only its price changed."""
    price = None if body.price is None else Decimal(body.price)
    return await write(
        request, lambda ctx: bust.correct_fill(ctx, id, reason=body.reason, price=price)
    )
