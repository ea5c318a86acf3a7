"""Owns stored backtests: asked for, taken up one by one, and finished with a report or a reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, or_, select, update
from sqlalchemy.engine import Row

from services import audit
from services.kit.canonical import canonical
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.outbox import wake
from services.market.bar import Bar
from services.market.feed import COUNT_MAX, Feed
from services.market.instrument import tick_size
from services.market.shown_bars import shown_bars
from services.research.config import BacktestConfig, ListingTerms
from services.research.dry_run import steps_of
from services.research.report import Report
from services.research.report_words import summary_of
from services.research.strategy_policy import parse_config, store_strategy
from services.research.tables import backtests

Status = Literal["queued", "running", "done", "failed"]
WAITING_MAX = 5
SYMBOLS_MAX = 20
LEASE = timedelta(minutes=30)
"""A run that has not ended after this long is taken to have died with its process."""
_ERROR_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """One asked backtest. `summary` and `report` are null until it is done."""

    id: str
    name: str
    status: Status
    config: Mapping[str, Any]
    config_hash: str
    strategy_hash: str
    asked_by: str
    done: int
    total: int
    error: str
    run_hash: str | None
    summary: Mapping[str, Any] | None
    data_until: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


_SHOWN = [column for column in backtests.c if column.name not in ("report", "tenant_id")]


def ask(ctx: Context, config: BacktestConfig) -> Backtest:
    """Queue a backtest; the same one that still waits or runs is returned instead.

    Its strategy is stored as a document; `total` counts the steps of its progress. Raises
    `BACKTEST_LIMIT` with five waiting or more than twenty symbols, `SYMBOL_UNKNOWN`,
    `PARAM_INVALID`.
    """
    ctx.db.lock(f"backtests:{ctx.principal.tenant_id}")
    if len(config.symbols) > SYMBOLS_MAX:
        raise refuse("BACKTEST_LIMIT", what="symbols in a backtest", limit=SYMBOLS_MAX)
    feed = ctx.port(Feed)
    for symbol in config.symbols:
        feed.instrument(ctx, symbol)
    active = backtests.c.status.in_(("queued", "running"))
    same = ctx.db.row(select(*_SHOWN).where(active, backtests.c.config_hash == config.hash))
    if same is not None:
        return _backtest(same)
    waiting = ctx.db.scalar(select(func.count()).select_from(backtests).where(active)) or 0
    if waiting >= WAITING_MAX:
        raise refuse("BACKTEST_LIMIT", what="backtests that wait", limit=WAITING_MAX)
    strategy = store_strategy(ctx, config)
    made = ctx.ids.new("bt")
    ctx.db.insert(
        backtests,
        {
            "id": made,
            "name": config.name,
            "status": "queued",
            "config": canonical(config).decode(),
            "config_hash": config.hash,
            "strategy_hash": strategy.hash,
            "asked_by": ctx.principal.user_id,
            "done": 0,
            "total": steps_of(config),
            "error": "",
            "created_at": ctx.now,
        },
    )
    wake(ctx, "backtests", made)
    audit.record(ctx, "backtest.asked", made, config=config.hash, strategy=strategy.hash)
    return get_backtest(ctx, made)


def list_backtests(ctx: Context, limit: int = 50) -> list[Backtest]:
    """Return at most `limit` backtests, the newest first, without their reports."""
    newest = select(*_SHOWN).order_by(backtests.c.created_at.desc(), backtests.c.id.desc())
    return [_backtest(row) for row in ctx.db.rows(newest.limit(limit))]


def get_backtest(ctx: Context, backtest_id: str) -> Backtest:
    """Return one backtest without its report. Raises `BACKTEST_UNKNOWN`."""
    row = ctx.db.row(select(*_SHOWN).where(backtests.c.id == backtest_id))
    if row is None:
        raise refuse("BACKTEST_UNKNOWN", id=backtest_id[:60])
    return _backtest(row)


def find_report(ctx: Context, backtest_id: str) -> dict[str, Any] | None:
    """Return the report's document of a backtest that is done, else None."""
    text = ctx.db.scalar(select(backtests.c.report).where(backtests.c.id == backtest_id))
    return None if text is None else json.loads(text)


