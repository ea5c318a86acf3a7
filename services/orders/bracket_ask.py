"""Owns completing what is asked of a bracket: its stop and target from the plan that it names."""

from __future__ import annotations

from dataclasses import replace

from services.kit.context import Context
from services.kit.errors import refuse
from services.orders.draft import OrderDraft
from services.orders.stop_cover import find_advice, first_target


def complete(ctx: Context, draft: OrderDraft) -> OrderDraft:
    """Return the draft with both exits where the person or the plan names them.

    What the person says goes before the plan's stop and its first target. A sale protects what is
    held: its target is its limit. Raises `PROVENANCE_REFUSED` for a plan of another symbol or
    side, and `PARAM_INVALID` when there is no exit, or not both for a sale.
    """
    basis = find_advice(ctx, draft.basis_ref, draft.symbol, draft.side)
    if draft.basis_ref and basis is None:
        raise refuse("PROVENANCE_REFUSED", field="basis_ref", value=draft.basis_ref)
    stop, target = draft.stop_loss, draft.take_profit
    if basis is not None:
        stop = basis.number("stop") if stop is None else stop
        target = first_target(ctx, basis) if target is None else target
    sells = draft.side == "sell"
    for name, price in (("stop_loss", stop), ("take_profit", target)):
        other = target if name == "stop_loss" else stop
        if price is None and (sells or other is None):
            rule = "name a stop and a target, or the plan that has them"
            raise refuse("PARAM_INVALID", field=name, name=name, value="nothing", rule=rule)
    if sells:
        return replace(draft, type="limit", limit_price=target, stop_loss=stop, take_profit=None)
    return replace(draft, stop_loss=stop, take_profit=target)
