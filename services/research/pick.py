"""Owns scanning for setups: hard filters, one plan per symbol, every reject with its rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.ledger import portfolio
from services.ledger.holding import positions
from services.market.feed import Feed
from services.market.fetching import read_ahead
from services.market.freeze import portfolio_scope
from services.market.instrument import Instrument
from services.market.quality import Look, QualitySnapshot, block, look, require_green
from services.market.quote import Provenance
from services.research.each_symbol import each_symbol
from services.research.rank import Reject, edge_of, failed_filter, in_order, score_of
from services.strategy.load import load
from services.trade.idea import Style
from services.trade.plan_service import Draft, PlanWish, draft_plan
from services.trade.plan_store import StoredPlan, save_plan
from services.watchlist import list_watchlists


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """One symbol whose best setup makes a plan."""

    symbol: str
    listing: str
    draft: Draft
    score: Decimal | None
    edge: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """What a scan goes through; `left_out` listings of the feed are too many to be scanned."""

    symbols: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The picks, the best first, and every other symbol with the first rule that it failed."""

    style: Style | None
    as_of: datetime
    scanned: int
    left_out: int
    picks: tuple[Pick, ...]
    rejects: tuple[Reject, ...]


def universe_of(ctx: Context) -> Universe:
    """Return what is held and followed, then the feed's own listings where they are few enough.

    A feed with more listings than the policy's `symbols_max` adds none of them: only what the
    person follows is scanned then, and `left_out` says how many are not.
    """
    most, own = ctx.policy.picks.symbols_max, followed_of(ctx)
    known = {*own, *(one.rpartition(":")[2] for one in own)}
    others = [
        one.symbol
        for one in ctx.port(Feed).instruments(ctx)
        if one.symbol not in known and one.id not in known
    ]
    if len(own) + len(others) > most:
        return Universe(symbols=tuple(own[:most]), left_out=len(others) + len(own[most:]))
    return Universe(symbols=(*own, *others), left_out=0)


def followed_of(ctx: Context) -> list[str]:
    """Return what is held, by listing, then what is watched, in the person's own order."""
    held = sorted(
        {one.listing for mine in portfolio.list_portfolios(ctx) for one in positions(ctx, mine.id)}
    )
    tickers = {listing.partition(":")[2] for listing in held}
    watched = [symbol for one in list_watchlists(ctx) for symbol in one.symbols]
    return list(dict.fromkeys((*held, *(one for one in watched if one not in tickers))))


def scan_setups(ctx: Context, style: Style | None = None) -> Scan:
    """Return the best plans over the universe, ranked by score, edge and symbol; stores nothing.

    The filters come first: green data, no waiting corporate action, price and turnover by the
    policy. Then each symbol's best setup is composed as `plan` composes it. A symbol that is not
    offered is in `rejects` with what refused it; one that ranks below the policy's number shown
    has `BEYOND_TOP`. A closed market changes nothing. Raises `FEATURE_OFF` without market data.
    """
    as_of = ctx.port(Feed).as_of(ctx)
    universe = universe_of(ctx)
    scopes = scopes_of(ctx)
    found = each_symbol(universe.symbols, lambda symbol: _judge(ctx, symbol, style, scopes=scopes))
    picks, rejects = keep_best(found, ctx.policy.picks.shown)
    return Scan(
        style=style,
        as_of=as_of,
        scanned=len(universe.symbols),
        left_out=universe.left_out,
        picks=picks,
        rejects=rejects,
    )


def scopes_of(ctx: Context) -> tuple[str, ...]:
    """Return the freezes that bind plans besides those of the listing: the person's portfolios."""
    return tuple(portfolio_scope(one.id) for one in portfolio.list_portfolios(ctx))


def keep_best(
    found: Iterable[Pick | Reject], most: int
) -> tuple[tuple[Pick, ...], tuple[Reject, ...]]:
    """Return the best `most` in order, and everything else as rejects by symbol.

    No more than `most` plans are held at a time.
    """
    best: list[Pick] = []
    rejects: list[Reject] = []
    for one in found:
        if isinstance(one, Reject):
            rejects.append(one)
            continue
        best = in_order((*best, one))
        rejects.extend(_beyond(last, most) for last in best[most:])
        del best[most:]
    return tuple(best), tuple(sorted(rejects, key=lambda one: (one.symbol, one.code)))


