"""Owns evaluating alerts: which are due, on which bars; by the poller and from the stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby

from services import audit
from services.alerts import kept_stop, risk_watch, store
from services.alerts.alert import OF_PRICES, Alert, AlertKind, Timeframe, from_seconds, to_seconds
from services.alerts.fold import UNJUDGED, Step, expire, fold, pass_over
from services.alerts.measure import lose_sight
from services.alerts.plan_event import read_terms, scaled, terms_text
from services.alerts.standpoint import means_for
from services.alerts.telling import (
    Origin,
    save_told,
    tell_resting,
    tell_skipped,
    tell_step,
    tell_unconfirmed,
)
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.market.action_record import known_splits
from services.market.bar import Bar, validate_bars
from services.market.feed import Feed
from services.market.freeze import TENANT, active_freezes, listing_scope
from services.market.gate import believe, observed_bar
from services.market.round import market_round
from services.market.session import find_last_session, trading_minutes

MINUTES_MAX = 390
"""Minute bars that are evaluated after a downtime; what is older is summed up."""
DAYS_MAX = 100
_NO_STEPS: tuple[Step, ...] = ()
_SETTLED = timedelta(minutes=3)
"""How long after an expiry its last bar may still come."""


@dataclass(frozen=True, slots=True)
class Work:
    """The alerts of one symbol and timeframe that have bars to see."""

    symbol: str
    timeframe: Timeframe


RISK_WORK = Work("", "minute")
"""The alerts on the account's risk: they have no symbol and see no bars."""
STOP_WORK = Work("", "day")
"""The kept stops of positions that want an alert, or whose alert is to go."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Bars to see, ascending; `skipped` when older ones were left out, `bad` when some are."""

    bars: tuple[Bar, ...]
    origin: Origin
    skipped: bool = False
    bad: bool = False


def due(ctx: Context) -> list[Work]:
    """Return what the poller has to look at now, by symbol; reads only, asks no provider."""
    feed, turn = ctx.port(Feed), market_round(ctx)
    try:
        as_of = feed.as_of(ctx)
    except Refusal:
        return []
    watched = store.watched(ctx)
    found = [
        Work(symbol, timeframe)
        for (symbol, timeframe), group in _groups(
            [one for one in watched if one.kind is not AlertKind.RISK]
        )
        if any(_is_due(alert, as_of, turn) for alert in group)
    ]
    risks = [one for one in watched if one.kind is AlertKind.RISK]
    if any(risk_watch.is_due(ctx, one, as_of) for one in risks):
        found.append(RISK_WORK)
    if kept_stop.is_due(ctx):
        found.insert(0, STOP_WORK)
    return found


def evaluate_due(ctx: Context) -> int:
    """Evaluate everything that is due in this unit of work; return how many events are new."""
    return sum(evaluate(ctx, work) for work in due(ctx))


def evaluate(ctx: Context, work: Work) -> int:
    """Evaluate the alerts of one symbol on the bars since they last looked; return new events.

    At most 390 minute bars are looked at one by one, older ones are told as one summary. Bars that
    can not be true, and all bars while the listing is frozen, are passed over. A feed that does
    not answer leaves everything as it is. `RISK_WORK` looks at the changes of the account's risk,
    `STOP_WORK` gives kept stops their alerts.
    """
    if work == RISK_WORK:
        return risk_watch.tell_risk(ctx)
    if work == STOP_WORK:
        kept_stop.watch_kept_stops(ctx)
        return 0
    ctx.db.lock(f"alerts:{ctx.principal.tenant_id}")
    alerts = [one for one in store.watched(ctx, work.symbol) if one.timeframe == work.timeframe]
    if not alerts:
        return 0
    try:
        alerts = [_ready(ctx, one) for one in alerts]
        batch = _fetch(ctx, alerts, work)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return 0
    return _apply(ctx, alerts, batch, by_time=True)


