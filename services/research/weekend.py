"""Owns the weekend plan: swings and LEAPS at the last close, the coming week, every reject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from services.kit.canonical import bytes_hash, canonical, document
from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.kit.money import decimal_text, rounded
from services.market.earnings import read_earnings
from services.market.feed import Feed
from services.market.fetching import read_ahead
from services.market.ingest import Counts
from services.market.instrument import Instrument
from services.market.session import Session, find_last_session, session_on, sessions_between
from services.research.each_symbol import each_symbol
from services.research.option_pick import OptionPick, OptionPicks, pick_options
from services.research.pick import (
    Failed,
    Pick,
    followed_of,
    keep_best,
    keep_plans,
    pick_of,
    rejected,
    require_data,
    scopes_of,
    universe_of,
)
from services.research.rank import Reject, drawdown, in_order
from services.research.resting import LAST_GOOD, at_close, snapshot_age
from services.research.weekend_watch import Watched, watch_list, watched_of
from services.strategy.detect import DETECTORS, Detector
from services.strategy.documents import Document, list_documents, store_document
from services.strategy.load import Loaded, load
from services.trade.plan_service import PlanWish, draft_plan

SCHEMA = "weekend_plan/v1"
CALENDAR = "XNYS"
WEEK = timedelta(days=7)
_SWINGS = ("weekly_breakout", "range_breakout", "ema_pullback")
_SLOW = ("1d", "1w")
RULES = tuple(
    Detector(one.id, tuple(name for name in one.timeframes if name in _SLOW), one.rule)
    for one in DETECTORS
    if one.id in _SWINGS
)
"""The setups of a weekend: those of days and weeks alone."""
OF_A_SNAPSHOT = ("DQ_STALE",)
"""What a last known good snapshot may be: its age is told, not refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeapsPick:
    """One symbol in a long trend, with its best contract; ranked by the contract's score."""

    symbol: str
    contract: OptionPick
    drawdown_pct: Decimal
    edge: Decimal | None = None
    flags: tuple[str, ...] = ()

    @property
    def score(self) -> Decimal:
        """Return the rank score of the contract."""
        return self.contract.ranked.score


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekend:
    """A weekend plan: the document that is hashed, and the plans that stand behind it."""

    hash: str
    body: Mapping[str, Any]
    swings: tuple[Pick, ...]
    generated_at: datetime


def make_weekend(ctx: Context) -> Weekend:
    """Return the plan of the coming week from the last close, and store it with its plans.

    Equal history gives the same document and hash whenever it is made. Raises `FEATURE_OFF`
    without market data, `INSUFFICIENT_BARS` before the first close.
    """
    made = read_ahead(ctx, "weekend", build_weekend)
    fresh = [one for one in made.swings if not snapshot_of(one)]
    keep_plans(at_close(ctx, last_closed(ctx.port(Feed).as_of(ctx))), fresh)
    store_document(ctx, SCHEMA, str(made.body["session"]), made.body)
    return made


def weekend_parts(ctx: Context) -> list[tuple[str, ...]]:
    """Return the one part of the job; none for a person who follows and holds nothing.

    Every track is read here, in a reading unit: the writing one is short then.
    """
    if not followed_of(ctx):
        return []
    build_weekend(ctx)
    return [("weekend",)]


def run_weekend(ctx: Context, part: tuple[str, ...]) -> Counts:  # noqa: ARG001 - one part
    """Make and store the weekend plan; return how many ideas and rejects it has."""
    body = make_weekend(ctx).body
    names = ("swings", "leaps", "swing_rejects", "leaps_rejects")
    return Counter({name: len(body[name]) for name in names})


def find_weekend(ctx: Context) -> Document | None:
    """Return the newest stored plan of the last close under the policy in force, or None."""
    session = last_closed(ctx.port(Feed).as_of(ctx))
    found = [
        one
        for one in list_documents(ctx, SCHEMA, key=session.date.isoformat())
        if one.body["policy_hash"] == ctx.policy.hash
    ]
    return max(found, key=lambda one: (one.created_at, one.hash), default=None)


def last_closed(now: datetime) -> Session:
    """Return the newest session whose close is not after `now`. Raises `INSUFFICIENT_BARS`."""
    session = find_last_session(CALENDAR, now)
    if session is not None and session.close > now:
        session = find_last_session(CALENDAR, session.open - timedelta(microseconds=1))
    if session is None:
        raise refuse("INSUFFICIENT_BARS", indicator="a weekend plan", need=1, have=0)
    return session


