"""Owns the person's switch: halt and resume per scope, and the `KILL` file of the last resort."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update

from services import audit
from services.kit.context import Actor, Context
from services.kit.errors import refuse
from services.kit.outbox import put
from services.orders.cancel import cancel_open_orders
from services.orders.tables import switches


class SwitchState(StrEnum):
    """What orders may do: everything, only reduce, nothing. Cancels always pass."""

    ACTIVE = "ACTIVE"
    REDUCE_ONLY = "REDUCE_ONLY"
    HALTED = "HALTED"


_SEVERITY = (SwitchState.ACTIVE, SwitchState.REDUCE_ONLY, SwitchState.HALTED)
TENANT = "tenant"


@dataclass(frozen=True, slots=True)
class Switch:
    """Where the switch of a scope stands, why, and since when (None: it was never touched)."""

    state: SwitchState
    reason: str
    since: datetime | None
    scope: str = TENANT


def halt(
    ctx: Context,
    reason: str,
    *,
    scope: str = TENANT,
    cancel_working: bool = False,
    reduce_only: bool = False,
) -> Switch:
    """Stop orders of `scope` at once; optionally ask to cancel everything that works.

    `scope` is `tenant`, `portfolio:<id>` or `listing:<instrument id>`. It needs no confirmation.
    The coach can not call it: raises `SCOPE_MISSING` for an agent.
    """
    _refuse_agent(ctx)
    target = SwitchState.REDUCE_ONLY if reduce_only else SwitchState.HALTED
    switch = set_state(ctx, scope, target, reason.strip() or "halted by the owner")
    if cancel_working:
        cancel_open_orders(ctx, reason=f"halt: {switch.reason}")
    return switch


def resume(ctx: Context, reason: str, *, scope: str = TENANT) -> Switch:
    """Allow orders of `scope` again. Raises `RESUME_REASON` without a reason."""
    _refuse_agent(ctx)
    if not reason.strip():
        raise refuse("RESUME_REASON", field="reason")
    return set_state(ctx, scope, SwitchState.ACTIVE, reason.strip())


def state(ctx: Context, *, scopes: tuple[str, ...] = (TENANT,)) -> Switch:
    """Return the strictest switch over `scopes`; the `KILL` file halts everything."""
    kill = kill_file_reason(ctx)
    if kill:
        return Switch(SwitchState.HALTED, kill, None, "global")
    rows = ctx.db.rows(
        select(switches).where(switches.c.scope.in_(scopes)).order_by(switches.c.scope)
    )
    found = [Switch(SwitchState(row.state), row.reason, row.since, row.scope) for row in rows]
    return max(
        found,
        key=lambda switch: _SEVERITY.index(switch.state),
        default=Switch(SwitchState.ACTIVE, "", None),
    )


def kill_file_reason(ctx: Context) -> str:
    """Return why the `KILL` file in the home folder halts everything; empty without one."""
    return "the KILL file is present" if (ctx.settings.cornerman_home / "KILL").exists() else ""


def scopes_of(portfolio_id: str, listing: str) -> tuple[str, ...]:
    """Return the scopes whose switches speak about an order."""
    return (TENANT, f"portfolio:{portfolio_id}", f"listing:{listing}")


def set_state(ctx: Context, scope: str, target: SwitchState, reason: str) -> Switch:
    """Set the switch of `scope`, record it, and tell every screen."""
    ctx.db.lock(f"switch:{scope}")
    values = {
        "state": target.value,
        "reason": reason[:500],
        "since": ctx.now,
        "set_by": ctx.principal.user_id,
    }
    hit = ctx.db.change(update(switches).where(switches.c.scope == scope).values(**values))
    if hit == 0:
        ctx.db.insert(switches, {"id": ctx.ids.new("swi"), "scope": scope, **values})
    digest = audit.record(ctx, "switch.changed", scope, state=target.value, reason=reason[:500])
    put(
        ctx,
        "switch.changed",
        scope,
        {"scope": scope, "state": target.value, "reason": reason[:500]},
        dedupe=f"switch:{digest}",
    )
    return Switch(target, reason[:500], ctx.now, scope)


def _refuse_agent(ctx: Context) -> None:
    if ctx.principal.actor is Actor.AGENT:
        raise refuse("SCOPE_MISSING", scope="halt")
