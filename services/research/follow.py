"""Owns following suggestions: each is taken up once and settled as bars arrive."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.money import rounded
from services.market.action_record import known_splits
from services.market.feed import COUNT_MAX, BarSeries, Feed
from services.market.grid import MINUTES
from services.market.session import trading_minutes
from services.market.shown_bars import shown_bars
from services.orders.tables import proposals
from services.research.drift import watch_drift
from services.research.settle import ENTERED, NO_TRADE, Settled, Suggested, settle
from services.research.suggestion import NotFollowed, Suggestion, of_advice, of_plan
from services.research.suggestion_tables import suggestions
from services.trade.plan_tables import plans
from services.trade.tables import trade_advice

PAGE = 200
PLACES, PRICE_PLACES = 6, 8
_LEVELS = (
    *("record_key", "setup_key", "tier", "calibrator_hash", "score", "stated"),
    *("entry_kind", "entry", "worst", "stop", "target", "invalid_at"),
    *("timeframe", "entry_until", "ends_at"),
)
ADOPT = "+new"
"""The part of the job that takes up what is new; the others are symbols."""
_HOLE_MINUTES = 390
"""A whole session without a bar at the start: the feed does not reach back that far."""
_LOST = "its first bars are no longer available"
_REPLAYED = "the replayed market began again before its end"


def follow_due(ctx: Context) -> dict[str, int]:
    """Take up what was suggested since the last time and settle what bars decide; return counts.

    The market's own time is the feed's; nothing later is read. Doing it again changes nothing.
    """
    total = Counter(adopt_new(ctx))
    for part in followed_symbols(ctx):
        total.update(follow_symbol(ctx, part))
    total.update(watch_drift(ctx))
    return dict(sorted(total.items()))


def follow_parts(ctx: Context) -> list[tuple[str, ...]]:
    """Return the parts of the job: what is new, then each symbol that is followed; or none."""
    symbols = followed_symbols(ctx)
    if not symbols and next(_new(ctx), None) is None:
        return []
    return [(ADOPT,), *((symbol,) for symbol in symbols)]


def follow_part(ctx: Context, part: tuple[str, ...]) -> Counter[str]:
    """Do one part of the job; return counts."""
    if part == (ADOPT,):
        return Counter({**adopt_new(ctx), **watch_drift(ctx)})
    return Counter(follow_symbol(ctx, part[0]))


def followed_symbols(ctx: Context) -> list[str]:
    """Return the symbols of suggestions that bars may still decide, sorted."""
    query = select(suggestions.c.symbol).where(suggestions.c.followed == 1).distinct()
    return sorted(row.symbol for row in ctx.db.rows(query))


def adopt_new(ctx: Context) -> dict[str, int]:
    """Take up every stored plan, check, size and order that is not followed yet.

    What has no entry, stop and target gets its reason instead.
    """
    taken: Counter[str] = Counter()
    for made in _new(ctx):
        if isinstance(made, NotFollowed):
            _insert(ctx, {**_bare(made), "state": "not_followed", "reason": made.reason})
            taken["not_followed"] += 1
        else:
            _insert(ctx, {**_full(made), "state": "waiting", "reason": "", "followed": 1})
            taken["taken_up"] += 1
    return dict(taken)


def _new(ctx: Context) -> Iterator[Suggestion | NotFollowed]:
    """Yield what has no row yet, source by source, newest page first until a page is all known."""
    for row in _unknown(ctx, select(plans).order_by(plans.c.at.desc(), plans.c.id), "id"):
        yield of_plan(json.loads(row.document))
    query = select(trade_advice).order_by(trade_advice.c.at.desc(), trade_advice.c.ref)
    for row in _unknown(ctx, query, "ref"):
        yield of_advice(row.ref, row.kind, json.loads(row.document), at=row.at)
    query = select(proposals).order_by(proposals.c.created_at.desc(), proposals.c.id)
    for row in _unknown(ctx, query, "id"):
        order = json.loads(row.order_json)
        yield NotFollowed(
            ref=row.id,
            kind="order",
            symbol=str(order.get("symbol", "")),
            side="short" if order.get("side") == "sell" else "long",
            made_at=row.created_at,
            reason="an order names no target; the plan it came from is followed",
        )


def _unknown(ctx: Context, query: Select[Any], name: str) -> Iterator[Row[Any]]:
    offset = 0
    while rows := ctx.db.rows(query.offset(offset).limit(PAGE)):
        refs = [getattr(row, name) for row in rows]
        found = ctx.db.rows(select(suggestions.c.ref).where(suggestions.c.ref.in_(refs)))
        known = {row.ref for row in found}
        fresh = [row for row in rows if getattr(row, name) not in known]
        yield from fresh
        if not fresh:
            return
        offset += PAGE


def _bare(made: Suggestion | NotFollowed) -> dict[str, Any]:
    return {
        "ref": made.ref,
        "kind": made.kind,
        "symbol": made.symbol,
        "side": made.side,
        "made_at": made.made_at,
        "entry_until": made.made_at,
        "ends_at": made.made_at,
        "record_key": "",
        "setup_key": "",
        "tier": "",
        "calibrator_hash": "",
        "entry_kind": "",
        "timeframe": "",
        "ambiguous": 0,
        "followed": 0,
        "provenance": "",
    }


def _full(made: Suggestion) -> dict[str, Any]:
    fields = {name: getattr(made, name) for name in _LEVELS}
    return {**_bare(made), **fields}


def _insert(ctx: Context, row: dict[str, Any]) -> None:
    ctx.db.insert(suggestions, {**row, "updated_at": ctx.now})


def follow_symbol(ctx: Context, symbol: str) -> dict[str, int]:
    """Settle the suggestions of one symbol on the bars up to the market's now; return counts."""
    followed = suggestions.c.followed == 1
    query = select(suggestions).where(followed, suggestions.c.symbol == symbol)
    seen: Counter[str] = Counter()
    for row in ctx.db.rows(query.order_by(suggestions.c.made_at, suggestions.c.ref)):
        seen["looked_at"] += 1
        seen.update(_follow(ctx, row))
    return dict(seen)


