"""Owns the gate: no observation becomes a price before it is judged, and bad ones freeze."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from services.kit.context import Context
from services.kit.errors import Refusal
from services.market import store
from services.market.action_record import known_splits, recorded_splits
from services.market.as_of import market_now
from services.market.bar import Bar
from services.market.feed import Feed, Split
from services.market.finding import Finding, Severity, freezes
from services.market.freeze import (
    Freeze,
    active_freezes,
    end_freeze,
    listing_scope,
    note_clean,
    open_freeze,
)
from services.market.instrument import Instrument
from services.market.observation import (
    Observation,
    advance,
    find_disorder_fault,
    is_confirmed_jump,
    is_level_fault,
    is_refused,
    judge,
)
from services.market.priming import day_before, primed
from services.market.quality_rule import THRESHOLDS_BY_CLASS, Fault
from services.market.quality_store import (
    DAY,
    INTRADAY,
    Mark,
    find_marks,
    keep_findings,
    lock_listings,
    save_mark,
)
from services.market.quality_window import Window, in_terms_of_now
from services.market.quote import Quote
from services.market.quote_rule import assess, named
from services.market.session import market_state
from services.market.skew import find_skew_fault, with_lag

_RECENT = timedelta(days=7)
"""A bad bar older than this is no reason to freeze what trades today."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an observation may be stored as a price, and what was found about it."""

    accepted: bool
    findings: tuple[Finding, ...]


def observed(instrument: Instrument, quote: Quote, **more: object) -> Observation:
    """Return the last trade of a quote as an observation; the quote itself is judged with it."""
    seen = Observation(
        instrument=instrument,
        price=quote.last,
        ts=quote.ts,
        currency=quote.currency,
        kind="intraday",
        source=quote.source,
        provenance=str(quote.provenance),
        quote=quote,
    )
    return replace(seen, **more)  # type: ignore[arg-type]


def observed_bar(
    instrument: Instrument, bar: Bar, *, daily: bool, source: str, provenance: str
) -> Observation:
    """Return a bar as an observation of its close; a daily one with the volume of its session."""
    return Observation(
        instrument=instrument,
        price=bar.c,
        ts=bar.t_close,
        currency=instrument.quote_unit,
        kind=DAY if daily else INTRADAY,
        source=source,
        volume=bar.v if daily else None,
        bar=bar,
        provenance=provenance,
    )


def admit(ctx: Context, seen: Observation) -> Admission:
    """Judge one observation, keep what was found, and freeze or count clean; a writing unit.

    Only an accepted observation may be stored as a price. It never raises about the data.
    """
    return admit_all(ctx, (seen,))[0]


def admit_all(ctx: Context, observations: Sequence[Observation]) -> list[Admission]:
    """Judge many observations in order like `admit`; one read and one write per listing and kind.

    Bars of one listing stand in ascending order: each good one leads the next.
    """
    as_of = market_now(ctx)
    lock_listings(ctx, (one.instrument.id for one in observations))
    marks = primed(ctx, {one.instrument.id: one.instrument for one in observations}.values(), as_of)
    known = find_marks(ctx, (one.instrument.id for one in observations if one.kind == DAY))
    done: list[Admission] = []
    for (listing, kind, _), group in groupby(
        observations, key=lambda one: (one.instrument.id, one.kind, one.is_history)
    ):
        run = list(group)
        usual = marks[listing]
        mark = usual if kind == INTRADAY else known.get((listing, DAY))
        mark = mark or Mark(listing, DAY, usual.session, Window(), known=False)
        based = _based(ctx, run[0], mark, usual).window
        done += _admit_run(ctx, run, mark, window=based, as_of=as_of)
    return done


