"""Owns the routes about the account outside, answered by the broker itself and not by our book."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.broker import BrokerLink
from app.http.label import label
from app.http.unit import principal_of, product_of, render
from app.wiring import Product
from services.identity.user import LOCAL_TENANT
from services.kit.errors import refuse
from services.orders.broker import BrokerUnreachable

router = APIRouter(prefix="/api/v1/broker/account")
Outside = Literal["alpaca", "tradier"]
_DAYS_MAX, _DAYS_USUAL = 366, 30
_NOT_YOURS = "the connected account belongs to the owner of this installation"


@router.get("")
async def show_account(request: Request, broker: Outside | None = None) -> Response:
    """Return how the account outside stands and what it owns, as the broker says now.

    Without `broker` it is that of `TRADING_BROKER`, else the first that is on.
    """
    product, mine = product_of(request), principal_of(request).tenant_id == LOCAL_TENANT
    link = product.brokers.named(broker)
    return render(await product.runtime.in_thread(lambda: _facts(product, link, mine=mine)))


@router.get("/activity")
async def show_activity(
    request: Request,
    start: date | None = None,
    end: date | None = None,
    broker: Outside | None = None,
) -> Response:
    """Return what happened in the account on these days, both included.

    At most a year; without `start` the last 30 days, without `end` until today.
    """
    product = product_of(request)
    until = end or product.clock.now().date()
    since = start or until - timedelta(days=_DAYS_USUAL)
    if not timedelta() <= until - since <= timedelta(days=_DAYS_MAX):
        raise refuse(
            "PARAM_INVALID",
            field="end",
            name="end",
            value=until.isoformat(),
            rule=f"must be start or up to {_DAYS_MAX} days after it",
        )
    link = product.brokers.named(broker)
    mine = principal_of(request).tenant_id == LOCAL_TENANT
    return render(
        await product.runtime.in_thread(lambda: _activity(product, link, (since, until), mine=mine))
    )


def _facts(product: Product, link: BrokerLink, *, mine: bool) -> dict[str, Any]:
    account, said = link.account, _standing(product, link, mine=mine)
    said |= {
        "account_id": link.record.account_id if mine else "",
        "mode": account.mode if account is not None and mine else "",
        "balances": None,
        "positions": [],
        "drift": link.drift if mine else [],
    }
    if account is None or not said["on"]:
        return said
    try:
        money, positions = account.owned()
    except BrokerUnreachable as error:
        return {**said, "why": f"not reached: {error}"}
    return {**said, "balances": money, "positions": positions}


def _activity(
    product: Product, link: BrokerLink, days: tuple[date, date], *, mine: bool
) -> dict[str, Any]:
    account, said = link.account, _standing(product, link, mine=mine)
    if account is None or not said["on"]:
        return {**said, "activity": [], "closed": []}
    try:
        history, closed = account.activity(*days)
    except BrokerUnreachable as error:
        raise refuse(
            "PROVIDER_UNAVAILABLE", provider=account.broker.title(), reason=str(error)
        ) from error
    return {**said, "activity": history, "closed": closed}


def _standing(product: Product, link: BrokerLink, *, mine: bool) -> dict[str, Any]:
    """Return whether the account is on and why, and the label; nothing of it to another tenant."""
    record, account = link.record, link.account
    real = account.provenance if account is not None else ""
    return {
        "name": record.name,
        "on": record.on and mine,
        "why": record.why if mine else _NOT_YOURS,
        "todo": record.todo if mine else "",
        **label(product.clock.now(), real, record.name),
    }
