"""Owns replaying any stored advice: plans, checks and sizes come out again from what was kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from services.kit.canonical import canonical
from services.kit.context import Context
from services.kit.errors import Refusal
from services.kit.policy import Policy
from services.kit.revive import revive
from services.research.replay_plan import (
    DIFFERENCES_MAX,
    Difference,
    Replay,
    differences,
    replay_plan,
)
from services.trade import advice
from services.trade.plan_store import get_plan, policy_of
from services.trade.sized_trade import SizeInputs, size_of
from services.trade.user_plan import CheckInputs, remake_check


def replay_advice(ctx: Context, ref: str) -> Replay:
    """Make stored advice again from what was kept with it, and compare the bytes.

    `ref` is a plan (`plan_`), a check or a size (`res_`). No feed, account or clock is read: the
    inputs stand in the audit chain, the policy is that of then. Raises `PLAN_UNKNOWN`,
    `AUDIT_REF_UNKNOWN`, `INPUTS_UNKNOWN`.
    """
    if ref.startswith(advice.PLAN_PREFIX):
        return replay_plan(ctx, ref)
    kept = advice.get_kept(ctx, ref)
    stored, found = canonical(kept.advice.document), []
    made = None
    try:
        made = _made(ctx, kept, policy_of(ctx, kept.basis[0]))
        found = differences(kept.advice.document, json.loads(canonical(made)))
    except Refusal as refusal:
        found = [Difference("$", "an answer", f"{refusal.code}: {refusal.message}")]
    digest = "" if made is None else _digest(ctx, kept, made)
    if made is not None and not found and digest != kept.hash:
        found = [Difference("hash", kept.hash, digest)]
    return Replay(
        ref=ref,
        symbol=kept.advice.symbol,
        same=not found and made is not None and canonical(made) == stored,
        bytes_compared=len(stored),
        hashes={"advice_hash": kept.hash, "policy_hash": kept.basis[0]},
        differences=tuple(found[:DIFFERENCES_MAX]),
    )


def _made(ctx: Context, kept: advice.Kept, policy: Policy) -> Mapping[str, Any]:
    if kept.advice.kind == "plan":
        return remake_check(revive(CheckInputs, kept.inputs), policy)
    inputs = revive(SizeInputs, kept.inputs)
    named = inputs.ask.plan_id
    plan = get_plan(ctx, named).document if named else None
    return size_of(inputs, policy=policy, plan=plan).document


def _digest(ctx: Context, kept: advice.Kept, made: Mapping[str, Any]) -> str:
    """Return the hash that the advice would be stored under now."""
    return advice.digest_of(ctx, kept.advice.kind, made, basis=kept.basis, at=kept.at)
