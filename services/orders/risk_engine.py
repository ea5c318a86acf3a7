"""Owns the risk engine: what an account risks now, stored, audited and told when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from services import audit
from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import rounded
from services.kit.outbox import put
from services.ledger import portfolio
from services.market.freeze import portfolio_scope
from services.market.quality_tables import freezes
from services.orders.account_risk import FALLEN, AccountRisk, latch_day_loss, read_account
from services.orders.freeze import open_freeze
from services.trade.risk import RiskPosition, RiskReading, State
from services.trade.risk_facts import limit_amount
from services.trade.risk_store import (
    RiskChange,
    StoredRisk,
    append_change,
    find_risk,
    list_risks,
    save_risk,
)
from services.trade.risk_words import LIMIT_WORDS, limit_words, reason_words, state_words

TOPIC = "risk"
TOLD_EVERY = timedelta(seconds=5)
MOVED = Decimal("0.01")
"""A value that moves by more than this part of its limit is told, at most every `TOLD_EVERY`."""
WORSE = Decimal("0.25")
"""A breach that worsens by this part of its limit is told once more."""
_LEVELS: Mapping[State, str] = {
    "ok": "info",
    "warn": "warning",
    "breach": "critical",
    "frozen": "critical",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskView:
    """What screens show of an account: its state, why, and every figure behind it."""

    portfolio_id: str
    state: State
    reason: str
    text: str
    body: Mapping[str, Any]
    now: AccountRisk

    @property
    def source(self) -> str:
        """Return who computed it."""
        return "cornerman"

    @property
    def provenance(self) -> str:
        """Return how real the prices behind it are."""
        return self.now.provenance


def view_risk(ctx: Context, portfolio_id: str | None = None) -> RiskView:
    """Return the risk of one account, the default one for None, as of now; reads only.

    Raises `PORTFOLIO_UNKNOWN`.
    """
    book = portfolio.get_portfolio(ctx, portfolio_id)
    return _view(read_account(ctx, book.id))


def evaluate_account(ctx: Context, portfolio_id: str) -> bool:
    """Evaluate one account, store what it came to and tell what is new; True when it changed.

    A change of state is audited, numbered and told; a breach of each limit is told once a session
    and once more for every quarter of the limit that it worsens. A loss of the day at its limit is
    latched; a fall from the peak at its limit freezes the account until a person lifts that.
    """
    ctx.db.lock(f"risk:{portfolio_id}")
    view = _view(read_account(ctx, portfolio_id))
    kept = find_risk(ctx, portfolio_id)
    before: State = kept.state if kept else "ok"
    reading = view.now.reading
    if reading is not None:
        latch_day_loss(ctx, portfolio_id, reading, session=view.now.session)
        _freeze_fallen(ctx, portfolio_id, reading)
    told = _told(kept, view.now.session)
    fresh = _to_tell(reading, told)
    changed = view.state != before
    if kept is not None and not (changed or fresh or _moved(ctx, kept, view)):
        return False
    number = (kept.changes if kept else 0) + changed
    stored = StoredRisk(
        portfolio_id=portfolio_id,
        state=view.state,
        reason=view.reason,
        since=ctx.now if changed or kept is None else kept.since,
        session=view.now.session,
        body=view.body,
        told={**told, **fresh},
        as_of=view.now.as_of,
        at=ctx.now,
        changes=number,
    )
    save_risk(ctx, stored, known=kept is not None)
    _tell_breaches(ctx, view, told, fresh)
    if changed:
        _change(ctx, view, before, stored, quiet=bool(fresh))
    return changed


def is_due(ctx: Context, portfolio_id: str) -> bool:
    """Return whether an evaluation would store anything; reads only."""
    kept = find_risk(ctx, portfolio_id)
    if kept is None:
        return True
    view = _view(read_account(ctx, portfolio_id))
    fresh = _to_tell(view.now.reading, _told(kept, view.now.session))
    return bool(view.state != kept.state or fresh or _moved(ctx, kept, view))


def worst_risk(ctx: Context) -> StoredRisk | None:
    """Return the account whose stored state is the worst; None before any evaluation."""
    order = list(_LEVELS)
    return max(list_risks(ctx), key=lambda one: order.index(one.state), default=None)


def _view(now: AccountRisk) -> RiskView:
    reading = now.reading
    state: State = reading.state if reading else "ok"
    reason = reason_words(reading, now.currency) if reading else ""
    return RiskView(
        portfolio_id=now.portfolio_id,
        state=state,
        reason=reason,
        text=state_words(state, reason),
        body=_body(now, reading) if reading else {"currency": now.currency},
        now=now,
    )


def _body(now: AccountRisk, reading: RiskReading) -> dict[str, Any]:
    found, account = reading.found, reading.account
    return {
        "currency": now.currency,
        "equity": rounded(account.equity, 2),
        "one_r": rounded(account.one_r, 2),
        "open_risk": rounded(found.open_risk, 2),
        "open_risk_r": rounded(found.open_risk_r, 4),
        "gross": rounded(found.gross, 2),
        "net": rounded(found.net, 2),
        "day_pnl": rounded(found.day_pnl, 2),
        "day_r": rounded(found.day_r, 4),
        "week_pnl": rounded(now.week_pnl, 2),
        "breaches": list(reading.breaches),
        "flags": list(found.flags),
        "cools_until": instant_text(now.cools_until) if now.cools_until else None,
        "market_open": now.market_open,
        "limits": [_limit(reading, name) for name in sorted(reading.limits)],
        "positions": [_position(one, account.one_r) for one in reading.positions],
        "provenance": now.provenance,
        "source": now.source,
    }


def _limit(reading: RiskReading, name: str) -> dict[str, Any]:
    limit = limit_amount(name, reading.limits[name], reading.account.equity)
    used = reading.found.utilisation[name]
    return {
        "name": name,
        "label": LIMIT_WORDS[name],
        "value": rounded(used * limit, 4) + 0,
        "limit": rounded(limit, 4) + 0,
        "used": rounded(used, 4),
    }


def _position(one: RiskPosition, one_r: Decimal) -> dict[str, Any]:
    return {
        "symbol": one.symbol,
        "side": one.side,
        "quantity": one.quantity,
        "last": one.last,
        "stop": one.stop,
        "notional": rounded(one.notional, 2),
        "open_risk": rounded(one.open_risk, 2),
        "open_risk_r": rounded(one.open_risk / one_r, 4),
    }


def _told(kept: StoredRisk | None, session: str) -> Mapping[str, Decimal]:
    return kept.told if kept is not None and kept.session == session else {}


def _to_tell(reading: RiskReading | None, told: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return the limits whose breach is to be told now, with what is used of them."""
    if reading is None:
        return {}
    used = reading.found.utilisation
    return {
        name: rounded(used[name], 4)
        for name in reading.breaches
        if name not in told or used[name] >= told[name] + WORSE
    }


