"""Owns the guards of standing: switches, modes, open doubts, repeats and the card's own time."""

from __future__ import annotations

from services.orders.guard_context import GuardContext, GuardResult, Stage, block, ok


def kill_switch(seen: GuardContext) -> GuardResult:
    """Refuse while halted; under `REDUCE_ONLY` let only reducing orders pass."""
    if seen.switch_state == "HALTED":
        return block("kill_switch", "KILL_SWITCH", seen.switch_reason)
    if seen.switch_state == "REDUCE_ONLY" and not seen.reduces:
        return block("kill_switch", "REDUCE_ONLY", seen.switch_reason)
    return ok("kill_switch", state=seen.switch_state)


def frozen(seen: GuardContext) -> GuardResult:
    """Refuse while the listing, the portfolio or everything is frozen."""
    if seen.frozen_reason:
        return block("frozen", "FROZEN", seen.frozen_reason)
    return ok("frozen")


def execution_ready(seen: GuardContext) -> GuardResult:
    """Refuse while a start looks up orders in flight, or the audit chain does not verify."""
    if seen.unready_reason:
        return block(
            "execution_ready",
            "GUARD_REFUSED",
            seen.unready_reason,
            todo="Wait until orders in flight are known; cornerman doctor says more.",
        )
    return ok("execution_ready")


def live_allowed(seen: GuardContext) -> GuardResult:
    """Refuse another mode than the account's; live needs the process flag too."""
    process = "live" if seen.live_process else "paper"
    wrong = seen.order.mode != seen.account_mode
    if wrong or (seen.order.mode == "live" and not seen.live_process):
        return block(
            "live_allowed",
            "MODE_MISMATCH",
            "the modes differ",
            order_mode=seen.order.mode,
            mode=process,
        )
    return ok("live_allowed", mode=seen.order.mode)


def in_doubt(seen: GuardContext) -> GuardResult:
    """Refuse another order on a symbol while one on it is in doubt."""
    if seen.in_doubt:
        return block("in_doubt", "ORDER_IN_DOUBT", "an order is in doubt", symbol=seen.order.symbol)
    return ok("in_doubt")


def duplicate_like(seen: GuardContext) -> GuardResult:
    """Ask for a typed confirmation when the same symbol, side and quantity was just ordered."""
    if seen.alike_recently and seen.stage is not Stage.CLAIM:
        return GuardResult(
            "duplicate_like",
            "typed",
            "CONFIRM_TYPED_MISMATCH",
            f"the same order was confirmed less than {seen.policy.duplicate_like_s} s ago",
            {"count": str(seen.alike_recently)},
        )
    return ok("duplicate_like")


def proposal_ttl(seen: GuardContext) -> GuardResult:
    """Refuse once the confirmation's time is over; the end itself is too late."""
    if seen.now >= seen.expires_at:
        return block(
            "proposal_ttl",
            "GUARD_REFUSED",
            "the time to act on this card is over",
            todo="Make a new proposal.",
        )
    return ok("proposal_ttl")
