"""Owns the alerts on kept stops: each stop that a person gives a position is watched by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services import audit
from services.alerts import store
from services.alerts.alert import Alert, AlertAsk, AlertKind
from services.alerts.standpoint import stand
from services.alerts.tables import alerts
from services.alerts.terms import build_terms
from services.alerts.wording import KEPT_STOP, canonical_words
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.ledger.holding import find_position
from services.market.session import find_last_session
from services.trade.position_stop import KeptStop, find_stop, side_of
from services.trade.position_stop_tables import position_stops

SESSION_S = 23_400
"""The longest regular session, 6.5 h: a stop that was told is not told again before the next."""
_NOTE = "the stop that you keep for this position"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """A kept stop of an open position, and whose it is."""

    subject: str
    listing: str
    side: str
    kept: KeptStop
    user_id: str


def is_due(ctx: Context) -> bool:
    """Return whether a kept stop has no alert yet, or an alert no stop any more; reads only."""
    wanted, live = _wanted(ctx), _live(ctx)
    return bool(live.keys() - wanted.keys()) or bool(wanted.keys() - _known(ctx, wanted))


def watch_kept_stops(ctx: Context) -> int:
    """Give each kept stop its alert, and take away those whose position or stop is gone.

    The alert tells a touch once a session, at once where trades stream, and is armed again when
    the price has come back. One that the person deleted or rested stays so until the stop moves.
    Bad data make it wait. Returns how many were set.
    """
    ctx.db.lock(f"alerts:{ctx.principal.tenant_id}")
    wanted, live = _wanted(ctx), _live(ctx)
    for subject, row in live.items():
        if subject not in wanted:
            _take_away(ctx, row)
    new = [key for key in wanted if key not in _known(ctx, wanted)]
    return sum(_give(ctx, wanted[subject]) for subject in new)


def _wanted(ctx: Context) -> dict[str, _Wanted]:
    mine = position_stops.c
    rows = ctx.db.rows(
        select(mine.portfolio_id, mine.listing).distinct().order_by(mine.portfolio_id, mine.listing)
    )
    found: dict[str, _Wanted] = {}
    for row in rows:
        held = find_position(ctx, row.portfolio_id, row.listing)
        kept = find_stop(ctx, row.portfolio_id, held) if held else None
        if held is None or kept is None:
            continue
        subject = f"{KEPT_STOP}{row.portfolio_id}:{row.listing}:{kept.number}"
        user_id = ctx.db.scalar(
            select(mine.user_id).where(
                mine.portfolio_id == row.portfolio_id,
                mine.listing == row.listing,
                mine.number == kept.number,
            )
        )
        found[subject] = _Wanted(
            subject=subject,
            listing=row.listing,
            side=side_of(held),
            kept=kept,
            user_id=str(user_id),
        )
    return found


def _live(ctx: Context) -> dict[str, Row[Any]]:
    rows = ctx.db.rows(
        select(alerts.c.id, alerts.c.subject, alerts.c.user_id)
        .where(alerts.c.subject.startswith(KEPT_STOP), alerts.c.deleted_at.is_(None))
        .order_by(alerts.c.id)
    )
    return {row.subject: row for row in rows}


def _known(ctx: Context, wanted: Mapping[str, _Wanted]) -> frozenset[str]:
    """Return which of the stops ever had an alert, also one that the person deleted."""
    if not wanted:
        return frozenset()
    rows = ctx.db.rows(select(alerts.c.subject).where(alerts.c.subject.in_(list(wanted))))
    return frozenset(row.subject for row in rows)


def _give(ctx: Context, one: _Wanted) -> int:
    try:
        made = _build(ctx, one)
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return 0
    store.insert(ctx, made)
    audit.record(
        ctx,
        "alert.set",
        made.id,
        symbol=made.symbol,
        state=made.state,
        text=canonical_words(made),
        watches=made.subject,
        stop=one.kept.stop,
    )
    return 1


def _build(ctx: Context, one: _Wanted) -> Alert:
    kind = AlertKind.PRICE_BELOW if one.side == "long" else AlertKind.PRICE_ABOVE
    at = stand(ctx, one.listing, kind=kind, timeframe="minute")
    ask = AlertAsk(
        symbol=one.listing,
        kind=kind,
        level=Decimal(one.kept.stop),
        mode="level",
        basis="touch",
        repeat=True,
        latency="fast",
        note=_NOTE,
        confirm_far=True,
    )
    made = build_terms(ask, at, alert_id=ctx.ids.new("al"), user_id=one.user_id)
    session = find_last_session(made.calendar, at.as_of)
    recent = session is not None and session.open <= one.kept.as_of <= at.as_of
    return replace(
        made,
        subject=one.subject,
        note_by="system",
        cooldown_s=SESSION_S,
        expires_at=None,
        watched_from=one.kept.as_of if recent else at.as_of,
        updated_at=ctx.now,
    )


def _take_away(ctx: Context, row: Row[Any]) -> None:
    gone = next((one for one in store.of_subject(ctx, row.subject) if one.id == row.id), None)
    if gone is None:
        return
    store.mark_deleted(ctx, gone)
    why = "the stop moved or its position is closed"
    audit.record(ctx, "alert.deleted", gone.id, symbol=gone.symbol, state=gone.state, reason=why)
