"""Owns setting alerts on a stored plan or on the account's risk, and changing them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.alert import Alert, AlertAsk, AlertKind
from services.alerts.creation import DAY_SPAN
from services.alerts.plan_event import (
    ENTERED,
    MOMENTS,
    WAITING,
    PlanTerms,
    read_terms,
    terms_of,
    terms_text,
)
from services.alerts.risk_watch import ANY, level_of
from services.alerts.rule import start_alert
from services.alerts.terms import NOTE_MAX
from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.text import require_text
from services.ledger import portfolio
from services.ledger.valuation import CALENDAR
from services.market.feed import Feed
from services.market.quality import require_green
from services.market.round import market_round
from services.trade.plan_store import get_plan
from services.trade.risk import SEVERITY
from services.trade.risk_store import find_risk

RISK_STATES = (*SEVERITY[1:], ANY)
"""From which state on an alert on the risk tells, or `change` for each change."""
_AFTER = timedelta(days=1)
"""How long an alert on a plan stays after its time stop, so that a late bar still tells it."""


def build_subject_alert(ctx: Context, ask: AlertAsk) -> Alert:
    """Return the alert on a plan or on the risk that `ask` describes; nothing is stored.

    A plan whose time to enter is over counts as entered. Raises `PLAN_UNKNOWN`, `PLAN_EXPIRED`
    after its time stop, `ALERT_EXPIRED`, `PARAM_INVALID` for moments and states that are none,
    and `DQ_BLOCK` while the data of the plan's symbol are bad.
    """
    note = require_text(ask.note, "note", longest=NOTE_MAX) if ask.note.strip() else ""
    made = _of_plan(ctx, ask) if ask.kind is AlertKind.PLAN_EVENT else _of_risk(ctx, ask)
    if made.expires_at is not None and made.expires_at <= made.created_at:
        raise refuse("ALERT_EXPIRED", field="expires_at", expires_at=instant_text(made.expires_at))
    return replace(
        made, note=note, note_by=str(ctx.principal.actor), updated_at=ctx.now, latency="bar"
    )


def restart_subject(ctx: Context, alert: Alert, expires_at: datetime | None) -> Alert:
    """Return an alert on a plan or the risk as watching anew from now, perhaps for longer.

    An end that is past is replaced by the usual one. What happened while it rested is not told.
    """
    as_of, until = ctx.port(Feed).as_of(ctx), expires_at or alert.expires_at
    if expires_at is None and until is not None and until <= as_of:
        until = None
    ask = AlertAsk(
        kind=alert.kind,
        plan_id=alert.subject if alert.kind is AlertKind.PLAN_EVENT else "",
        moments=read_terms(alert.terms).moments if alert.kind is AlertKind.PLAN_EVENT else (),
        risk_state=alert.terms if alert.kind is AlertKind.RISK else "",
        repeat=alert.repeat,
        expires_at=until,
        note=alert.note,
    )
    made = build_subject_alert(ctx, ask)
    return replace(
        made,
        id=alert.id,
        user_id=alert.user_id,
        created_at=alert.created_at,
        note_by=alert.note_by,
        memory=made.memory if alert.kind is AlertKind.RISK else alert.memory,
        last_event_at=alert.last_event_at,
        first_triggered_at=alert.first_triggered_at,
        triggers=alert.triggers,
        version=alert.version,
    )


def _of_plan(ctx: Context, ask: AlertAsk) -> Alert:
    unknown = [one for one in ask.moments if one not in MOMENTS]
    if unknown or not ask.plan_id:
        rule = f"one of {', '.join(MOMENTS)}" if unknown else "name a stored plan"
        name = "moments" if unknown else "plan_id"
        given = unknown[0][:40] if unknown else "nothing"
        raise refuse("PARAM_INVALID", field=name, name=name, value=given, rule=rule)
    plan = get_plan(ctx, ask.plan_id)
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, plan.symbol)
    require_green(ctx, [instrument.symbol])
    as_of, last = feed.as_of(ctx), feed.quote(ctx, instrument.symbol).last
    terms = terms_of(plan.document, ask.moments)
    if as_of >= terms.time_stop:
        raise refuse("PLAN_EXPIRED", ts=instant_text(terms.time_stop))
    return Alert(
        id="",
        user_id=ctx.principal.user_id,
        symbol=instrument.symbol,
        listing=instrument.id,
        calendar=instrument.calendar,
        kind=AlertKind.PLAN_EVENT,
        side="above" if terms.side == "long" else "below",
        level=terms.hi if terms.side == "long" else terms.lo,
        ref_price=last,
        created_at=as_of,
        watched_from=as_of,
        updated_at=as_of,
        last_close=last,
        repeat=ask.repeat,
        expires_at=ask.expires_at or terms.time_stop + _AFTER,
        memory={"phase": _phase(terms, as_of)},
        round=market_round(ctx),
        subject=plan.id,
        terms=terms_text(terms),
    )


def _phase(terms: PlanTerms, as_of: datetime) -> str:
    return ENTERED if as_of > terms.opens_until else WAITING


def _of_risk(ctx: Context, ask: AlertAsk) -> Alert:
    wanted = ask.risk_state or "warn"
    if wanted not in RISK_STATES:
        raise refuse(
            "PARAM_INVALID",
            field="risk_state",
            name="risk_state",
            value=wanted[:40],
            rule=f"one of {', '.join(RISK_STATES)}",
        )
    book = portfolio.get_portfolio(ctx, None)
    as_of, kept = ctx.port(Feed).as_of(ctx), find_risk(ctx, book.id)
    now, changes = (kept.state, kept.changes) if kept else (SEVERITY[0], 0)
    wants_now = ask.mode == "level" and wanted != ANY and level_of(now) >= _level(wanted)
    made = Alert(
        id="",
        user_id=ctx.principal.user_id,
        symbol="",
        listing=f"portfolio:{book.id}",
        calendar=CALENDAR,
        kind=AlertKind.RISK,
        side="above",
        level=_level(wanted),
        ref_price=level_of(now),
        created_at=as_of,
        watched_from=as_of,
        updated_at=as_of,
        last_close=level_of(now),
        mode=ask.mode,
        basis="close",
        repeat=ask.repeat,
        hysteresis=Decimal(1),
        expires_at=ask.expires_at or as_of + DAY_SPAN,
        memory={"seen": str(max(0, changes - 1) if wants_now else changes)},
        round=market_round(ctx),
        subject=book.id,
        terms=wanted,
    )
    begun = start_alert(made.rule)
    if wanted == ANY:
        return made
    return replace(made, state=begun.state, flags=begun.flags)


def _level(wanted: str) -> Decimal:
    """Return the level of the state machine from which an alert tells."""
    return Decimal(1) if wanted == ANY else Decimal(SEVERITY.index(wanted) + 1)
