"""Owns the stored exchange rates: written once, corrected by versions, read as of a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select

from services.kit.context import Context
from services.kit.money import FxRate
from services.market.as_of import market_now, readable_until
from services.market.quote import Provenance
from services.market.round import market_round
from services.market.store_tables import fx_rates

INVERSE_APART_MAX = timedelta(hours=1)
"""A rate of another time is no inverse to hold one against: rates move by more than 0.5 % a day."""


@dataclass(frozen=True, slots=True)
class RatePoint:
    """An exchange rate at `ts`, and where it comes from."""

    rate: FxRate
    ts: datetime
    provenance: Provenance
    source: str
    known_at: datetime


_PAIR = (
    fx_rates.c.currency == bindparam("given"),
    fx_rates.c.base == bindparam("wanted"),
    fx_rates.c.round == bindparam("turn"),
)
_AT = (
    select(fx_rates)
    .where(*_PAIR, fx_rates.c.ts == bindparam("moment"))
    .order_by(fx_rates.c.version.desc())
    .limit(1)
)
_LAST = (
    select(fx_rates)
    .where(*_PAIR, fx_rates.c.ts <= bindparam("until"), fx_rates.c.known_at <= bindparam("until"))
    .order_by(fx_rates.c.ts.desc(), fx_rates.c.version.desc())
    .limit(1)
)


def record_rate(
    ctx: Context,
    rate: FxRate,
    ts: datetime,
    *,
    provenance: Provenance,
    source: str,
    known_at: datetime | None = None,
) -> bool:
    """Store an exchange rate; return False when exactly this one is known already.

    Another rate for the same pair and time is stored as a further version.
    """
    turn = market_round(ctx)
    ctx.db.lock(f"fx_rates:{ctx.principal.tenant_id}")
    known = ctx.db.row(_AT, given=rate.currency, wanted=rate.base, turn=turn, moment=ts)
    if known is not None and known.rate == rate.rate:
        return False
    arrived = max(ts, known_at or market_now(ctx))
    ctx.db.insert(
        fx_rates,
        {
            "currency": rate.currency,
            "base": rate.base,
            "ts": ts,
            "rate": rate.rate,
            "round": turn,
            "version": 1 if known is None else known.version + 1,
            "known_at": arrived if known is None else max(arrived, known.known_at),
            "provenance": provenance,
            "source": source,
        },
    )
    return True


def last_rate(
    ctx: Context, currency: str, base: str, at: datetime | None = None
) -> RatePoint | None:
    """Return the newest units of `base` per one `currency` known by `at`; None without one.

    `at` never reaches beyond the market's now. The inverse is never made up from the other pair.
    Worked: `last_rate(ctx, "GBP", "USD")` is about 1.27 when a pound costs 1.27 dollars.
    """
    row = ctx.db.row(
        _LAST, given=currency, wanted=base, turn=market_round(ctx), until=readable_until(ctx, at)
    )
    if row is None:
        return None
    return RatePoint(
        FxRate(row.currency, row.base, row.rate),
        row.ts,
        Provenance(row.provenance),
        row.source,
        row.known_at,
    )


def find_inverse(ctx: Context, currency: str, base: str, ts: datetime) -> RatePoint | None:
    """Return the stored rate of the pair turned around of about the time `ts`; None without one."""
    found = last_rate(ctx, base, currency)
    return None if found is None or abs(found.ts - ts) > INVERSE_APART_MAX else found