def build_weekend(ctx: Context) -> Weekend:
    """Return the weekend plan without storing it; raises as `make_weekend` does.

    Nothing later than the close is read: the market is seen through a feed that rests there.
    """
    policy, limits = ctx.policy.picks, ctx.policy.sizing
    session = last_closed(ctx.port(Feed).as_of(ctx))
    closed = at_close(ctx, session)
    universe = universe_of(closed)
    scopes = scopes_of(closed)
    found = list(
        each_symbol(universe.symbols, lambda symbol: _judge(closed, symbol, scopes=scopes))
    )
    swings, swing_rejects = keep_best((one.swing for one in found), policy.shown)
    leaps, leaps_rejects = _best_leaps([one.leaps for one in found], policy.leaps_shown)
    names = sorted({*(one.symbol for one in swings), *(one.symbol for one in leaps)})
    body = document(
        {
            "schema": SCHEMA,
            "session": session.date.isoformat(),
            "as_of": session.close,
            "policy_hash": ctx.policy.hash,
            "scanned": len(universe.symbols),
            "left_out": universe.left_out,
            "swings": [_swing_body(closed, one, session) for one in swings],
            "leaps": [_leaps_body(one) for one in leaps],
            "swing_rejects": swing_rejects,
            "leaps_rejects": leaps_rejects,
            "leaps_limits": {"each": limits.leaps_pct, "total": limits.leaps_total_pct},
            "watch": watch_list(one.watched for one in found),
            "calendar": coming_week(closed, session.date, names),
        }
    )
    digest = bytes_hash(SCHEMA, canonical(body))
    return Weekend(hash=digest, body=body, swings=swings, generated_at=ctx.now)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a symbol gives as a swing and as LEAPS, and where it stands when it gives no swing."""

    swing: Pick | Reject
    leaps: LeapsPick | Reject
    watched: Watched | None = None


def _judge(ctx: Context, symbol: str, *, scopes: Sequence[str]) -> _Judged:
    """Return what a symbol gives; a failed filter is the reject of both."""
    try:
        days = ctx.policy.picks.history_days
        instrument = require_data(
            ctx, symbol, scopes=scopes, history_days=days, tolerated=OF_A_SNAPSHOT
        )
        loaded = load(ctx, instrument.id)
    except Failed as failed:
        return _Judged(failed.reject, failed.reject)
    except Refusal as refusal:
        both = rejected(symbol, refusal)
        return _Judged(both, both)
    swing, nearest = _swing(ctx, instrument, loaded)
    watched = None
    if isinstance(swing, Reject):
        watched = watched_of(instrument.symbol, loaded, nearest)
    return _Judged(swing, _leaps(ctx, instrument, loaded), watched)


def _swing(ctx: Context, instrument: Instrument, loaded: Loaded) -> tuple[Pick | Reject, str]:
    """Return the swing of a symbol; without one also what comes nearest to it."""
    wish = PlanWish(symbol=instrument.symbol, style="swing")
    try:
        return pick_of(instrument, draft_plan(ctx, loaded, wish, rules=RULES)), ""
    except Refusal as refusal:
        nearest = str(refusal.facts.get("nearest") or refusal.hint)
        return rejected(instrument.symbol, refusal), nearest


def snapshot_of(one: Pick) -> bool:
    """Return whether a pick's price is a last known good snapshot: the provider was down."""
    cited = (row for row in one.draft.composed.body["citations"] if "timeframe" not in row)
    return any(row["provenance"] == "SNAPSHOT" and row["dataset"] == LAST_GOOD for row in cited)


def _leaps(ctx: Context, instrument: Instrument, loaded: Loaded) -> LeapsPick | Reject:
    try:
        failed = failed_trend(ctx, instrument.symbol, loaded)
        if failed is not None:
            return failed
        found = pick_options(ctx, instrument.symbol, "leaps_call")
    except Refusal as refusal:
        return rejected(instrument.symbol, refusal)
    if not found.picks:
        return Reject(instrument.symbol, *_why_no_contract(found))
    days = loaded.context.tracks["1d"].bars[: _end(loaded, "1d")]
    return LeapsPick(
        symbol=instrument.symbol,
        contract=found.picks[0],
        drawdown_pct=rounded(100 * drawdown(days), 2),
        flags=("IV_RANK_UNKNOWN", *found.flags),
    )


def _end(loaded: Loaded, timeframe: str) -> int:
    return loaded.context.tracks[timeframe].count_until(loaded.context.as_of)


def failed_trend(ctx: Context, symbol: str, loaded: Loaded) -> Reject | None:
    """Return the first rule of LEAPS that a symbol fails, or None.

    In order: every vote of the weekly trend is up, the close is above EMA200 of days, at most the
    policy's share below the high of 252 sessions, no report within the policy's sessions.
    """
    scene = loaded.context.scene("long", "1d")
    trend = scene.trend("1w") if scene is not None else None
    if trend is None or trend < 1:
        return Reject(symbol, "TREND_WEEKLY", "not every vote of the weekly trend is up")
    track, end = loaded.context.tracks["1d"], _end(loaded, "1d")
    average = track.emas[200][end - 1]
    if average is None or track.c[end - 1] <= average:
        return Reject(symbol, "BELOW_EMA200", "the close is not above EMA200 of days")
    fallen, most = drawdown(track.bars[:end]), ctx.policy.picks.drawdown_max
    if fallen > most:
        shown = decimal_text(rounded(100 * fallen, 2))
        return Reject(symbol, "DRAWDOWN_DEEP", f"{shown}% below the high of 252 sessions")
    page = read_earnings(ctx, [symbol], days=90)
    report = page.rows[0].next if page.rows else None
    near = ctx.policy.picks.earnings_sessions
    if report is not None and report.sessions_until is not None and report.sessions_until <= near:
        return Reject(symbol, "EVENT_RISK", f"it reports on {report.date.isoformat()}")
    return None