def is_due(ctx: Context) -> bool:
    """Return whether a backtest is queued, or was left behind by a process that died."""
    return _first_due(ctx) is not None


def _first_due(ctx: Context) -> Row[Any] | None:
    due = or_(
        backtests.c.status == "queued",
        (backtests.c.status == "running") & (backtests.c.started_at < ctx.now - LEASE),
    )
    first = select(*_SHOWN).where(due).order_by(backtests.c.created_at, backtests.c.id)
    return ctx.db.row(first.limit(1))


def take(ctx: Context) -> Backtest | None:
    """Begin the oldest queued backtest, or one whose process died; None without any."""
    ctx.db.lock(f"backtests:{ctx.principal.tenant_id}")
    row = _first_due(ctx)
    if row is None:
        return None
    _change(ctx, row.id, status="running", started_at=ctx.now, done=0)
    return get_backtest(ctx, row.id)


def gather(ctx: Context, backtest: Backtest) -> tuple[BacktestConfig, dict[str, Sequence[Bar]]]:
    """Return the config with each listing as the feed has it, and its bars.

    No bar is later than the feed's time, none is untrue; they are split-adjusted to that time, so
    no split is applied again.
    """
    config = parse_config(backtest.config)
    feed, bars, listings = ctx.port(Feed), dict[str, Sequence[Bar]](), {}
    for symbol in config.symbols:
        found = shown_bars(ctx, symbol, config.timeframe, COUNT_MAX).bars
        bars[symbol] = found
        one = feed.instrument(ctx, symbol)
        if found:
            step = tick_size(one, found[-1].c, found[-1].t_open.date())
            listings[symbol] = ListingTerms(calendar=one.calendar, tick=step, lot=one.lot_step)
    listed = {**listings, **config.listings}
    body = {**backtest.config, "listings": {name: _plain(terms) for name, terms in listed.items()}}
    return parse_config(body), bars


def _plain(terms: ListingTerms) -> dict[str, Any]:
    return dict(json.loads(canonical(terms)))


def note_progress(ctx: Context, backtest_id: str, done: int) -> None:
    """Say how many steps are done."""
    _change(ctx, backtest_id, done=done)


def finish(ctx: Context, backtest_id: str, report: Report) -> Backtest:
    """Store the report of a run, audited with its hash."""
    _change(
        ctx,
        backtest_id,
        status="done",
        done=steps_of(report.config),
        run_hash=report.run_hash,
        summary=canonical(summary_of(report)).decode(),
        report=report.bytes.decode(),
        data_until=report.equity[-1].ts if report.equity else None,
        finished_at=ctx.now,
    )
    audit.record(ctx, "backtest.done", backtest_id, run=report.run_hash, trials=report.trials)
    return get_backtest(ctx, backtest_id)


def fail(ctx: Context, backtest_id: str, error: str) -> Backtest:
    """End a run that could not be done, with the reason."""
    _change(ctx, backtest_id, status="failed", error=error[:_ERROR_MAX], finished_at=ctx.now)
    audit.record(ctx, "backtest.failed", backtest_id, error=error[:_ERROR_MAX])
    return get_backtest(ctx, backtest_id)


def _change(ctx: Context, backtest_id: str, **values: object) -> None:
    ctx.db.change(update(backtests).where(backtests.c.id == backtest_id).values(**values))


def _backtest(row: Row[Any]) -> Backtest:
    return Backtest(
        id=row.id,
        name=row.name,
        status=row.status,
        config=json.loads(row.config),
        config_hash=row.config_hash,
        strategy_hash=row.strategy_hash,
        asked_by=row.asked_by,
        done=row.done,
        total=row.total,
        error=row.error,
        run_hash=row.run_hash,
        summary=None if row.summary is None else json.loads(row.summary),
        data_until=row.data_until,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )
