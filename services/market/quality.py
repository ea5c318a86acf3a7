"""Owns data quality: what is wrong with a quote, and the snapshot that advice must stand on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.kit.money import decimal_text
from services.kit.policy import Policy
from services.market.feed import Feed
from services.market.instrument import Instrument, tick_size
from services.market.quote import Quote
from services.market.session import MarketState, market_state
from services.market.tables import dq_snapshots

SYMBOLS_MAX = 50


class Severity(StrEnum):
    """`CRIT` blocks advice and orders; `WARN` is shown; `INFO` is counted."""

    INFO = "INFO"
    WARN = "WARN"
    CRIT = "CRIT"


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """Thresholds of the checks that the policy does not hold. `_pct` is a fraction."""

    stale_crit_s: int = 60
    future_s: int = 2
    wide_ticks: int = 5
    wide_crit_pct: Decimal = Decimal("0.05")
    digits_max: int = 12
    decimals_max: int = 8


LIMITS = QualityLimits()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the data of one symbol."""

    symbol: str
    code: str
    severity: Severity
    detail: str


@dataclass(frozen=True, slots=True)
class QualitySnapshot:
    """What was found about some symbols at `as_of`; `green` means nothing critical."""

    id: str
    symbols: tuple[str, ...]
    as_of: datetime
    green: bool
    findings: tuple[Finding, ...]


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
            *_currency(quote, instrument),
            *_times(quote, as_of, state, policy),
            *_session(quote, instrument),
        ]
    return sorted((Finding(symbol, *rest) for rest in found), key=lambda one: one.code)


_Fault = tuple[str, Severity, str]


def _numbers(quote: Quote) -> list[_Fault]:
    faults: list[_Fault] = []
    for name in ("bid", "ask", "last", "bid_size", "ask_size"):
        value: Decimal = getattr(quote, name)
        if not isinstance(value, Decimal) or not value.is_finite() or not _fits(value):
            faults.append(("DQ_FORMAT", Severity.CRIT, f"{name} is not a usable number"))
        elif value < 0 or (value == 0 and not name.endswith("_size")):
            faults.append(("DQ_NONPOSITIVE", Severity.CRIT, f"{name}={decimal_text(value)}"))
    return faults


def _fits(value: Decimal) -> bool:
    _, digits, exponent = value.as_tuple()
    return (
        isinstance(exponent, int)
        and -exponent <= LIMITS.decimals_max
        and len(digits) + exponent <= LIMITS.digits_max
    )


def _spread(quote: Quote, policy: Policy, instrument: Instrument) -> list[_Fault]:
    bid, ask = decimal_text(quote.bid), decimal_text(quote.ask)
    if quote.bid > quote.ask:
        return [("DQ_CROSSED", Severity.CRIT, f"bid {bid} above ask {ask}")]
    if quote.bid == quote.ask:
        return [("DQ_LOCKED", Severity.WARN, f"bid and ask are both {bid}")]
    width, text = quote.ask - quote.bid, f"{bid} to {ask} is {quote.spread_pct} of the mid"
    if width > LIMITS.wide_crit_pct * quote.mid:
        return [("DQ_WIDE", Severity.CRIT, text)]
    tick = tick_size(instrument, quote.mid, quote.ts.date())
    if width > max(LIMITS.wide_ticks * tick, policy.orders.max_spread_pct * quote.mid):
        return [("DQ_WIDE", Severity.WARN, text)]
    return []


def _currency(quote: Quote, instrument: Instrument) -> list[_Fault]:
    if quote.currency in (instrument.currency, instrument.quote_unit):
        return []
    return [
        (
            "DQ_CCY_MISMATCH",
            Severity.CRIT,
            f"{quote.currency} given, {instrument.quote_unit} expected",
        )
    ]


def _times(quote: Quote, as_of: datetime, state: MarketState, policy: Policy) -> list[_Fault]:
    """Judge the quote's age: by the clock in session, by the last session otherwise."""
    if quote.ts > as_of + timedelta(seconds=LIMITS.future_s):
        ahead = int((quote.ts - as_of).total_seconds())
        return [("DQ_FUTURE_TS", Severity.CRIT, f"{ahead} s ahead of the market's time")]
    if state.state != "open":
        session = state.last_session
        old = session is not None and quote.ts < session.open
        return [("DQ_STALE", Severity.CRIT, "older than the last session")] if old else []
    age_s = int((as_of - quote.ts).total_seconds())
    if age_s <= policy.orders.quote_age_advice_s:
        return []
    severity = Severity.CRIT if age_s > LIMITS.stale_crit_s else Severity.WARN
    return [("DQ_STALE", severity, f"{age_s} s old, limit {policy.orders.quote_age_advice_s} s")]


def _session(quote: Quote, instrument: Instrument) -> list[_Fault]:
    before = quote.ts - timedelta(microseconds=1)
    states = {market_state(instrument.calendar, moment).state for moment in (quote.ts, before)}
    if states == {"closed"}:
        return [("DQ_SESSION", Severity.WARN, "a print outside every session")]
    return []


def snapshot(ctx: Context, symbols: Sequence[str]) -> QualitySnapshot:
    """Assess the newest quote of each symbol and store the result; a writing unit of work.

    Raises `SYMBOL_UNKNOWN` and `PARAM_INVALID`; a feed that cannot answer is a `DQ_MISSING`.
    """
    if not 1 <= len(symbols) <= SYMBOLS_MAX:
        raise refuse(
            "PARAM_INVALID",
            name="symbols",
            value=len(symbols),
            rule=f"give 1 to {SYMBOLS_MAX} symbols",
        )
    feed = ctx.port(Feed)
    as_of = feed.as_of(ctx)
    instruments = {one.symbol: one for one in (feed.instrument(ctx, text) for text in symbols)}
    findings = [
        finding
        for _, instrument in sorted(instruments.items())
        for finding in assess(
            _find_quote(ctx, feed, instrument),
            as_of,
            market_state(instrument.calendar, as_of),
            ctx.policy,
            instrument=instrument,
        )
    ]
    taken = QualitySnapshot(
        ctx.ids.new("dq"),
        tuple(sorted(instruments)),
        as_of,
        not any(finding.severity == Severity.CRIT for finding in findings),
        tuple(findings),
    )
    ctx.db.insert(
        dq_snapshots,
        {
            "id": taken.id,
            "at": ctx.now,
            "as_of": as_of,
            "symbols": json.dumps(taken.symbols),
            "green": int(taken.green),
            "findings_json": json.dumps([asdict(finding) for finding in findings]),
        },
    )
    return taken


def _find_quote(ctx: Context, feed: Feed, instrument: Instrument) -> Quote | None:
    try:
        return feed.quote(ctx, instrument.id)
    except Refusal as refusal:
        if refusal.kind != Kind.DATA:
            raise
        return None


def require_green(ctx: Context, symbols: Sequence[str]) -> QualitySnapshot:
    """Return a stored green snapshot of `symbols`; what every proposal and advice stands on.

    Raises `DQ_BLOCK` with the critical findings (`checks`, and `findings` one by one).
    """
    taken = snapshot(ctx, symbols)
    if not taken.green:
        critical = [one for one in taken.findings if one.severity == Severity.CRIT]
        raise refuse(
            "DQ_BLOCK",
            checks=", ".join(f"{one.symbol} {one.code}" for one in critical),
            findings=[
                {"symbol": one.symbol, "code": one.code, "detail": one.detail} for one in critical
            ],
        )
    return taken