def on_bars(ctx: Context, symbol: str, bars: Sequence[Bar]) -> int:
    """Evaluate the minute alerts of a symbol on complete bars of the stream; return new events.

    Alerts that missed bars before these get them from the feed first, so that the stream, the
    poller and the replay of a downtime come to the same events.
    """
    found = [bar for bar in bars if bar.complete and bar.session == "rth"]
    if not found:
        return 0
    ctx.db.lock(f"alerts:{ctx.principal.tenant_id}")
    alerts = [one for one in store.watched(ctx, symbol) if one.timeframe == "minute"]
    if not alerts:
        return 0
    feed = ctx.port(Feed)
    as_of = max(feed.as_of(ctx), found[-1].t_close)
    good, bad = _sound(found)
    batch = _Batch(good, Origin("stream", str(feed.provenance), as_of), bad=bad)
    behind = [one for one in alerts if _misses(one, found[0].t_open)]
    new = 0
    if behind:
        new += evaluate(ctx, Work(symbol, "minute"))
        alerts = [one for one in store.watched(ctx, symbol) if one.timeframe == "minute"]
    return new + _apply(ctx, [_ready(ctx, one) for one in alerts], batch, by_time=False)


def _misses(alert: Alert, first: datetime) -> bool:
    return trading_minutes(alert.calendar, alert.seen_until, first) > 0


def _groups(alerts: Sequence[Alert]) -> list[tuple[tuple[str, Timeframe], list[Alert]]]:
    def key(alert: Alert) -> tuple[str, Timeframe]:
        return alert.symbol, alert.timeframe

    return [(name, list(group)) for name, group in groupby(sorted(alerts, key=key), key=key)]


def _is_due(alert: Alert, as_of: datetime, turn: int) -> bool:
    if alert.round != turn or (alert.expires_at is not None and as_of > alert.expires_at):
        return True
    if alert.timeframe == "minute":
        return trading_minutes(alert.calendar, alert.seen_until, as_of) > 0
    session = find_last_session(alert.calendar, as_of)
    if session is not None and session.close > as_of:
        session = find_last_session(alert.calendar, session.open - timedelta(microseconds=1))
    return session is not None and session.close > alert.seen_until


def _fetch(ctx: Context, alerts: Sequence[Alert], work: Work) -> _Batch:
    feed = ctx.port(Feed)
    as_of, since = feed.as_of(ctx), min(one.seen_until for one in alerts)
    most, timeframe = (MINUTES_MAX, "1m") if work.timeframe == "minute" else (DAYS_MAX, "1d")
    wanted = trading_minutes(alerts[0].calendar, since, as_of) + 2
    if work.timeframe == "day":
        wanted = (as_of - since).days + 2
    series = feed.bars(ctx, work.symbol, timeframe, max(1, min(wanted, most)))
    unseen = [bar for bar in series.bars if bar.t_close > since and bar.session == "rth"]
    good, bad = _sound(unseen)
    return _Batch(
        good,
        Origin("poller", str(series.provenance), as_of),
        skipped=wanted > most + 2 and len(unseen) == most,
        bad=bad,
    )


def _sound(bars: Sequence[Bar]) -> tuple[tuple[Bar, ...], bool]:
    """Return the bars that can be true, in order and each once, and whether some can not."""
    good: list[Bar] = []
    for bar in bars:
        try:
            validate_bars([*good[-1:], bar])
        except Refusal:
            continue
        good.append(bar)
    return tuple(good), len(good) < len(bars)


def _apply(ctx: Context, alerts: Sequence[Alert], batch: _Batch, *, by_time: bool) -> int:
    """Fold the batch over each alert, store what changed and tell what happened."""
    frozen = _rests(ctx, alerts[0]) if batch.bars else False
    if not frozen:
        batch = _believed(ctx, alerts[0], batch)
    if batch.skipped and batch.bars and not frozen:
        tell_skipped(ctx, alerts, min(one.seen_until for one in alerts), batch.bars[0].t_open)
    return sum(_one(ctx, alert, batch, frozen=frozen, by_time=by_time) for alert in alerts)


def _believed(ctx: Context, alert: Alert, batch: _Batch) -> _Batch:
    """Return the batch without the bars that the gate would not admit; these freeze the listing.

    Alerts often read a bar before the ingest does: a price x100 must not ring, nor a bad print.
    """
    try:
        listing = ctx.port(Feed).instrument(ctx, alert.listing)
    except Refusal:
        return batch
    origin, daily = batch.origin, alert.timeframe == "day"
    seen = [
        observed_bar(listing, bar, daily=daily, source="", provenance=origin.provenance)
        for bar in batch.bars
    ]
    good = [bar for bar, true in zip(batch.bars, believe(ctx, seen), strict=True) if true]
    if len(good) == len(batch.bars):
        return batch
    return replace(batch, bars=tuple(good), bad=True)