def _beyond(one: Pick, most: int) -> Reject:
    score = "without a score" if one.score is None else f"score {one.score}"
    return Reject(one.symbol, "BEYOND_TOP", f"a plan, {score}, ranked below the best {most}")


def make_picks(ctx: Context, style: Style | None = None) -> tuple[Scan, list[StoredPlan]]:
    """Return a scan with its plans stored; a writing unit has the scan made before, by reading.

    Raises `FEATURE_OFF` without market data and `DQ_BLOCK` when a pick's data went bad meanwhile.
    """
    scan = read_ahead(ctx, ("picks", style), lambda ahead: _scanned(ahead, style))
    return scan, keep_plans(ctx, scan.picks)


def _scanned(ctx: Context, style: Style | None) -> Scan:
    """Return a scan whose picks are the last ones that were loaded, so that they are kept."""
    scan = scan_setups(ctx, style)
    for one in scan.picks:
        load(ctx, one.listing)
    return scan


def keep_plans(ctx: Context, picks: Sequence[Pick]) -> list[StoredPlan]:
    """Store the plans of picks as `plan` would, each on a green snapshot of its own data.

    Raises `DQ_BLOCK`.
    """
    scopes = scopes_of(ctx)
    kept = []
    for one in picks:
        quality = require_green(ctx, [one.symbol], scopes=scopes)
        loaded = load(ctx, one.listing)
        draft = one.draft
        kept.append(save_plan(ctx, draft.composed, draft.inputs, loaded=loaded, quality=quality))
    return kept


def require_data(
    ctx: Context,
    symbol: str,
    *,
    scopes: Sequence[str],
    history_days: int = 0,
    tolerated: Sequence[str] = (),
) -> Instrument:
    """Return a listing whose data are green and that passes the hard filters.

    `tolerated` findings do not count for a snapshot of the last good price.
    Raises `DQ_BLOCK` as advice does, and `Failed` for a filter.
    """
    instrument = ctx.port(Feed).instrument(ctx, symbol)
    looks = look(ctx, [instrument.id], scopes=scopes)
    if any(_blocks(one, tolerated) for one in looks):
        as_of = ctx.port(Feed).as_of(ctx)
        raise block(QualitySnapshot("", (instrument.symbol,), as_of, False, (), looks))
    days = load(ctx, instrument.id, ("1d",)).sources["1d"].track.bars
    failed = failed_filter(instrument, days, ctx.policy.picks, history_days=history_days)
    if failed is not None:
        raise Failed(failed)
    return instrument


def _blocks(seen: Look, tolerated: Sequence[str]) -> bool:
    kept = seen.quote is not None and seen.quote.provenance is Provenance.SNAPSHOT
    spared = tolerated if kept else ()
    return any(one.code not in spared for one in seen.critical)


class Failed(Exception):
    """A symbol did not pass a hard filter; the scan lists it and goes on."""

    def __init__(self, reject: Reject) -> None:
        super().__init__(reject.code)
        self.reject = reject


def _judge(
    ctx: Context, symbol: str, style: Style | None, *, scopes: Sequence[str]
) -> Pick | Reject:
    try:
        instrument = require_data(ctx, symbol, scopes=scopes)
        draft = draft_plan(
            ctx, load(ctx, instrument.id), PlanWish(symbol=instrument.symbol, style=style)
        )
    except Failed as failed:
        return failed.reject
    except Refusal as refusal:
        return rejected(symbol, refusal)
    return pick_of(instrument, draft)


def rejected(symbol: str, refusal: Refusal) -> Reject:
    """Return a refusal as a reject of a symbol; a defect and missing market data are raised."""
    if refusal.kind is Kind.INTERNAL or refusal.code == "FEATURE_OFF":
        raise refusal
    return Reject(symbol.rpartition(":")[2], refusal.code, refusal.message)


def pick_of(instrument: Instrument, draft: Draft) -> Pick:
    """Return a draft as a candidate to be ranked."""
    body = draft.composed.body
    return Pick(
        symbol=instrument.symbol,
        listing=instrument.id,
        draft=draft,
        score=score_of(body),
        edge=edge_of(body),
    )
