"""Owns the stored state of each account's risk and the record of its changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, func, select, update

from services.kit.canonical import canonical
from services.kit.context import Context
from services.kit.money import decimal_text
from services.trade.risk import State
from services.trade.risk_tables import risk_changes, risk_states

CHANGES_MAX = 200
_ONE = select(risk_states).where(risk_states.c.portfolio_id == bindparam("of_portfolio"))
_NEWEST = select(func.max(risk_states.c.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRisk:
    """Where an account stood when it was last stored; `body` is what screens show.

    `told` holds the utilisation at which the breach of each limit was last told in `session`.
    `changes` numbers the last change of state, 0 before the first.
    """

    portfolio_id: str
    state: State
    reason: str
    since: datetime
    session: str
    body: Mapping[str, Any]
    told: Mapping[str, Decimal]
    as_of: datetime
    at: datetime
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskChange:
    """One change of an account's state; `at` is the wall time, `as_of` the market's."""

    portfolio_id: str
    number: int
    before: State
    after: State
    reason: str
    limits: tuple[str, ...]
    as_of: datetime
    at: datetime


def find_risk(ctx: Context, portfolio_id: str) -> StoredRisk | None:
    """Return the stored state of one account, or None before its first evaluation."""
    row = ctx.db.row(_ONE, of_portfolio=portfolio_id)
    return _stored(row) if row else None


def list_risks(ctx: Context) -> list[StoredRisk]:
    """Return the stored state of every account, by portfolio."""
    rows = ctx.db.rows(select(risk_states).order_by(risk_states.c.portfolio_id))
    return [_stored(row) for row in rows]


def newest_at(ctx: Context) -> datetime | None:
    """Return when the state of any account was last stored, or None before the first time."""
    found: datetime | None = ctx.db.scalar(_NEWEST)
    return found


def save_risk(ctx: Context, risk: StoredRisk, *, known: bool) -> None:
    """Write the state of an account; `known` when it has a row already."""
    values = {
        "state": risk.state,
        "reason": risk.reason,
        "since": risk.since,
        "session": risk.session,
        "body": canonical(risk.body).decode(),
        "told": json.dumps({name: decimal_text(one) for name, one in sorted(risk.told.items())}),
        "as_of": risk.as_of,
        "at": risk.at,
        "changes": risk.changes,
    }
    if not known:
        ctx.db.insert(risk_states, {"portfolio_id": risk.portfolio_id, **values})
        return
    mine = risk_states.c.portfolio_id == risk.portfolio_id
    ctx.db.change(update(risk_states).where(mine).values(**values))


def append_change(ctx: Context, change: RiskChange) -> None:
    """Write one change of state; the database refuses its number a second time."""
    ctx.db.insert(
        risk_changes,
        {
            "portfolio_id": change.portfolio_id,
            "number": change.number,
            "state_before": change.before,
            "state_after": change.after,
            "reason": change.reason,
            "limits": json.dumps(change.limits),
            "as_of": change.as_of,
            "at": change.at,
        },
    )


def changes_after(
    ctx: Context, portfolio_id: str, number: int, limit: int = CHANGES_MAX
) -> Sequence[RiskChange]:
    """Return the changes of one account behind `number`, oldest first."""
    rows = ctx.db.rows(
        select(risk_changes)
        .where(risk_changes.c.portfolio_id == portfolio_id, risk_changes.c.number > number)
        .order_by(risk_changes.c.number)
        .limit(limit)
    )
    return [
        RiskChange(
            portfolio_id=row.portfolio_id,
            number=row.number,
            before=row.state_before,
            after=row.state_after,
            reason=row.reason,
            limits=tuple(json.loads(row.limits)),
            as_of=row.as_of,
            at=row.at,
        )
        for row in rows
    ]


def _stored(row: Any) -> StoredRisk:
    return StoredRisk(
        portfolio_id=row.portfolio_id,
        state=row.state,
        reason=row.reason,
        since=row.since,
        session=row.session,
        body=json.loads(row.body),
        told={name: Decimal(one) for name, one in json.loads(row.told).items()},
        as_of=row.as_of,
        at=row.at,
        changes=row.changes,
    )
