"""Owns stored plans: the document, the inputs it can be made again from, and its audit event."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from services import audit
from services.kit.canonical import canonical
from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.errors import check, refuse
from services.kit.money import decimal_text
from services.kit.policy import Policy
from services.kit.revive import revive
from services.market.bar import Bar
from services.strategy.document_tables import documents
from services.strategy.documents import CALIBRATOR, RECORD, get_document, store_document
from services.trade.plan_tables import plan_bars, plans

if TYPE_CHECKING:
    from services.market.quality import QualitySnapshot
    from services.strategy.load import Kept, Loaded
    from services.trade.compose import PlanDocument
    from services.trade.plan_inputs import PlanInputs

LIST_MAX = 100
POLICY = "policy/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlan:
    """A plan as it was stored; `document` is the canonical `plan/v1`."""

    id: str
    symbol: str
    document: Mapping[str, Any]
    at: datetime

    @property
    def provenance(self) -> str:
        """Return how real its quote was: that of the first citation that is no bars."""
        cited = self.document["citations"]
        return str(next((one for one in cited if "timeframe" not in one), cited[0])["provenance"])

    @property
    def source(self) -> str:
        """Return who gave its bars."""
        return str(self.document["citations"][0]["provider"])


def save_plan(
    ctx: Context,
    composed: PlanDocument,
    inputs: PlanInputs,
    *,
    loaded: Loaded,
    quality: QualitySnapshot,
) -> StoredPlan:
    """Store a plan once, with the green snapshot it rests on; audited as `plan.made`.

    Equal inputs give the same id, so a repeat returns what is stored. The database refuses a
    snapshot that is not green.
    """
    body = composed.body
    known = find_plan(ctx, composed.plan_id)
    if known is not None:
        return known
    setup = inputs.idea.setup
    _keep_basis(ctx, inputs)
    ctx.db.insert(
        plans,
        {
            "id": composed.plan_id,
            "kind": "plan",
            "symbol": inputs.listing.symbol,
            "side": setup.side,
            "style": inputs.style,
            "setup_id": setup.setup_id,
            "timeframe": setup.timeframe,
            "idea_hash": body["idea_hash"],
            "plan_hash": body["plan_hash"],
            "inputs_hash": body["inputs_hash"],
            "policy_hash": body["policy_hash"],
            "document": canonical(body).decode(),
            "inputs": canonical(_inputs_body(ctx, inputs, loaded)).decode(),
            "dq_snapshot_id": quality.id,
            "trace": ctx.trace,
            "as_of": inputs.as_of,
            "expires_at": setup.expires_at,
            "at": ctx.now,
        },
    )
    audit.record(
        ctx,
        "plan.made",
        composed.plan_id,
        symbol=inputs.listing.symbol,
        plan_hash=body["plan_hash"],
        inputs_hash=body["inputs_hash"],
        policy_hash=body["policy_hash"],
        dq_snapshot_id=quality.id,
    )
    return StoredPlan(id=composed.plan_id, symbol=inputs.listing.symbol, document=body, at=ctx.now)


def _keep_basis(ctx: Context, inputs: PlanInputs) -> None:
    """Store the policy, record and curve that a plan stands on: a later release has others."""
    basis: list[tuple[str, str, str, object]] = [_policy_basis(inputs.policy)]
    if inputs.record is not None:
        record = inputs.record
        basis.append((RECORD, record.key.text, record.hash, record.body()))
    if inputs.calibrator is not None:
        curve = inputs.calibrator
        basis.append((CALIBRATOR, curve.key.text, curve.hash, curve.body()))
    for one in basis:
        _keep(ctx, *one)


def keep_policy(ctx: Context) -> None:
    """Store the policy in force once, so that what was advised under it can be made again."""
    _keep(ctx, *_policy_basis(ctx.policy))


def _policy_basis(policy: Policy) -> tuple[str, str, str, object]:
    return POLICY, f"policy/{policy.policy_version}", policy.hash, policy


def _keep(ctx: Context, kind: str, key: str, digest: str, body: object) -> None:
    known = select(documents.c.hash).where(documents.c.hash == digest)
    if ctx.db.row(known) is None:
        store_document(ctx, kind, key, body)


def policy_of(ctx: Context, digest: str) -> Policy:
    """Return a policy by its hash, the one in force or a stored one. Raises `DOCUMENT_UNKNOWN`.

    A number that a later release added has its default there; the hash stays that of the sealed
    document, as of what was advised under it.
    """
    if digest == ctx.policy.hash:
        return ctx.policy
    kept = get_document(ctx, digest)
    check(kept.kind == POLICY, "a policy is named by the hash of one", hash=digest)
    found = revive(Policy, kept.body)
    found.__dict__["hash"] = digest
    return found


def find_plan(ctx: Context, plan_id: str) -> StoredPlan | None:
    """Return the stored plan of an id, or None."""
    row = ctx.db.row(select(plans).where(plans.c.id == plan_id))
    if row is None:
        return None
    return StoredPlan(id=row.id, symbol=row.symbol, document=json.loads(row.document), at=row.at)


def get_plan(ctx: Context, plan_id: str) -> StoredPlan:
    """Return the stored plan of an id. Raises `PLAN_UNKNOWN`."""
    found = find_plan(ctx, plan_id)
    if found is None:
        raise refuse("PLAN_UNKNOWN", id=plan_id)
    return found


def list_plans(ctx: Context, *, symbol: str | None = None, limit: int = 20) -> list[StoredPlan]:
    """Return the newest stored plans, of one symbol or of all; at most 100."""
    query = select(plans).order_by(plans.c.at.desc(), plans.c.id).limit(min(limit, LIST_MAX))
    if symbol is not None:
        query = query.where(plans.c.symbol == symbol)
    return [
        StoredPlan(id=row.id, symbol=row.symbol, document=json.loads(row.document), at=row.at)
        for row in ctx.db.rows(query)
    ]


def _inputs_body(ctx: Context, inputs: PlanInputs, loaded: Loaded) -> Mapping[str, object]:
    """Return everything the plan was made of; bars by the hash of their stored body."""
    setup = inputs.idea.setup
    bars = {
        name: _save_bars(ctx, loaded.instrument.id, one) for name, one in loaded.sources.items()
    }
    context = inputs.idea.context
    return {
        "setup": {
            "key": setup.key,
            "id": setup.setup_id,
            "side": setup.side,
            "timeframe": setup.timeframe,
            "trigger_ts": setup.trigger_ts,
            "supporting": setup.supporting,
        },
        "tick": context.tick,
        "bars": bars,
        "market": _save_bars(ctx, "index", loaded.market) if loaded.market else None,
        "style": inputs.style,
        "listing": inputs.listing,
        "quote": inputs.quote,
        "earnings": inputs.earnings,
        "chain": inputs.chain,
        "record": inputs.record.hash if inputs.record else None,
        "calibrator": inputs.calibrator.hash if inputs.calibrator else None,
        "citations": inputs.citations,
        "others": inputs.others,
        "base_url": inputs.base_url,
        "as_of": inputs.as_of,
    }


def _save_bars(ctx: Context, symbol: str, kept: Kept) -> str:
    """Store the bars of a track once, deflated; return the key they stand under."""
    digest = kept.store_key
    if ctx.db.row(select(plan_bars.c.hash).where(plan_bars.c.hash == digest)) is None:
        ctx.db.insert(
            plan_bars,
            {
                "hash": digest,
                "symbol": symbol,
                "timeframe": kept.track.timeframe,
                "body": base64.b64encode(zlib.compress(rows_text(kept.track.bars))).decode(),
            },
        )
    return digest


def rows_text(bars: Sequence[Bar]) -> bytes:
    """Return bars as JSON rows of text: start, end, o, h, l, c, v and vw (empty without one)."""
    rows = [
        [
            instant_text(bar.t_open),
            instant_text(bar.t_close),
            *(decimal_text(value) for value in (bar.o, bar.h, bar.l, bar.c, bar.v)),
            "" if bar.vw is None else decimal_text(bar.vw),
        ]
        for bar in bars
    ]
    return json.dumps(rows, separators=(",", ":")).encode()


def stored_inputs(ctx: Context, plan_id: str) -> Mapping[str, Any]:
    """Return what a plan was made of, as it was stored. Raises `PLAN_UNKNOWN`."""
    row = ctx.db.row(select(plans.c.inputs).where(plans.c.id == plan_id))
    if row is None:
        raise refuse("PLAN_UNKNOWN", id=plan_id)
    found: Mapping[str, Any] = json.loads(row.inputs)
    return found


def stored_bars(ctx: Context, digest: str) -> list[list[str]]:
    """Return the rows of stored bars. Raises `PLAN_UNKNOWN` when they are not there."""
    row = ctx.db.row(select(plan_bars.c.body).where(plan_bars.c.hash == digest))
    if row is None:
        raise refuse("PLAN_UNKNOWN", id=digest)
    found: list[list[str]] = json.loads(zlib.decompress(base64.b64decode(row.body)))
    return found
