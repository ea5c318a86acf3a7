"""Owns the confirm gate: issuing one-time tokens to people, and redeeming one for one order.

A refusal must not undo what it leaves behind: the audit event, the count of wrong tokens, the
burned token, the invalidated proposal. So `redeem` never raises for a refused attempt; it returns
a `Decision`, the transaction commits, and the door then calls `Decision.require()`. `confirm` does
both in the right order and is what doors should call.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Row

from services import audit
from services.kit.context import Context, Principal
from services.kit.errors import Kind, Refusal, check, refuse
from services.kit.failpoint import reach
from services.kit.idempotency import Replayable, once
from services.kit.work import Runtime
from services.ledger.book import release, reserve
from services.orders import desk
from services.orders.attempt import invalidated, missed, plain_facts, refused, tampered
from services.orders.cancel import request_cancel
from services.orders.card import Card, card, typed_phrase
from services.orders.confirmed import SEAL, Confirmed
from services.orders.guard import evaluate, first_block, needs_typing
from services.orders.guard_context import GuardResult, Stage
from services.orders.guard_facts import clean_market, guard_context, latch_day_loss
from services.orders.order import Order, Side, Status, order_from_json, stored_hash
from services.orders.proposal import close, get_proposal, proposal_of, proposal_row, require_pending
from services.orders.queueing import queue_order
from services.orders.replace_confirm import confirm_replace
from services.orders.standing import binding_refusal, principal_refusal, standing_refusal
from services.orders.store import find_order_of, get_order
from services.orders.tokens import burn, find_token, issue_token


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What a person's surface gets: the one-time token and the card it speaks for."""

    token: str
    version: int
    order_hash: str
    card: Card
    expires_at: datetime
    server_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a surface sends to confirm: the token and what the person saw."""

    proposal_id: str
    token: str
    version: int
    order_hash: str
    typed: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """How an attempt ended: confirmed, or a refusal whose traces are already written."""

    confirmed: Confirmed[Order] | None
    refusal: Refusal | None = None

    def require(self) -> Confirmed[Order]:
        """Return the confirmation, or raise the refusal; call it after the commit."""
        if self.refusal is not None:
            raise self.refusal
        check(self.confirmed is not None, "a decision confirms or refuses")
        return self.confirmed  # type: ignore[return-value]


def issue(ctx: Context, proposal_id: str) -> Challenge:
    """Return a fresh one-time token for a pending proposal, and the card to show with it.

    An older token of the same session and surface dies. Raises `CONFIRM_SERVICE_PRINCIPAL`,
    `CONFIRM_FRAMED`, `SCOPE_MISSING`, `TOKEN_BINDING`, `PROPOSAL_UNKNOWN`, `PROPOSAL_EXPIRED` and
    `PROPOSAL_NOT_PENDING`.
    """
    refusal = principal_refusal(ctx.principal)
    if refusal is not None:
        raise refusal
    row = require_pending(ctx, proposal_id)
    if row.user_id != ctx.principal.user_id:
        raise refuse("TOKEN_BINDING")
    shown = card(ctx, proposal_of(row))
    token, token_id = issue_token(ctx, row)
    audit.record(
        ctx,
        "token_issued",
        proposal_id,
        token=token_id,
        version=row.version,
        order_hash=row.order_hash,
        card_hash=shown.hash,
        expires_at=row.expires_at,
    )
    reach("confirm.before_token_commit")
    return Challenge(
        token=token,
        version=row.version,
        order_hash=row.order_hash,
        card=shown,
        expires_at=row.expires_at,
        server_time=desk.seen_now(ctx),
    )


def confirm(
    runtime: Runtime, principal: Principal, attempt: Attempt, *, key: str = "", trace: str = ""
) -> Replayable:
    """Redeem in one transaction, commit, then answer or raise; what every door calls.

    `key` is the Idempotency-Key: a repeat gets the first answer, also a refusal. The body is
    `{proposal_id, status, order_id, order_state}`.
    """

    def act(ctx: Context) -> Replayable:
        def decide() -> tuple[int, dict[str, Any]]:
            decision = redeem(
                ctx,
                attempt.proposal_id,
                token=attempt.token,
                version=attempt.version,
                order_hash=attempt.order_hash,
                typed=attempt.typed,
            )
            if decision.refusal is not None:
                return 409, {"refusal": _refusal_document(decision.refusal)}
            return 200, confirmation(ctx, attempt.proposal_id)

        if not key:
            return Replayable(*decide(), replayed=False)
        return once(ctx, "proposals.confirm", key, attempt, decide)

    answer = runtime.write(principal, act, trace=trace)
    reach("confirm.after_commit")
    said = answer.body.get("refusal")
    if said is not None:
        raise refuse(said["code"], field=said["field"], hint=said["hint"], **said["facts"])
    return answer


def confirmation(ctx: Context, proposal_id: str) -> dict[str, Any]:
    """Return what a confirmed proposal led to: its status, order and the order's state."""
    proposal = get_proposal(ctx, proposal_id)
    order = (
        get_order(ctx, proposal.target_order_id)
        if proposal.target_order_id
        else find_order_of(ctx, proposal_id)
    )
    return {
        "proposal_id": proposal_id,
        "status": proposal.status.value,
        "order_id": order.id if order else None,
        "order_state": order.state.value if order else None,
    }