def _moved(ctx: Context, kept: StoredRisk, view: RiskView) -> bool:
    """Return whether a figure moved enough, long enough after it was last stored, to be told."""
    if ctx.now - kept.at < TOLD_EVERY:
        return False
    if kept.session != view.now.session or kept.reason != view.reason:
        return True
    before = {one["name"]: Decimal(one["used"]) for one in kept.body.get("limits", ())}
    after = {one["name"]: one["used"] for one in view.body.get("limits", ())}
    if before.keys() != after.keys():
        return True
    return any(abs(after[name] - before[name]) > MOVED for name in after)


def _tell_breaches(
    ctx: Context, view: RiskView, told: Mapping[str, Decimal], fresh: Mapping[str, Decimal]
) -> None:
    reading = view.now.reading
    if reading is None:
        return
    for name in sorted(fresh):
        again = f":{told[name]}" if name in told else ""
        more = "has worsened" if again else "has reached its limit"
        said = limit_words(reading, name, view.now.currency)
        _alert(
            ctx,
            view,
            "critical",
            f"{LIMIT_WORDS[name].capitalize()} {more} ({said}). Orders that reduce risk stay "
            "possible; new risk waits.",
            dedupe=f"risk:{view.portfolio_id}:{name}:{view.now.session}{again}",
        )


def _change(
    ctx: Context, view: RiskView, before: State, stored: StoredRisk, *, quiet: bool
) -> None:
    """Record a change of state and tell it; `quiet` where its breaches were told already."""
    breaches = tuple(view.body.get("breaches", ()))
    append_change(
        ctx,
        RiskChange(
            portfolio_id=view.portfolio_id,
            number=stored.changes,
            before=before,
            after=view.state,
            reason=view.reason,
            limits=breaches,
            as_of=view.now.as_of,
            at=ctx.now,
        ),
    )
    audit.record(
        ctx,
        "risk.state",
        view.portfolio_id,
        before=before,
        after=view.state,
        reason=view.reason,
        limits=list(breaches),
        used={one["name"]: one["used"] for one in view.body.get("limits", ())},
        as_of=instant_text(view.now.as_of),
    )
    key = f"risk:{view.portfolio_id}:change:{stored.changes}"
    said = {"state": view.state, "reason": view.reason, "portfolio_id": view.portfolio_id}
    put(ctx, "risk", view.portfolio_id, said, dedupe=key)
    if not quiet:
        _alert(ctx, view, _LEVELS[view.state], view.text, dedupe=f"{key}:alert")


def _alert(ctx: Context, view: RiskView, level: str, message: str, *, dedupe: str) -> None:
    payload = {
        "level": level,
        "topic": TOPIC,
        "code": f"RISK_{view.state.upper()}",
        "subject": view.portfolio_id,
        "message": message[:500],
    }
    put(ctx, "alert", view.portfolio_id, payload, dedupe=dedupe)


def _freeze_fallen(ctx: Context, portfolio_id: str, reading: RiskReading) -> None:
    """Freeze an account that fell from its peak by the limit, unless it stands frozen for that."""
    if reading.found.utilisation["drawdown"] < 1:
        return
    scope = portfolio_scope(portfolio_id)
    standing = ctx.db.row(
        select(freezes.c.id).where(
            freezes.c.scope == scope, freezes.c.subject == FALLEN, freezes.c.cleared_at.is_(None)
        )
    )
    if standing is not None:
        return
    fall = rounded(100 * reading.account.drawdown, 2)
    reason = f"the account fell by {fall}% from its peak"
    open_freeze(ctx, reason, subject=FALLEN, scope=scope)
