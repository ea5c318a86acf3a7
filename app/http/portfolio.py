"""Owns the routes of portfolios: open, list, rename, value, history, performance."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import StringConstraints
from starlette.responses import Response

from app.http.label import label_of_history, label_of_value
from app.http.unit import CREATED, read, write
from app.http.wire import Body, Name, Number, Word
from services.kit.context import Context
from services.ledger import performance, portfolio, valuation

router = APIRouter(prefix="/api/v1")
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
PortfolioId = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_.:-]{1,80}$")]


class OpenBody(Body):
    """A new paper portfolio; `start_cash` is in `currency`."""

    name: Name
    currency: Currency = "USD"
    start_cash: Number | None = None


class InitBody(Body):
    """The default paper portfolio, opened once."""

    start_cash: Number | None = None
    currency: Currency = "USD"


class RenameBody(Body):
    """A portfolio's new name."""

    name: Name


@router.get("/portfolios")
async def list_portfolios(request: Request) -> Response:
    """List the tenant's portfolios."""
    return await read(request, lambda ctx: {"items": portfolio.list_portfolios(ctx)})


@router.post("/portfolios", status_code=CREATED)
async def open_portfolio(request: Request, body: OpenBody) -> Response:
    """Open a portfolio; the same name and terms give the one that exists."""
    return await write(
        request,
        lambda ctx: portfolio.open_portfolio(
            ctx, body.name, currency=body.currency, start_cash=_cash(body.start_cash)
        ),
        status=CREATED,
    )


@router.get("/portfolios/{id}")
async def show_portfolio(request: Request, id: Word) -> Response:  # noqa: A002
    """Return one portfolio with its value."""
    return await write(request, lambda ctx: _valued(ctx, id))


@router.patch("/portfolios/{id}")
async def rename_portfolio(request: Request, id: Word, body: RenameBody) -> Response:  # noqa: A002
    """Rename a portfolio."""
    return await write(request, lambda ctx: portfolio.rename(ctx, id, body.name))


@router.post("/portfolio/init", status_code=CREATED)
async def init_portfolio(request: Request, body: InitBody | None = None) -> Response:
    """Open the default portfolio with starting cash; once."""
    wanted = body or InitBody()
    return await write(
        request,
        lambda ctx: portfolio.open_portfolio(
            ctx,
            portfolio.DEFAULT_NAME,
            currency=wanted.currency,
            start_cash=_cash(wanted.start_cash),
        ),
        status=CREATED,
    )


@router.get("/portfolio")
async def show_default(request: Request, portfolio_id: PortfolioId = None) -> Response:
    """Return a portfolio (the default one) with cash, holdings and equity."""
    return await write(request, lambda ctx: _valued(ctx, portfolio_id))


@router.get("/portfolio/history")
async def show_history(request: Request, portfolio_id: PortfolioId = None) -> Response:
    """Return the equity series, oldest first, and the closed trades with their profit or loss."""

    def act(ctx: Context) -> dict[str, object]:
        found = performance.history(ctx, portfolio.get_portfolio(ctx, portfolio_id).id)
        return {
            "portfolio_id": found.portfolio_id,
            "currency": found.currency,
            "items": found.points,
            "trades": found.trades,
            **label_of_history(ctx, found),
        }

    return await write(request, act)


@router.get("/portfolio/performance")
async def show_performance(request: Request, portfolio_id: PortfolioId = None) -> Response:
    """Return total return, drawdown, win rate and their kin, null where undefined."""
    return await write(
        request,
        lambda ctx: performance.performance(ctx, portfolio.get_portfolio(ctx, portfolio_id).id),
    )


def _valued(ctx: Context, portfolio_id: str | None) -> dict[str, object]:
    mine = portfolio.get_portfolio(ctx, portfolio_id)
    value = valuation.value(ctx, mine.id)
    return {
        "portfolio": mine,
        "account": portfolio.account_of(ctx, mine.id),
        "valuation": value,
        **label_of_value(ctx, value),
    }


def _cash(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
