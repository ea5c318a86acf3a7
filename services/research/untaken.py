"""Owns advice that was not taken: why not, and what it would have come to by its own levels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context
from services.kit.money import rounded
from services.orders import refused
from services.orders.order import Status
from services.orders.tables import order_intents, proposals
from services.research.score import is_real
from services.research.settle import ENTERED
from services.research.suggestion_tables import suggestions

ROWS_MAX = 500
"""The newest suggestions that are looked at."""
CARDS_MAX = 5000
_R_PLACES = 4


class Fate(StrEnum):
    """What a person, or a guard, made of advice; the first that fits, from the top."""

    TAKEN = "taken"
    UNFILLED = "unfilled"
    WAITING = "waiting"
    DECLINED = "declined"
    EXPIRED = "expired"
    INVALIDATED = "invalidated"
    REFUSED = "refused"
    OPEN = "open"
    IGNORED = "ignored"


_OF_STATUS = {
    Status.CONFIRMED: Fate.UNFILLED,
    Status.PENDING: Fate.WAITING,
    Status.DECLINED: Fate.DECLINED,
    Status.EXPIRED: Fate.EXPIRED,
    Status.INVALIDATED: Fate.INVALIDATED,
}
_ORDER = tuple(Fate)
NOT_TAKEN = (
    Fate.UNFILLED,
    Fate.DECLINED,
    Fate.EXPIRED,
    Fate.INVALIDATED,
    Fate.REFUSED,
    Fate.IGNORED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Untaken:
    """One suggestion that became no position, and what its levels came to.

    `why` is the reason on the card or the refusal's code. `state` and `r` are those of following
    its own entry, stop and first target: R is net of nothing, null without a trade that ended.
    `real` is False for replayed or simulated bars.
    """

    ref: str
    kind: str
    symbol: str
    side: str
    made_at: datetime
    fate: Fate
    why: str
    state: str
    r: Decimal | None
    real: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FateSum:
    """All advice of one fate: how much, how much of it ended as a trade, its R in all and each."""

    fate: Fate
    real: bool
    n: int
    ended: int
    sum_r: Decimal
    mean_r: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTaken:
    """What was not taken, newest first, and the sums by fate; what was taken is in the sums too."""

    rows: tuple[Untaken, ...]
    sums: tuple[FateSum, ...]


def read_untaken(ctx: Context, *, limit: int = 50) -> NotTaken:
    """Return the newest advice that became no position and what it would have come to.

    A card belongs to a plan that it names, itself or by the size of it; to levels that a person
    drew when symbol, side and protective stop are the same.
    """
    query = select(suggestions).where(suggestions.c.state != "not_followed")
    newest = query.order_by(suggestions.c.made_at.desc(), suggestions.c.ref).limit(ROWS_MAX)
    rows = ctx.db.rows(newest)
    met = _fates(ctx, rows)
    told = [_untaken(row, *met.get(row.ref, _left(row))) for row in rows]
    return NotTaken(
        rows=tuple(one for one in told if one.fate in NOT_TAKEN)[:limit], sums=_sums(told)
    )


def _left(row: Row[Any]) -> tuple[Fate, str]:
    """Return the fate of advice without a card: it may still be taken while its entry waits."""
    waits = row.followed and row.state == "waiting"
    return (Fate.OPEN if waits else Fate.IGNORED, "")


def _untaken(row: Row[Any], fate: Fate, why: str) -> Untaken:
    return Untaken(
        ref=row.ref,
        kind=row.kind,
        symbol=row.symbol.rpartition(":")[2],
        side=row.side,
        made_at=row.made_at,
        fate=fate,
        why=why,
        state=row.state,
        r=row.r if row.state in ENTERED else None,
        real=is_real(row),
    )


def _fates(ctx: Context, rows: Iterable[Row[Any]]) -> dict[str, tuple[Fate, str]]:
    """Return, by ref, the best fate of the cards and refusals that belong to each suggestion."""
    known = {row.ref for row in rows}
    drawn = {_levels(row.symbol, row.side, row.stop): row.ref for row in rows if not row.setup_key}
    met = [*_cards(ctx), *_refusals(ctx)]
    sizes = _plans_of_sizes(ctx, {str(wanted.get("basis_ref")) for _, _, wanted in met})
    found: dict[str, tuple[Fate, str]] = {}
    for fate, why, wanted in met:
        basis = str(wanted.get("basis_ref") or "")
        basis = sizes.get(basis, basis)
        side = "long" if wanted.get("side") == "buy" else "short"
        stop = wanted.get("protective_stop")
        own = drawn.get(_levels(str(wanted.get("symbol", "")), side, stop)) if stop else None
        ref = basis if basis in known else own
        if ref is not None and (ref not in found or _before(fate, found[ref][0])):
            found[ref] = (fate, why)
    return found


def _before(fate: Fate, other: Fate) -> bool:
    return _ORDER.index(fate) < _ORDER.index(other)


def _levels(symbol: str, side: str, stop: Any) -> tuple[str, str, Decimal]:
    return (symbol.rpartition(":")[2].upper(), side, Decimal(stop))


def _plans_of_sizes(ctx: Context, refs: Iterable[str]) -> dict[str, str]:
    """Return the plan that each size among `refs` was made of."""
    events = audit.audit_events
    made = select(events.c.subject, events.c.payload).where(
        events.c.kind == "advice.size", events.c.subject.in_(sorted(refs))
    )
    asked = {
        row.subject: json.loads(row.payload)["facts"].get("inputs", {}).get("ask", {})
        for row in ctx.db.rows(made.order_by(events.c.seq))
    }
    return {ref: ask["plan_id"] for ref, ask in asked.items() if ask.get("plan_id")}


def _cards(ctx: Context) -> list[tuple[Fate, str, Mapping[str, Any]]]:
    filled = select(order_intents.c.proposal_id).where(order_intents.c.filled_quantity > Decimal(0))
    bought = {row.proposal_id for row in ctx.db.rows(filled)}
    cards = select(proposals).where(proposals.c.kind == "order")
    newest = cards.order_by(proposals.c.created_at.desc(), proposals.c.id).limit(CARDS_MAX)
    told = []
    for row in ctx.db.rows(newest):
        fate = Fate.TAKEN if row.id in bought else _OF_STATUS.get(Status(row.status))
        if fate is not None:
            told.append((fate, row.status_reason, json.loads(row.order_json)))
    return told


def _refusals(ctx: Context) -> list[tuple[Fate, str, Mapping[str, Any]]]:
    events = audit.audit_events
    kinds = select(events).where(events.c.kind == refused.KIND)
    newest = kinds.order_by(events.c.seq.desc()).limit(CARDS_MAX)
    facts = [json.loads(row.payload)["facts"] for row in ctx.db.rows(newest)]
    return [(Fate.REFUSED, str(one.get("code", "")), one) for one in facts]


def _sums(told: Iterable[Untaken]) -> tuple[FateSum, ...]:
    groups: dict[tuple[Fate, bool], list[Untaken]] = {}
    for one in told:
        groups.setdefault((one.fate, one.real), []).append(one)
    ordered = sorted(groups.items(), key=lambda group: (_ORDER.index(group[0][0]), group[0][1]))
    return tuple(_sum(*key, mine) for key, mine in ordered)


def _sum(fate: Fate, real: bool, mine: list[Untaken]) -> FateSum:  # noqa: FBT001 - a group's key
    ended = [one.r for one in mine if one.r is not None]
    total = sum(ended, Decimal(0))
    return FateSum(
        fate=fate,
        real=real,
        n=len(mine),
        ended=len(ended),
        sum_r=rounded(total, _R_PLACES),
        mean_r=rounded(total / len(ended), _R_PLACES) if ended else None,
    )