def _one(ctx: Context, alert: Alert, batch: _Batch, *, frozen: bool, by_time: bool) -> int:
    ready = _blind(alert, batch) if batch.skipped and batch.bars else alert
    if frozen:
        after, steps = pass_over(ready, batch.bars), _NO_STEPS
    else:
        means = means_for(ctx, alert.symbol, alert.calendar)
        done = fold(ready, batch.bars, means=means)
        after, steps = done.after, done.steps
    if batch.bad and after is not ready:
        after = replace(after, flags=tuple(sorted({*after.flags, UNJUDGED})))
    before_time = after.state
    if by_time and after.active:
        after = expire(after, batch.origin.as_of - _SETTLED)
    if after == alert:
        return 0
    saved = save_told(ctx, after, before_time)
    if saved is None:
        return 0
    new = sum(tell_step(ctx, saved, step, batch.origin) for step in steps)
    if alert.latency == "fast":
        tell_unconfirmed(ctx, saved)
    return new


def _blind(alert: Alert, batch: _Batch) -> Alert:
    """Return the alert without what it knew of a session whose bars were left out."""
    first = batch.bars[0]
    if alert.seen_until >= first.t_open or alert.kind in OF_PRICES:
        return alert
    session = find_last_session(alert.calendar, first.t_open)
    if session is not None and session.open == first.t_open:
        return alert
    return replace(alert, memory=lose_sight(first, calendar=alert.calendar))


def is_frozen(ctx: Context, alert: Alert) -> bool:
    """Return whether the data of the alert's listing are frozen now."""
    return bool(active_freezes(ctx, (TENANT, listing_scope(alert.listing))))


def _rests(ctx: Context, alert: Alert) -> bool:
    """Return True while the data of the listing are frozen, and tell why, once per freeze."""
    standing = active_freezes(ctx, (TENANT, listing_scope(alert.listing)))
    for one in standing[:1]:
        why = f"{one.reason} ({one.code}). {one.unfreezes}"
        tell_resting(ctx, alert.symbol, why, dedupe=f"{one.id}:{alert.symbol}")
    return bool(standing)


def _ready(ctx: Context, alert: Alert) -> Alert:
    """Return the alert fit for the bars to come: of this round, in the units of today, stored."""
    fit = _adjusted(ctx, _in_round(ctx, alert))
    return alert if fit == alert else store.save(ctx, fit) or alert


def _in_round(ctx: Context, alert: Alert) -> Alert:
    """Return the alert as of this round of a replay: what it saw in another one does not count."""
    turn = market_round(ctx)
    if alert.round == turn:
        return alert
    as_of = ctx.port(Feed).as_of(ctx)
    return replace(
        alert, round=turn, last_bar_at=None, last_event_at=None, watched_from=as_of, memory={}
    )


def _adjusted(ctx: Context, alert: Alert) -> Alert:
    """Return the alert in the units after the splits since its last bar, audited."""
    feed = ctx.port(Feed)
    as_of = feed.as_of(ctx)
    session = find_last_session(alert.calendar, as_of)
    since = max(alert.seen_until, from_seconds(int(alert.memory.get("adjusted", "0"))))
    if alert.kind not in OF_PRICES or session is None or since >= session.open:
        return alert
    for split in known_splits(ctx, alert.listing, since, as_of):
        factor = Decimal(split.ratio_from) / Decimal(split.ratio_to)
        before = alert.level
        if alert.kind is AlertKind.PLAN_EVENT:
            moved = scaled(read_terms(alert.terms), factor)
            alert = replace(alert, terms=terms_text(moved))
        alert = replace(
            alert,
            level=_price(alert.level * factor),
            ref_price=_price(alert.ref_price * factor),
            last_close=_price(alert.last_close * factor),
            hysteresis=_price(alert.hysteresis * factor),
            memory={**alert.memory, "adjusted": str(to_seconds(as_of))},
        )
        audit.record(
            ctx, "alert.adjusted", alert.id, symbol=alert.symbol, before=before,
            after=alert.level, ex_date=split.ex_date.isoformat(),
        )  # fmt: skip
    return alert


def _price(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.0001")) + 0