def redeem(
    ctx: Context,
    proposal_id: str,
    *,
    token: str,
    version: int,
    order_hash: str,
    typed: str | None = None,
) -> Decision:
    """Turn a valid token into one queued order, in the caller's transaction.

    Checks in order: person, token known, not used, not expired, version, hash (recomputed, stored
    and shown), user, session and surface, policy, every guard on fresh data, the typed phrase.
    A failed identity changes nothing; a failed market, risk or data check invalidates the proposal
    and burns the token; five unknown tokens lock it. Raises `PROPOSAL_UNKNOWN` only.
    """
    ctx.db.lock(f"proposal:{proposal_id}")
    row = proposal_row(ctx, proposal_id)
    refusal = principal_refusal(ctx.principal)
    if refusal is not None:
        return Decision(None, refused(ctx, row, refusal))
    found = find_token(ctx, row, token)
    if found is None:
        return Decision(None, missed(ctx, row))
    refusal = standing_refusal(ctx, row, found) or binding_refusal(
        ctx, row, found, version=version, order_hash=order_hash
    )
    if refusal is not None:
        return Decision(None, refused(ctx, row, refusal))
    return _decide(ctx, row, found, typed)


def _decide(ctx: Context, row: Row[Any], found: Row[Any], typed: str | None) -> Decision:
    if stored_hash(row.order_json) != row.order_hash:
        return Decision(None, tampered(ctx, row, found))
    if ctx.policy.hash != row.policy_hash:
        return Decision(None, invalidated(ctx, row, found, refuse("POLICY_CHANGED")))
    if row.kind == "cancel":
        return _confirm_cancel(ctx, row, found)
    if row.kind == "replace":
        return _confirm_replace(ctx, row, found, typed)
    return _confirm_order(ctx, row, found, typed)


def _confirm_order(ctx: Context, row: Row[Any], found: Row[Any], typed: str | None) -> Decision:
    order = order_from_json(row.order_json)
    try:
        market = clean_market(ctx, order.symbol, order.portfolio_id)
        seen = guard_context(
            ctx,
            order,
            Stage.CONFIRM,
            market=market,
            expires_at=row.expires_at,
            reference_mid=row.reference_price,
        )
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return Decision(None, invalidated(ctx, row, found, refusal))
    results = evaluate(seen)
    blocked = first_block(results)
    if blocked is not None:
        latch_day_loss(ctx, seen, market.session_key)
        return Decision(None, invalidated(ctx, row, found, blocked.refusal(), results))
    expected = typed_phrase(order)
    if (order.mode == "live" or needs_typing(results)) and _plain(typed) != _plain(expected):
        return Decision(
            None,
            refused(
                ctx,
                row,
                refuse(
                    "CONFIRM_TYPED_MISMATCH",
                    field="typed",
                    typed=(typed or "nothing")[:40],
                    expected=expected,
                ),
            ),
        )
    order_id = ctx.ids.new("ord")
    try:
        if order.side is Side.BUY:
            reserve(ctx, order.portfolio_id, order_id, cash=seen.cost)
        else:
            reserve(
                ctx,
                order.portfolio_id,
                order_id,
                listing=order.instrument_id,
                quantity=order.quantity,
            )
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return Decision(None, invalidated(ctx, row, found, refusal, results))
    return _commit_order(ctx, row, found, order_id, results)


def _plain(typed: str | None) -> list[str]:
    return (typed or "").casefold().split()


def _commit_order(
    ctx: Context, row: Row[Any], found: Row[Any], order_id: str, results: list[GuardResult]
) -> Decision:
    if not close(ctx, row, Status.CONFIRMED, "confirmed"):
        release(ctx, order_id)
        return Decision(
            None,
            refused(
                ctx,
                row,
                refuse(
                    "PROPOSAL_NOT_PENDING",
                    id=row.id,
                    status="decided",
                    reason="somebody was faster",
                ),
            ),
        )
    burn(ctx, found, "confirmed")
    order = order_from_json(row.order_json)
    queue_order(ctx, row, found, order=order, order_id=order_id, results=results)
    reach("confirm.before_commit")
    return _confirmed(ctx, row, order_id, order)


def _confirm_cancel(ctx: Context, row: Row[Any], found: Row[Any]) -> Decision:
    try:
        request_cancel(
            ctx, row.target_order_id, reason=f"confirmed cancel {row.id}", asked_by=row.id
        )
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        return Decision(None, invalidated(ctx, row, found, refusal))
    close(ctx, row, Status.CONFIRMED, "confirmed")
    burn(ctx, found, "confirmed")
    reach("confirm.before_commit")
    return _confirmed(ctx, row, row.target_order_id, order_from_json(row.order_json))


def _confirm_replace(ctx: Context, row: Row[Any], found: Row[Any], typed: str | None) -> Decision:
    refusal = confirm_replace(ctx, row, found, typed)
    if refusal is not None:
        return Decision(None, refusal)
    reach("confirm.before_commit")
    return _confirmed(ctx, row, row.target_order_id, order_from_json(row.order_json))


def _confirmed(ctx: Context, row: Row[Any], order_id: str, order: Order) -> Decision:
    return Decision(
        Confirmed(
            value=order,
            proposal_id=row.id,
            order_id=order_id,
            seal=SEAL,
            confirmed_by=ctx.principal.user_id,
            confirmed_at=ctx.now,
        )
    )


def _refusal_document(refusal: Refusal) -> dict[str, Any]:
    return {
        "code": refusal.code,
        "field": refusal.field,
        "hint": refusal.hint,
        "facts": plain_facts(refusal.facts),
    }
