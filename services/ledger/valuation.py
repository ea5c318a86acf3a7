"""Owns what a portfolio is worth: marks with their provenance, day P&L, and the minute series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, select, text

from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.kit.money import rounded
from services.ledger.book import Cash, cash
from services.ledger.closing import book_at_close
from services.ledger.conversion import find_terms
from services.ledger.holding import Holding, positions
from services.ledger.portfolio import Portfolio, get_portfolio, market_now
from services.ledger.position import ZERO
from services.ledger.split import find_due
from services.ledger.tables import ledger_batches, ledger_entries, valuations
from services.market.doubt import Doubts, build_doubts
from services.market.feed import Feed
from services.market.quote import Quote
from services.market.round import market_round, round_of, session_key
from services.market.session import Session, find_last_session, sessions_between

CALENDAR = "XNYS"
"""Whose sessions cut the series into days when nothing is held that says otherwise."""
_CLOSES_MAX = 10
"""Closes written at once; one step of the replay passes at most five."""
_FLOWS = select(func.sum(ledger_entries.c.amount)).where(
    ledger_entries.c.portfolio_id == bindparam("of_portfolio"),
    ledger_entries.c.seq > bindparam("after"),
    text("ledger_entries.account LIKE 'external:%'"),
)
_NEWEST_ROW = (
    select(valuations)
    .where(valuations.c.portfolio_id == bindparam("of_portfolio"))
    .order_by(valuations.c.era.desc(), valuations.c.at.desc(), valuations.c.kind)
    .limit(1)
)
_BEFORE = (
    select(valuations.c.equity, valuations.c.last_seq)
    .where(
        valuations.c.portfolio_id == bindparam("of_portfolio"),
        valuations.c.session != bindparam("but_session"),
    )
    .order_by(valuations.c.era.desc(), valuations.c.at.desc(), valuations.c.kind)
    .limit(1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldValue:
    """One holding at its mark. Without a usable price the values are None and `missing` says why.

    `last` is in the listing's currency (pounds for pence), everything else in the portfolio's base
    currency, at `rate` as of `rate_at` where that is another one.
    """

    listing: str
    symbol: str
    quantity: Decimal
    average_cost: Decimal
    cost_base: Decimal
    last: Decimal | None = None
    market_value: Decimal | None = None
    unrealised: Decimal | None = None
    unrealised_pct: Decimal | None = None
    provenance: str = ""
    source: str = ""
    as_of: datetime | None = None
    rate: Decimal | None = None
    rate_at: datetime | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Valuation:
    """A portfolio at one market time. Totals are None while a price is missing, never zero."""

    portfolio_id: str
    currency: str
    as_of: datetime
    cash: Cash
    holdings: tuple[HeldValue, ...]
    market_value: Decimal | None
    unrealised: Decimal | None
    equity: Decimal | None
    session_open_equity: Decimal | None
    day_pnl: Decimal | None
    provenance: str
    source: str
    flags: tuple[str, ...]

    def require_equity(self) -> Decimal:
        """Return the equity. Raises `DQ_BLOCK` naming the listings without a price."""
        if self.equity is None:
            raise refuse(
                "DQ_BLOCK",
                checks=", ".join(
                    f"{held.symbol}: {held.missing}" for held in self.holdings if held.missing
                ),
            )
        return self.equity


def value(ctx: Context, portfolio_id: str | None = None) -> Valuation:
    """Return what the portfolio is worth now: cash plus units at the last trade, else the mid.

    `day_pnl` is equity less the equity at the last close, money from outside since then taken
    out; `session_open_equity` is that base. Raises `PORTFOLIO_UNKNOWN`.
    Worked: cash 79999 and 100 units last traded at 201 are an equity of 100099.
    """
    portfolio = get_portfolio(ctx, portfolio_id)
    holdings = positions(ctx, portfolio.id)
    doubts = build_doubts(ctx, (holding.listing for holding in holdings))
    held = tuple(_held_value(ctx, portfolio, holding, doubts) for holding in holdings)
    money, as_of = cash(ctx, portfolio.id), market_now(ctx)
    worth = _total(item.market_value for item in held)
    equity = None if worth is None else money.posted.amount + worth
    opened = session_open_equity(ctx, portfolio.id, as_of)
    return Valuation(
        portfolio_id=portfolio.id,
        currency=portfolio.base_currency,
        as_of=as_of,
        cash=money,
        holdings=held,
        market_value=worth,
        unrealised=_total(item.unrealised for item in held),
        equity=equity,
        session_open_equity=opened,
        day_pnl=None if equity is None else equity - opened,
        provenance=_join(item.provenance for item in held),
        source=_join(item.source for item in held),
        flags=() if worth is not None else ("INCOMPLETE",),
    )


def _held_value(ctx: Context, portfolio: Portfolio, held: Holding, doubts: Doubts) -> HeldValue:
    facts: dict[str, Any] = {
        "listing": held.listing,
        "symbol": held.symbol,
        "quantity": held.quantity,
        "average_cost": held.average_cost,
        "cost_base": held.cost_base,
    }
    try:
        quote = ctx.port(Feed).quote(ctx, held.listing)
        if find_due(ctx, portfolio.id, held):
            return HeldValue(**facts, missing="CORPORATE_ACTION_PENDING")
        doubt = doubts.of(ctx, quote)
    except Refusal as refusal:
        return HeldValue(**facts, missing=refusal.code)
    if doubt:
        return HeldValue(**facts, missing=doubt)
    mark, instrument = mark_of(quote), doubts.instruments.get(held.listing)
    if mark is None or instrument is None:
        return HeldValue(**facts, missing="QUOTE_UNUSABLE")
    terms = find_terms(ctx, instrument, portfolio.base_currency)
    facts["last"] = terms.major(mark)
    if terms.missing:
        return HeldValue(**facts, missing=terms.missing)
    worth, rate = terms.worth(held.quantity, mark), terms.rate
    gain = worth - held.cost_base
    return HeldValue(
        **facts,
        market_value=worth,
        unrealised=gain,
        unrealised_pct=rounded(gain / held.cost_base, 6) if held.cost_base else None,
        provenance=_join((quote.provenance.value, rate.provenance.value if rate else "")),
        source=_join((quote.source, rate.source if rate else "")),
        as_of=quote.ts,
        rate=rate.rate.rate if rate else None,
        rate_at=rate.ts if rate else None,
    )


def mark_of(quote: Quote) -> Decimal | None:
    """Return the last trade, else the mid of a two-sided quote, else None."""
    if quote.last > 0:
        return quote.last
    return quote.mid if 0 < quote.bid <= quote.ask else None


def session_open_equity(ctx: Context, portfolio_id: str, as_of: datetime) -> Decimal:
    """Return the equity that today's profit and loss starts from.

    That is the newest recorded equity of another session plus the money that came from outside
    since; without one it is all money from outside.
    """
    today = _session_of(ctx, as_of)
    row = ctx.db.row(_BEFORE, of_portfolio=portfolio_id, but_session=today)
    base, seq = (row.equity, row.last_seq) if row else (ZERO, 0)
    return Decimal(base + flows_since(ctx, portfolio_id, seq))


def flows_since(ctx: Context, portfolio_id: str, seq: int) -> Decimal:
    """Return the money that came from outside after batch `seq`, below 0 for money taken out."""
    total = ctx.db.scalar(_FLOWS, of_portfolio=portfolio_id, after=seq)
    return -total if total else ZERO


def record(ctx: Context, portfolio_id: str) -> bool:
    """Store the valuation of the current minute of market time; True when a row was written.

    Written while something is held or the book changed since the last row, once per minute;
    every close that has passed since is kept first, at the day's closing prices. Market time
    that goes back begins a new era. An incomplete valuation is not stored.
    """
    as_of = market_now(ctx)
    minute = as_of.replace(second=0, microsecond=0)
    last = newest_row(ctx, portfolio_id)
    closed = _record_closes(ctx, last, as_of)
    if closed:
        last = newest_row(ctx, portfolio_id)
    if last is not None and last.at == minute and _same_round(ctx, last):
        return closed
    head = int(
        ctx.db.scalar(
            select(func.max(ledger_batches.c.seq)).where(
                ledger_batches.c.portfolio_id == portfolio_id
            )
        )
        or 0
    )
    now = value(ctx, portfolio_id)
    idle = (
        last is not None
        and last.last_seq == head
        and (not now.holdings or ((closed or last.kind == "close") and not _in_session(as_of)))
    )
    if now.equity is None or idle:
        return closed
    _store(ctx, now, last, {"at": minute, "as_of": as_of, "last_seq": head})
    return True


def _store(ctx: Context, now: Valuation, last: Any, when: dict[str, Any]) -> None:
    flow = flows_since(ctx, now.portfolio_id, last.last_seq if last else 0)
    equity = now.require_equity()
    course = grow(last, equity, flow)
    ctx.db.insert(
        valuations,
        {
            "portfolio_id": now.portfolio_id,
            "era": _era(ctx, last, when["at"]),
            "kind": "start" if last is None else "minute",
            "recorded_at": ctx.now,
            "session": _session_of(ctx, now.as_of),
            "cash": now.cash.posted.amount,
            "market_value": now.market_value or ZERO,
            "equity": equity,
            "flow": flow,
            "growth": course.growth,
            "peak_growth": course.peak,
            "drawdown_max": course.drawdown_max,
            "provenance": now.provenance,
            **when,
        },
    )


@dataclass(frozen=True, slots=True)
class Course:
    """Growth of one unit of money since the start, its peak, and the deepest fall below a peak."""

    growth: Decimal
    peak: Decimal
    drawdown_max: Decimal


def grow(last: Any, equity: Decimal, flow: Decimal) -> Course:
    """Return the course after `last` (a stored row or None) at `equity`, of which `flow` came in.

    Time-weighted: money from outside counts as arriving at the end of the step. The start value
    1 is the first peak. 12 decimals half-even. Worked: 100 that becomes 210 with 100 added grew
    to 1.1.
    """
    if last is None:
        growth = rounded(equity / flow, 12) if flow > 0 else Decimal(1)
        peak, deepest = max(Decimal(1), growth), ZERO
    else:
        growth = (
            rounded(last.growth * (equity - flow) / last.equity, 12)
            if last.equity > 0
            else last.growth
        )
        peak, deepest = max(last.peak_growth, growth), last.drawdown_max
    return Course(growth, peak, min(deepest, rounded(growth / peak - 1, 12)))


def newest_row(ctx: Context, portfolio_id: str) -> Any:
    """Return the newest stored valuation row, or None."""
    return ctx.db.row(_NEWEST_ROW, of_portfolio=portfolio_id)


def _in_session(as_of: datetime) -> bool:
    session = find_last_session(CALENDAR, as_of)
    return session is not None and as_of < session.close


def _era(ctx: Context, last: Any, minute: datetime) -> int:
    if last is None:
        return 1
    return int(last.era) + (1 if minute < last.at or not _same_round(ctx, last) else 0)


def _same_round(ctx: Context, last: Any) -> bool:
    return round_of(last.session) == market_round(ctx)


def _record_closes(ctx: Context, last: Any, as_of: datetime) -> bool:
    """Keep the equity at each close since the last row; True when one was written.

    The session of the last row always gets its close, a later one only while something was held.
    """
    if last is None or as_of < last.at or not _same_round(ctx, last):
        return False
    first = find_last_session(CALENDAR, last.as_of)
    if first is None:
        return False
    due = sessions_between(CALENDAR, first.date, as_of.date())[:_CLOSES_MAX]
    written = False
    for session in due:
        if session.close > as_of or (last.kind == "close" and last.at >= session.close):
            continue
        if _record_close(ctx, last, session, must=session == first):
            written, last = True, newest_row(ctx, last.portfolio_id)
    return written


def _record_close(ctx: Context, last: Any, session: Session, *, must: bool) -> bool:
    """Write one close at the day's closing prices; without them the last equity stands."""
    closed = book_at_close(ctx, last.portfolio_id, session, since=last.last_seq)
    if not must and (closed is None or not closed.held):
        return False
    values = {column.name: getattr(last, column.name) for column in valuations.c}
    values |= {
        "kind": "close",
        "at": max(session.close, last.at),
        "recorded_at": ctx.now,
        "flow": ZERO,
    }
    if closed is not None:
        equity = closed.cash + closed.market_value
        flow = flows_since(ctx, last.portfolio_id, last.last_seq) - flows_since(
            ctx, last.portfolio_id, closed.last_seq
        )
        course = grow(last, equity, flow)
        values |= {
            "as_of": session.close,
            "session": session_key(ctx, session.date),
            "last_seq": closed.last_seq,
            "cash": closed.cash,
            "market_value": closed.market_value,
            "provenance": closed.provenance,
            "equity": equity,
            "flow": flow,
            "growth": course.growth,
            "peak_growth": course.peak,
            "drawdown_max": course.drawdown_max,
        }
    ctx.db.insert(valuations, values)
    return True


def _session_of(ctx: Context, as_of: datetime) -> str:
    """Return the key of the session that has opened last, the day that `as_of` belongs to."""
    try:
        session = find_last_session(CALENDAR, as_of)
    except Refusal:
        session = None
    return session_key(ctx, session.date if session else as_of.date())


def _total(values: Any) -> Decimal | None:
    items = list(values)
    return None if any(item is None for item in items) else sum(items, ZERO)


def _join(texts: Any) -> str:
    return ", ".join(sorted({text for text in texts if text}))
