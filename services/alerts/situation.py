"""Owns gathering what the next best action looks at: account, position, newest plan, session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from services.alerts.alert import Alert, AlertKind
from services.alerts.next_action import HeldFacts, PlanFacts, Situation
from services.alerts.plan_event import read_terms
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.ledger import holding, portfolio
from services.market.earnings import EarningsFeed, read_earnings
from services.market.feed import Feed
from services.market.session import market_state
from services.orders.risk_engine import worst_risk
from services.orders.switch import SwitchState, state
from services.trade import advice
from services.trade.tables import trade_advice
from services.trade.wording import pct_words

PLAN_AGE = timedelta(days=1)
"""How long a checked plan counts as valid; its prices are those of its session."""
ZONE_R = Decimal("0.1")
"""A plan with one entry price has a zone of a tenth of its risk around it."""


def gather(ctx: Context, alert: Alert, price: Decimal) -> Situation:
    """Return the situation after an alert fired at `price`; reads only, asks no broker."""
    as_of = ctx.port(Feed).as_of(ctx)
    market = market_state(alert.calendar, as_of)
    scopes = ("tenant", f"listing:{alert.listing}")
    switch = state(ctx, scopes=scopes)
    blocked = "" if switch.state is SwitchState.ACTIVE else switch.reason
    plan = _newest_plan(ctx, alert.symbol)
    facts = _plan_facts(ctx, plan) if plan else None
    if alert.kind is AlertKind.PLAN_EVENT:
        facts = _watched_plan(alert, as_of)
    earnings = _earnings(ctx, alert.symbol)
    by_price = alert.kind in (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW)
    return Situation(
        symbol=alert.symbol,
        level=alert.level if by_price else price,
        price=price,
        blocked=blocked or _risk_blocks(ctx),
        held=_held(ctx, alert.listing, plan.document if plan else {}),
        plan=facts,
        one_r_money=pct_words(ctx.policy.sizing.risk_pct),
        market_open=market.state == "open",
        next_open=market.next_open,
        calendar=alert.calendar,
        earnings_on=earnings[0] if earnings else None,
        earnings_sessions=earnings[1] if earnings else None,
    )


def _risk_blocks(ctx: Context) -> str:
    """Return why the account's risk allows no new risk; empty while it does."""
    worst = worst_risk(ctx)
    return worst.reason if worst and worst.state in ("breach", "frozen") else ""


def _watched_plan(alert: Alert, as_of: datetime) -> PlanFacts:
    """Return the plan that an alert watches; its time to enter is the plan's own."""
    terms = read_terms(alert.terms)
    return PlanFacts(
        ref=terms.plan_id,
        side=terms.side,
        entry_lo=terms.lo,
        entry_hi=terms.hi,
        stop=terms.stop,
        expired=as_of > terms.opens_until,
        setup=terms.setup,
    )


def _newest_plan(ctx: Context, symbol: str) -> advice.Advice | None:
    ref = ctx.db.scalar(
        select(trade_advice.c.ref)
        .where(trade_advice.c.symbol == symbol, trade_advice.c.kind == "plan")
        .order_by(trade_advice.c.at.desc(), trade_advice.c.ref.desc())
        .limit(1)
    )
    found = advice.find(ctx, ref) if ref else None
    return None if found is None or found.document.get("errors") else found


def _plan_facts(ctx: Context, plan: advice.Advice) -> PlanFacts | None:
    entry, stop = plan.number("entry"), plan.number("stop")
    if entry is None or stop is None:
        return None
    made = ctx.db.scalar(select(trade_advice.c.at).where(trade_advice.c.ref == plan.ref))
    width = ZONE_R * abs(entry - stop)
    return PlanFacts(
        ref=plan.ref,
        side=str(plan.document["side"]),
        entry_lo=entry - width,
        entry_hi=entry + width,
        stop=stop,
        expired=ctx.now - made > PLAN_AGE,
    )


def _held(ctx: Context, listing: str, plan: Mapping[str, Any]) -> HeldFacts | None:
    for mine in portfolio.list_portfolios(ctx):
        found = holding.find_position(ctx, mine.id, listing)
        if found is not None and found.quantity:
            return _held_facts(found.quantity, plan)
    return None


def _held_facts(quantity: Decimal, plan: Mapping[str, Any]) -> HeldFacts:
    """Return the position with the levels of the newest plan on its side, if there is one."""
    if plan.get("side") != ("long" if quantity > 0 else "short"):
        return HeldFacts(quantity=quantity)
    targets = tuple(Decimal(one) for one in plan.get("targets", ()))
    entry, stop = Decimal(plan["entry"]), Decimal(plan["stop"])
    part = Decimal(1) / len(targets) if targets else Decimal(1)
    return HeldFacts(
        quantity=quantity,
        stop=stop,
        one_r=abs(entry - stop),
        targets=targets,
        fractions=(part,) * len(targets),
    )


def _earnings(ctx: Context, symbol: str) -> tuple[date, int] | None:
    """Return the next report's date and the sessions until it; None when it is not known."""
    if EarningsFeed not in ctx.ports:
        return None
    try:
        rows = read_earnings(ctx, [symbol], days=7).rows
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return None
    coming = rows[0].next if rows else None
    if coming is None or coming.sessions_until is None:
        return None
    return coming.date, coming.sessions_until
