"""Owns what one quote says about itself: numbers, currency, age, spread, session, halts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from services.kit.errors import Refusal
from services.kit.money import decimal_text
from services.kit.policy import Policy
from services.market.finding import Finding, Severity
from services.market.instrument import Instrument, tick_size
from services.market.observation import FUTURE, find_number_fault
from services.market.quality_rule import Fault, find_unit_faults
from services.market.quote import Provenance, Quote
from services.market.session import MarketState, Session, find_last_session, market_state


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """Thresholds of a quote that the policy does not hold. `_pct` is a fraction."""

    stale_crit_s: int = 60
    wide_ticks: int = 5
    wide_crit_pct: Decimal = Decimal("0.05")
    eod_grace: timedelta = timedelta(minutes=45)


LIMITS = QualityLimits()
_DAILY = (Provenance.EOD, Provenance.SNAPSHOT)


def assess(
    quote: Quote | None,
    as_of: datetime,
    state: MarketState,
    policy: Policy,
    *,
    instrument: Instrument,
) -> list[Finding]:
    """Return what is wrong with a quote at `as_of`, by code; empty when nothing is. Pure.

    Without a quote `DQ_MISSING`. Numbers that cannot be prices end the checks; then come time,
    currency and spread. Worked: bid 10.02 over ask 10.00 is `DQ_CROSSED`, critical.
    """
    symbol = instrument.symbol
    if quote is None:
        return [Finding(symbol, "DQ_MISSING", Severity.CRIT, "no quote")]
    found = _numbers(quote)
    if not found:
        found = [
            *_spread(quote, policy, instrument),
            *find_unit_faults(quote.currency, quote_unit=instrument.quote_unit),
            *_times(quote, as_of, state, policy, calendar=instrument.calendar),
            *_session(quote, instrument),
        ]
    return sorted(named(symbol, found), key=lambda one: one.code)


def named(symbol: str, faults: list[Fault]) -> list[Finding]:
    """Return faults as the findings of one symbol."""
    return [Finding(symbol, one.code, Severity(one.severity), one.detail) for one in faults]


def _numbers(quote: Quote) -> list[Fault]:
    faults = [
        find_number_fault(name, getattr(quote, name), may_be_zero=name.endswith("_size"))
        for name in ("bid", "ask", "last", "bid_size", "ask_size")
    ]
    return [fault for fault in faults if fault is not None]


def _spread(quote: Quote, policy: Policy, instrument: Instrument) -> list[Fault]:
    bid, ask = decimal_text(quote.bid), decimal_text(quote.ask)
    if quote.bid > quote.ask:
        return [Fault("DQ_CROSSED", "CRIT", f"bid {bid} above ask {ask}")]
    if quote.bid == quote.ask:
        return [Fault("DQ_LOCKED", "WARN", f"bid and ask are both {bid}")]
    width, text = quote.ask - quote.bid, f"{bid} to {ask} is {quote.spread_pct} of the mid"
    if width > LIMITS.wide_crit_pct * quote.mid:
        return [Fault("DQ_WIDE", "CRIT", text)]
    ticks = LIMITS.wide_ticks * _tick(quote, instrument)
    if width > max(ticks, policy.orders.max_spread_pct * quote.mid):
        return [Fault("DQ_WIDE", "WARN", text)]
    return []


def _tick(quote: Quote, instrument: Instrument) -> Decimal:
    try:
        return tick_size(instrument, quote.mid, quote.ts.date())
    except Refusal:
        return Decimal(0)


def _times(
    quote: Quote, as_of: datetime, state: MarketState, policy: Policy, *, calendar: str
) -> list[Fault]:
    """Judge the quote's age: by the clock in session, by the last session otherwise.

    A halted symbol has a closed market of its own, and daily data are due 45 minutes after the
    close.
    """
    if quote.ts > as_of + FUTURE:
        ahead = int((quote.ts - as_of).total_seconds())
        return [Fault("DQ_FUTURE_TS", "CRIT", f"{ahead} s ahead of the market's time")]
    if quote.provenance in _DAILY:
        return _old(quote, find_last_session_closed(calendar, as_of - LIMITS.eod_grace))
    if state.state != "open" or quote.halted:
        return _old(quote, state.last_session)
    age_s = int((as_of - quote.ts).total_seconds())
    if age_s <= policy.orders.quote_age_advice_s:
        return []
    limit = f"{age_s} s old, limit {policy.orders.quote_age_advice_s} s"
    return [Fault("DQ_STALE", "CRIT" if age_s > LIMITS.stale_crit_s else "WARN", limit)]


def find_last_session_closed(calendar: str, at: datetime) -> Session | None:
    """Return the newest session that had closed by `at`; None outside the tables."""
    try:
        found = find_last_session(calendar, at)
        if found is None or found.close <= at:
            return found
        return find_last_session(calendar, found.open - timedelta(microseconds=1))
    except Refusal:
        return None


def _old(quote: Quote, session: Session | None) -> list[Fault]:
    if session is None or quote.ts >= session.open:
        return []
    return [Fault("DQ_STALE", "CRIT", "older than the last session")]


def _session(quote: Quote, instrument: Instrument) -> list[Fault]:
    if quote.halted:
        return [Fault("DQ_SESSION", "CRIT", "trading is halted: closed for this symbol")]
    before = quote.ts - timedelta(microseconds=1)
    states = {market_state(instrument.calendar, moment).state for moment in (quote.ts, before)}
    if states == {"closed"}:
        return [Fault("DQ_SESSION", "WARN", "a print outside every session")]
    return []