def _why_no_contract(found: OptionPicks) -> tuple[str, str]:
    if found.absence is not None:
        return "NO_CHAIN", found.absence.why
    if not found.expiries:
        return "NO_CHAIN", "no expiry is more than a year away"
    counts = ", ".join(f"{code} {count}" for code, count in found.rejects.items())
    return "NO_CONTRACT", f"no contract passed: {counts}"


def _best_leaps(
    found: Sequence[LeapsPick | Reject], most: int
) -> tuple[list[LeapsPick], list[Reject]]:
    ranked = in_order(one for one in found if isinstance(one, LeapsPick))
    rejects = [one for one in found if isinstance(one, Reject)]
    rejects += [
        Reject(one.symbol, "BEYOND_TOP", f"a contract, ranked below the best {most}")
        for one in ranked[most:]
    ]
    return ranked[:most], sorted(rejects, key=lambda one: (one.symbol, one.code))


def _swing_body(ctx: Context, one: Pick, session: Session) -> dict[str, object]:
    """Return a swing as the document holds it: levels and chances, and no act."""
    plan = one.draft.composed.body
    ts = one.draft.inputs.quote.ts if snapshot_of(one) else session.close
    age = snapshot_age(one.draft.inputs.listing.calendar, ts, session)
    old = ("SNAPSHOT_OLD",) if age > ctx.policy.picks.snapshot_sessions else ()
    return {
        "symbol": one.symbol,
        "plan_id": plan["plan_id"],
        "idea_hash": plan["idea_hash"],
        "setup": plan["setup"]["id"],
        "timeframe": plan["timeframe"],
        "side": plan["side"],
        "score": plan["confluence"].get("score"),
        "confidence": plan.get("confidence"),
        "edge": one.edge,
        "entry": plan["entry"],
        "stop": plan["stop"]["price"],
        "targets": [target["price"] for target in plan["targets"]],
        "rr": plan["rr"],
        "time_stop": plan["time_stop"],
        "expires_at": plan["expires_at"],
        "warnings": plan["warnings"],
        "snapshot_age_sessions": age if snapshot_of(one) else None,
        "flags": sorted({*plan["flags"], *old}),
    }


def _leaps_body(one: LeapsPick) -> dict[str, object]:
    pick = one.contract
    return {
        "symbol": one.symbol,
        "contract": pick.contract.symbol,
        "expiry": pick.contract.expiry,
        "strike": pick.contract.strike,
        "limit": pick.limit,
        "dte": pick.ranked.contract.dte,
        "delta": pick.greeks.delta,
        "greeks_source": pick.greeks.source,
        "open_interest": pick.ranked.contract.open_interest,
        "score": rounded(pick.ranked.score, 6),
        "breakeven": rounded(pick.metrics.breakeven, 6),
        "carry_annualised": rounded(pick.metrics.carry_annualised, 6),
        "leverage": rounded(pick.metrics.leverage, 4),
        "capital_saved": rounded(pick.metrics.capital_saved, 6),
        "cost_per_contract": rounded(pick.metrics.cost_per_contract, 2),
        "drawdown_pct": one.drawdown_pct,
        "flags": sorted({*pick.flags, *one.flags}),
    }


def coming_week(ctx: Context, after: date, symbols: Sequence[str]) -> dict[str, object]:
    """Return the sessions of the seven days after `after`, closed weekdays, half days, reports."""
    last = after + WEEK
    days = [after + timedelta(days=step) for step in range(1, WEEK.days + 1)]
    sessions = sessions_between(CALENDAR, days[0], last)
    reports, why = _reports(ctx, symbols, days[0], last)
    weekdays = [day for day in days if day.weekday() < 5]
    return {
        "first": days[0],
        "last": last,
        "sessions": [one.date for one in sessions],
        "half_days": [one.date for one in sessions if one.half_day],
        "holidays": [day for day in weekdays if session_on(CALENDAR, day) is None],
        "earnings": reports,
        "earnings_unknown_because": why,
    }


def _reports(
    ctx: Context, symbols: Sequence[str], first: date, last: date
) -> tuple[list[dict[str, object]], str]:
    if not symbols:
        return [], ""
    try:
        page = read_earnings(ctx, symbols, days=90)
    except Refusal as refusal:
        if refusal.kind not in (Kind.DATA, Kind.LIMITED):
            raise
        return [], refusal.message
    if page.absence is not None:
        return [], page.absence.why
    rows = [one.next for one in page.rows if one.next is not None]
    return [
        {"symbol": one.symbol, "date": one.date, "time": one.time, "confirmed": one.confirmed}
        for one in sorted(rows, key=lambda one: (one.date, one.symbol))
        if first <= one.date <= last
    ], ""
