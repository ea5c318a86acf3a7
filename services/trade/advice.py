"""Owns stored advice: what was said to the person, on which data, under which policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from services import audit
from services.kit.canonical import canonical, tagged_hash
from services.kit.context import Context
from services.kit.errors import refuse
from services.market.quality import QualitySnapshot
from services.trade.plan_store import find_plan, keep_policy
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Stored advice and its inputs; `basis` is the policy and the snapshot it rests on."""

    advice: Advice
    inputs: Mapping[str, Any]
    hash: str
    basis: tuple[str, str]
    at: datetime


def save(
    ctx: Context,
    kind: str,
    *,
    symbol: str,
    document: Mapping[str, object],
    quality: QualitySnapshot,
    inputs: object = None,
) -> str:
    """Store advice with the green snapshot it rests on; return its ref.

    `inputs`, what it was made of, stand in its audit event, and the policy as a document.

    The same advice on the same data is stored once: the ref is derived from the hash of document,
    policy and time of the unit of work. The database refuses a snapshot that is not green.
    """
    digest = digest_of(ctx, kind, document, basis=(ctx.policy.hash, quality.id), at=ctx.now)
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
        keep_policy(ctx)
        kept = {} if inputs is None else {"inputs": inputs}
        audit.record(
            ctx,
            f"advice.{kind}",
            ref,
            symbol=symbol,
            hash=digest,
            dq_snapshot_id=quality.id,
            policy_hash=ctx.policy.hash,
            **kept,
        )
    return ref


def digest_of(
    ctx: Context, kind: str, document: Mapping[str, object], *, basis: tuple[str, str], at: datetime
) -> str:
    """Return the tagged hash (`advice/v1`) of advice; `basis` is its policy and its snapshot."""
    body = {
        "kind": kind,
        "document": document,
        "policy": basis[0],
        "quality": basis[1],
        "at": at,
        "tenant": ctx.principal.tenant_id,
    }
    return tagged_hash("advice/v1", body)


def get_kept(ctx: Context, ref: str) -> Kept:
    """Return stored advice with what it was made of, out of its audit event.

    Raises `AUDIT_REF_UNKNOWN`, and `INPUTS_UNKNOWN` for advice that was stored without.
    """
    row = ctx.db.row(select(trade_advice).where(trade_advice.c.ref == ref))
    if row is None:
        raise refuse("AUDIT_REF_UNKNOWN", ref=ref[:60])
    told = [one for one in audit.trail(ctx, ref) if one.kind == f"advice.{row.kind}"]
    if not told or "inputs" not in told[0].facts:
        raise refuse("INPUTS_UNKNOWN", ref=ref)
    return Kept(
        advice=Advice(row.ref, row.kind, row.symbol, json.loads(row.document)),
        inputs=told[0].facts["inputs"],
        hash=row.hash,
        basis=(row.policy_hash, row.dq_snapshot_id),
        at=row.at,
    )


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