def believe(ctx: Context, bars: Sequence[Observation]) -> list[bool]:
    """Return which bars of one listing and kind, ascending, may be believed; a writing unit.

    For who reads bars past the ingest: what is wrong with one is kept and freezes as `admit_all`
    would, but no mark is moved, and nothing counts as clean.
    """
    if not bars:
        return []
    as_of, instrument, kind = max(market_now(ctx), bars[-1].ts), bars[0].instrument, bars[0].kind
    usual = primed(ctx, (instrument,), as_of)[instrument.id]
    mark = usual
    if kind == DAY:
        known = find_marks(ctx, (instrument.id,)).get((instrument.id, DAY))
        mark = known or Mark(instrument.id, DAY, usual.session, Window(), known=False)
    window, last = _based(ctx, bars[0], mark, usual).window, usual.window
    if window.last is None:
        last = day_before(ctx, instrument, bars[0].ts) if kind == DAY else last
        window = replace(window, last=last.last, last_ts=last.last_ts)
    outcomes = _judge_run(ctx, bars, window, as_of)
    _keep(ctx, instrument, outcomes, as_of)
    return [not is_refused(one.faults) for one in outcomes]


def _based(ctx: Context, first: Observation, mark: Mark, usual: Mark) -> Mark:
    """Return the mark that `first` is held against: for history the newest good price before it."""
    window = replace(mark.window, sigma=usual.window.sigma, volume=usual.window.volume)
    known = window.last_ts is not None and window.last_ts < first.ts
    if not first.is_history or known:
        return replace(mark, window=window)
    before = store.last_price(
        ctx, first.instrument.id, first.ts - timedelta(microseconds=1), first.kind
    )
    if before is None:
        window = replace(window, last=None, last_ts=None)
    else:
        window = replace(window, last=before.price, last_ts=before.ts)
    return replace(mark, window=window)


def _admit_run(
    ctx: Context, run: list[Observation], mark: Mark, *, window: Window, as_of: datetime
) -> list[Admission]:
    """Admit a run held against `window`; history older than the mark leaves the mark alone."""
    outcomes = _judge_run(ctx, run, window, as_of)
    newest, window, known_ts = run[-1], outcomes[-1].window, mark.window.last_ts
    leads = known_ts is None or newest.ts >= known_ts
    if window != mark.window and (leads or not newest.is_history):
        save_mark(ctx, replace(mark, window=window))
    _act(ctx, run[-1].instrument, outcomes, as_of)
    return [Admission(not is_refused(one.faults), tuple(one.findings)) for one in outcomes]


@dataclass(frozen=True, slots=True)
class _Outcome:
    seen: Observation
    faults: list[Fault]
    findings: list[Finding]
    window: Window
    confirmed: bool
    recorded: bool


def _judge_run(
    ctx: Context, run: Sequence[Observation], window: Window, as_of: datetime
) -> list[_Outcome]:
    outcomes: list[_Outcome] = []
    for seen in run:
        one = _judge(ctx, seen, window, as_of)
        window = one.window
        outcomes.append(one)
    return outcomes


def _judge(ctx: Context, seen: Observation, window: Window, as_of: datetime) -> _Outcome:
    window = with_lag(window, seen, as_of)
    faults, recorded = judge(seen, window, as_of=as_of), False
    if is_level_fault(faults):
        window, faults, recorded = _explained(ctx, seen, window, faults, as_of)
    confirmed = is_confirmed_jump(seen, window, faults)
    faults = [*faults, *_of_quote(ctx, seen, as_of, faults), *_of_clock(seen, window)]
    window = advance(seen, window, faults)
    disorder = None if seen.is_history else find_disorder_fault(window)
    if disorder is not None:
        faults = [*faults, disorder]
    findings = named(seen.instrument.symbol, faults)
    return _Outcome(seen, faults, findings, window, confirmed, recorded)


def _of_clock(seen: Observation, window: Window) -> list[Fault]:
    limits = THRESHOLDS_BY_CLASS[seen.instrument.asset_class]
    fault = None if seen.is_history else find_skew_fault(window.lags, limits=limits)
    return [] if fault is None else [fault]


def _of_quote(
    ctx: Context, seen: Observation, as_of: datetime, faults: Sequence[Fault]
) -> list[Fault]:
    """Return what the quote says about itself beyond what its last trade was found guilty of."""
    if seen.quote is None:
        return []
    known = {one.code for one in faults}
    state = market_state(seen.instrument.calendar, as_of)
    found = assess(seen.quote, as_of, state, ctx.policy, instrument=seen.instrument)
    return [
        Fault(one.code, one.severity.value, one.detail) for one in found if one.code not in known
    ]