def _follow(ctx: Context, row: Row[Any]) -> list[str]:
    """Settle one suggestion; return the words to count."""
    now = ctx.port(Feed).as_of(ctx)
    if now < row.made_at:
        return _give_up(ctx, row, _REPLAYED)
    series = _bars_since(ctx, row, now)
    if series is None:
        return _give_up(ctx, row, _LOST)
    found = settle(_levels(ctx, row, now), series.bars)
    done = found.state in NO_TRADE or (found.state in ENTERED and found.free_ended)
    changed = found.state != row.state
    if changed or done or found.state == "open":
        _store(ctx, row, found, series=series, done=done)
    if changed:
        audit.record(
            ctx, "suggestion.followed", row.ref, state=found.state, r=_short(found.r), at=now
        )
    return [found.state] if changed else []


def _bars_since(ctx: Context, row: Row[Any], now: datetime) -> BarSeries | None:
    """Return the complete bars that opened at or after the suggestion; None when they are lost.

    What is too long ago for the bars it asks for is read in coarser ones.
    """
    feed = ctx.port(Feed)
    calendar = feed.instrument(ctx, row.symbol).calendar
    age = trading_minutes(calendar, row.made_at, now)
    finer = MINUTES[row.timeframe]
    coarser = (name for name, step in MINUTES.items() if step >= finer)
    timeframe = next((one for one in coarser if age // MINUTES[one] + 2 <= COUNT_MAX), None)
    if timeframe is None:
        return None
    series = shown_bars(ctx, row.symbol, timeframe, age // MINUTES[timeframe] + 2)
    bars = tuple(bar for bar in series.bars if bar.t_open >= row.made_at)
    first = bars[0].t_open if bars else now
    if trading_minutes(calendar, row.made_at, first) > _HOLE_MINUTES:
        return None
    return replace(series, bars=bars)


def _levels(ctx: Context, row: Row[Any], now: datetime) -> Suggested:
    """Return the levels in today's terms: splits since then divide every price."""
    factor = Decimal(1)
    listing = ctx.port(Feed).instrument(ctx, row.symbol).id
    for split in known_splits(ctx, listing, row.made_at, now):
        factor = factor * split.ratio_to / split.ratio_from

    def price(value: Decimal | None) -> Decimal | None:
        return None if value is None else value / factor

    return Suggested(
        side=row.side,
        entry_kind=row.entry_kind,
        entry=price(row.entry),
        worst=row.worst / factor,
        stop=row.stop / factor,
        target=row.target / factor,
        entry_until=row.entry_until,
        ends_at=row.ends_at,
        invalid_at=price(row.invalid_at),
    )


def _give_up(ctx: Context, row: Row[Any], reason: str) -> list[str]:
    """Stop following; what had ended stays as it ended."""
    state = row.state if row.state in ENTERED else "not_followed"
    ctx.db.change(
        update(suggestions)
        .where(suggestions.c.ref == row.ref)
        .values(state=state, reason=reason, followed=0, updated_at=ctx.now)
    )
    audit.record(ctx, "suggestion.followed", row.ref, state=state, reason=reason)
    return ["given_up"]


def _store(ctx: Context, row: Row[Any], found: Settled, *, series: BarSeries, done: bool) -> None:
    ctx.db.change(
        update(suggestions)
        .where(suggestions.c.ref == row.ref)
        .values(
            state=found.state,
            entered_at=found.entered_at,
            entry_price=_price(found.entry),
            ended_at=found.ended_at,
            exit_price=_price(found.exit),
            r=_short(found.r),
            mae_r=_short(found.mae_r),
            mfe_free_r=_short(found.mfe_free_r),
            free_r=_short(found.free_r),
            ambiguous=int(found.ambiguous),
            followed=0 if done else 1,
            seen_until=series.bars[-1].t_close if series.bars else None,
            provenance=str(series.provenance),
            updated_at=ctx.now,
        )
    )


def _short(value: Decimal | None) -> Decimal | None:
    return None if value is None else rounded(value, PLACES)


def _price(value: Decimal | None) -> Decimal | None:
    return None if value is None else rounded(value, PRICE_PLACES)
