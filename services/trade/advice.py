"""Owns stored advice: what was said to the person, on which data, under which policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from services import audit
from services.kit.canonical import canonical, tagged_hash
from services.kit.context import Context
from services.market.quality import QualitySnapshot
from services.trade.plan_store import find_plan
from services.trade.tables import trade_advice

PLAN_PREFIX = "plan_"


@dataclass(frozen=True, slots=True)
class Advice:
    """One stored plan check or size; `document` is what the person was told."""

    ref: str
    kind: str
    symbol: str
    document: Mapping[str, Any]

    @property
    def opens(self) -> str | None:
        """Return the side of the order that opens what was advised: `buy` or `sell`."""
        return {"long": "buy", "short": "sell"}.get(str(self.document.get("side")))

    def number(self, name: str) -> Decimal | None:
        """Return a figure of the document, or None when it has no such field."""
        value = self.document.get(name)
        return Decimal(value) if isinstance(value, str) else None


def save(
    ctx: Context,
    kind: str,
    *,
    symbol: str,
    document: Mapping[str, object],
    quality: QualitySnapshot,
) -> str:
    """Store advice with the green snapshot it rests on; return its ref.

    The same advice on the same data is stored once: the ref is derived from the hash of document,
    policy and time of the unit of work. The database refuses a snapshot that is not green.
    """
    body = {
        "kind": kind,
        "document": document,
        "policy": ctx.policy.hash,
        "quality": quality.id,
        "at": ctx.now,
        "tenant": ctx.principal.tenant_id,
    }
    digest = tagged_hash("advice/v1", body)
    ref = f"res_{digest[7:23]}"
    if find(ctx, ref) is None:
        ctx.db.insert(
            trade_advice,
            {
                "ref": ref,
                "kind": kind,
                "symbol": symbol,
                "document": canonical(document).decode(),
                "hash": digest,
                "policy_hash": ctx.policy.hash,
                "dq_snapshot_id": quality.id,
                "trace": ctx.trace,
                "at": ctx.now,
            },
        )
        audit.record(
            ctx,
            f"advice.{kind}",
            ref,
            symbol=symbol,
            hash=digest,
            dq_snapshot_id=quality.id,
            policy_hash=ctx.policy.hash,
        )
    return ref


def find(ctx: Context, ref: str) -> Advice | None:
    """Return the advice `ref`, a composed plan as well, or None."""
    if ref.startswith(PLAN_PREFIX):
        return _of_plan(ctx, ref)
    row = ctx.db.row(select(trade_advice).where(trade_advice.c.ref == ref))
    if row is None:
        return None
    return Advice(row.ref, row.kind, row.symbol, json.loads(row.document))


def _of_plan(ctx: Context, ref: str) -> Advice | None:
    """Return a composed plan as advice: its side, worst entry and stop."""
    plan = find_plan(ctx, ref)
    if plan is None:
        return None
    body = plan.document
    levels = {"side": body["side"], "entry": body["entry"]["worst"], "stop": body["stop"]["price"]}
    return Advice(ref, "plan", plan.symbol, {"symbol": plan.symbol, **levels})