def _explained(
    ctx: Context, seen: Observation, window: Window, faults: list[Fault], as_of: datetime
) -> tuple[Window, list[Fault], bool]:
    """Judge again in terms of the splits that are on record since the last good price."""
    if window.last_ts is None or Feed not in ctx.ports:
        return window, faults, False
    for until in (seen.ts, as_of):
        splits = splits_since(ctx, seen.instrument, window.last_ts, until)
        adjusted = in_terms_of_now(window, splits)
        again = judge(seen, adjusted, as_of=as_of) if splits else faults
        if not is_level_fault(again):
            return adjusted, again, True
    return window, faults, False


def splits_since(
    ctx: Context, instrument: Instrument, after: datetime, until: datetime
) -> Sequence[Split]:
    """Return the splits of the feed and those on record; the record alone when the feed refuses."""
    try:
        return known_splits(ctx, instrument.id, after, until)
    except Refusal:
        return recorded_splits(ctx, instrument.id, after, until)


def explained(
    ctx: Context, seen: Observation, window: Window, as_of: datetime
) -> tuple[list[Fault], Window]:
    """Return what `judge` finds once recorded splits are accounted for, and the window it used."""
    faults = judge(seen, window, as_of=as_of)
    if not is_level_fault(faults):
        return faults, window
    window, faults, _ = _explained(ctx, seen, window, faults, as_of)
    return faults, window


def _act(
    ctx: Context, instrument: Instrument, outcomes: Sequence[_Outcome], as_of: datetime
) -> None:
    """Keep the findings of one listing, open their freezes, or count what was clean."""
    scope, bad = listing_scope(instrument.id), _keep(ctx, instrument, outcomes, as_of)
    clean = [one for one in _fresh(outcomes, as_of) if _is_clean(one)]
    if bad or not clean:
        return
    standing = active_freezes(ctx, (scope,))
    if standing:
        _relax(ctx, scope, standing, clean)


def _fresh(outcomes: Sequence[_Outcome], as_of: datetime) -> list[_Outcome]:
    return [one for one in outcomes if as_of - one.seen.ts <= _RECENT]


def _keep(
    ctx: Context, instrument: Instrument, outcomes: Sequence[_Outcome], as_of: datetime
) -> bool:
    """Keep the findings of one listing and open their freezes; return whether there were any."""
    scope = listing_scope(instrument.id)
    found = {one.code: one for outcome in outcomes for one in outcome.findings}
    ids = keep_findings(ctx, scope, instrument.symbol, list(found.values()))
    fresh = _fresh(outcomes, as_of)
    bad = {item.code: item for one in fresh for item in one.findings if freezes(item)}
    for code, finding in bad.items():
        open_freeze(ctx, scope, finding, finding_id=ids.get(code, ""))
    return bool(bad)


def _is_clean(one: _Outcome) -> bool:
    """Return whether the observation is a new and good one: a repeat says nothing anew."""
    critical = any(item.severity is Severity.CRIT for item in one.findings)
    return not critical and not is_refused(one.faults)


def _relax(ctx: Context, scope: str, standing: Sequence[Freeze], clean: Sequence[_Outcome]) -> None:
    for one in standing:
        if one.code == "DQ_JUMP" and any(item.confirmed for item in clean):
            end_freeze(ctx, one, "further observations agree with the new price")
        if one.code == "DQ_SPLIT_SUSPECT" and any(item.recorded for item in clean):
            end_freeze(ctx, one, "the corporate action is on record")
    note_clean(ctx, scope, standing=standing)


def settle(ctx: Context, instrument: Instrument, findings: Sequence[Finding]) -> None:
    """Keep what a look at one listing found, and open its freezes.

    A look is no observation: it ends no freeze and confirms no price, however often somebody asks.
    """
    scope = listing_scope(instrument.id)
    ids = keep_findings(ctx, scope, instrument.symbol, findings)
    for one in findings:
        if freezes(one):
            open_freeze(ctx, scope, one, finding_id=ids.get(one.code, ""))
