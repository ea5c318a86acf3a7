"""Owns what the journal locks about one fill, and the sentence it is shown as."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from services.kit.money import decimal_text


class _ExecutionFacts(TypedDict):
    order_id: str
    exec_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    currency: str
    at: datetime
    provenance: str


class ExecutionFacts(_ExecutionFacts, total=False):
    """What the journal locks about one fill: ten facts of the broker, and what else is known.

    `pnl` is the realised profit or loss of a closing fill; `proposal_id`, `run_id` and
    `conversation_id` lead back to why it was ordered; `source` names the feed. `plan` is the ref
    of the advice behind it, `planned_entry` and `planned_stop` its levels, `planned_risk` the money
    between them as the card showed it.
    """

    portfolio_id: str
    pnl: Decimal | None
    source: str
    proposal_id: str
    run_id: str
    conversation_id: str
    plan: str
    planned_entry: Decimal
    planned_stop: Decimal
    planned_risk: Decimal


def execution_summary(facts: ExecutionFacts) -> str:
    """Return the one sentence that an execution is shown as; pure."""
    verb = "Bought" if facts["side"] == "buy" else "Sold"
    said = (
        f"{verb} {decimal_text(facts['quantity'])} {facts['symbol']} at "
        f"{decimal_text(facts['price'])} {facts['currency']}, "
        f"commission {decimal_text(facts['commission'])}."
    )
    pnl = facts.get("pnl")
    if pnl is not None:
        said += f" Realised {decimal_text(pnl)} {facts['currency']}."
    return " ".join([said, *_plan_summary(facts)])


def _plan_summary(facts: ExecutionFacts) -> list[str]:
    stop = facts.get("planned_stop")
    if stop is None:
        return []
    entry, risk = facts.get("planned_entry"), facts.get("planned_risk")
    told = [f"entry {decimal_text(entry)}"] if entry is not None else []
    told.append(f"stop {decimal_text(stop)}")
    told += [f"risk to the stop {risk:.2f} {facts['currency']}"] if risk is not None else []
    return [f"Plan: {', '.join(told)}."]
