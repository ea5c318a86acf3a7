"""Owns the jobs: what each takes in, for which symbols, and when it is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from services import watchlist
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.settings import Settings
from services.ledger.holding import positions
from services.ledger.portfolio import list_portfolios
from services.market import ingest, reference_job, schedule
from services.market.feed import Feed
from services.market.ingest import Counts
from services.market.rate_feed import RateFeed
from services.market.round import market_round
from services.market.schedule import Tick
from services.research import follow, weekend
from services.task_run import Due, last_scheduled

Part = tuple[str, ...]
"""The symbols or pairs of one unit of work."""
_LKG_S, _EXTENDED_S, _FOLLOW_S = 300, 300, 300
_EOD_GRACE = timedelta(minutes=20)
_BEFORE_OPEN = timedelta(minutes=90)
_WEEK_GRACE, _WEEK_S = timedelta(minutes=60), 5 * 390 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. `parts` says what there is to do, `act` does one part in a unit of work of its own.

    `tick` is its schedule and `period_s` its period, None for one that runs once a session.
    """

    name: str
    title: str
    parts: Callable[[Context], list[Part]]
    act: Callable[[Context, Part], Counts]
    tick: Callable[[Settings], Tick]
    period_s: Callable[[Settings], int | None]


def followed_symbols(ctx: Context) -> list[str]:
    """Return the symbols of every watchlist and every holding, sorted."""
    held = {one.symbol for mine in list_portfolios(ctx) for one in positions(ctx, mine.id)}
    return sorted(held | watchlist.symbols_watched(ctx))


def followed_names(ctx: Context) -> list[str]:
    """Return what is followed, holdings by their listing's id: a ticker may change hands."""
    held = {one.listing for mine in list_portfolios(ctx) for one in positions(ctx, mine.id)}
    tickers = {listing.partition(":")[2] for listing in held}
    return sorted(held | (watchlist.symbols_watched(ctx) - tickers))


def needed_pairs(ctx: Context) -> list[str]:
    """Return the pairs `GBP/USD` that holdings in another currency than their book's need."""
    feed, pairs = ctx.port(Feed), set[str]()
    for mine in list_portfolios(ctx):
        for held in positions(ctx, mine.id):
            currency = feed.instrument(ctx, held.listing).currency
            if currency != mine.base_currency:
                pairs.add(f"{currency}/{mine.base_currency}")
    return sorted(pairs)


def _symbol_parts(ctx: Context) -> list[Part]:
    """Return one part per symbol: a part holds the one writer of SQLite while it stores."""
    return [(symbol,) for symbol in followed_symbols(ctx)]


def _rate_parts(ctx: Context) -> list[Part]:
    pairs = needed_pairs(ctx)
    if pairs and RateFeed not in ctx.ports:
        raise refuse(
            "FEATURE_OFF",
            feature="Exchange rates",
            reason=f"{', '.join(pairs)} needed, and no configured provider gives exchange rates",
            todo="Keep holdings in the currency of their portfolio.",
        )
    return [(pair,) for pair in pairs]


def _name_parts(ctx: Context) -> list[Part]:
    """Return one part with everything: the feed's whole list is stored with the followed names."""
    return [tuple(followed_names(ctx))]


JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job(
            name="ingest_intraday",
            title="Prices and minute bars of followed and held symbols",
            parts=_symbol_parts,
            act=ingest.ingest_intraday,
            tick=lambda settings: schedule.every(
                {
                    "open": settings.ingest_intraday_sec,
                    "pre": max(settings.ingest_intraday_sec, _EXTENDED_S),
                    "post": max(settings.ingest_intraday_sec, _EXTENDED_S),
                }
            ),
            period_s=lambda settings: settings.ingest_intraday_sec,
        ),
        Job(
            name="ingest_eod",
            title="Daily bars and closes, after the session",
            parts=_symbol_parts,
            act=ingest.ingest_eod,
            tick=lambda _: schedule.after_close(_EOD_GRACE),
            period_s=lambda _: None,
        ),
        Job(
            name="snapshot_lkg",
            title="The last known good quote of each symbol",
            parts=_symbol_parts,
            act=ingest.ingest_last_good,
            tick=lambda _: schedule.every({"open": _LKG_S, "post": 2 * _LKG_S}),
            period_s=lambda _: _LKG_S,
        ),
        Job(
            name="ingest_fx",
            title="Exchange rates of holdings in another currency",
            parts=_rate_parts,
            act=ingest.ingest_rates,
            tick=lambda settings: schedule.every(
                dict.fromkeys(("pre", "open", "post", "closed"), settings.ingest_fx_sec)
            ),
            period_s=lambda settings: settings.ingest_fx_sec,
        ),
        Job(
            name="instruments",
            title="The feed's listings, before the session",
            parts=_name_parts,
            act=reference_job.refresh_instruments,
            tick=lambda _: schedule.before_open(_BEFORE_OPEN),
            period_s=lambda _: None,
        ),
        Job(
            name="splits",
            title="Splits of followed and held symbols, before the session",
            parts=_symbol_parts,
            act=reference_job.refresh_splits,
            tick=lambda _: schedule.before_open(_BEFORE_OPEN),
            period_s=lambda _: None,
        ),
        Job(
            name="follow_suggestions",
            title="What became of plans and suggestions",
            parts=follow.follow_parts,
            act=follow.follow_part,
            tick=lambda _: schedule.every({"open": _FOLLOW_S, "post": _FOLLOW_S}),
            period_s=lambda _: _FOLLOW_S,
        ),
        Job(
            name="weekend_plan",
            title="The plan of the coming week, after its last close",
            parts=weekend.weekend_parts,
            act=weekend.run_weekend,
            tick=lambda _: schedule.after_week(_WEEK_GRACE),
            period_s=lambda _: _WEEK_S,
        ),
    )
}
"""Every job, by name, in the order in which a tick runs them."""


def get_job(name: str) -> Job:
    """Return one job. Raises `PARAM_INVALID` with the names that there are."""
    if name not in JOBS:
        rule = f"must be one of {', '.join(JOBS)}"
        raise refuse("PARAM_INVALID", field="job", name="job", value=name[:40], rule=rule)
    return JOBS[name]


def find_due(ctx: Context, job: Job) -> Due | None:
    """Return the newest tick of a job that has not run to its end; None when there is none.

    Ticks that were missed are one run: it stands for them and counts them.
    Raises `FEATURE_OFF` when market data are off.
    """
    now, turn = ctx.port(Feed).as_of(ctx), market_round(ctx)
    tick = job.tick(ctx.settings)(now)
    if tick is None:
        return None
    last = last_scheduled(ctx, job.name, turn)
    if last is not None and last.scheduled_at >= tick and last.status not in ("failed", "running"):
        return None
    before = None if last is None or last.scheduled_at >= tick else last.scheduled_at
    missed = schedule.count_missed(before, tick, job.period_s(ctx.settings))
    return Due(job.name, tick, turn, missed)


def manual_due(ctx: Context, job: Job) -> Due:
    """Return a tick of this very instant, for a run that a person asks for."""
    return Due(job.name, ctx.port(Feed).as_of(ctx), market_round(ctx), origin="manual")
