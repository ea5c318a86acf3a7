"""Owns the rows and words of actions on positions: cards, checklist, kept stop, hedge."""

from __future__ import annotations

from typing import Any

from services.kit.money import decimal_text
from services.orders.position_actions import Acted
from services.orders.proposal import Proposal, summary
from services.research.hedge import HedgeView
from services.trade.position_check import Check
from services.trade.wording import price_words
from tools.registry import cite, cite_stored
from tools.wording.figures import Cents, Exact, Moment, Row

_LINES_MAX = 12


class CardRow(Row):
    """One pending card, in the order to confirm them. It holds no token."""

    proposal_id: str
    version: int
    kind: str
    symbol: str
    side: str
    quantity: Exact
    type: str
    stop_price: Exact | None
    target_order_id: str | None
    expires_at: Moment


class CheckRow(Row):
    """One line of the checklist: `value` is held against `limit`, both from `source`."""

    symbol: str
    name: str
    verdict: str
    text: str
    value: Exact | None
    limit: Exact | None
    source: str


class SkippedRow(Row):
    """A position without a card, and why."""

    symbol: str
    code: str
    why: str


class HedgeRow(Row):
    """A suggested put; it is not an order."""

    contract: str
    expiry: str
    strike: Exact
    bid: Exact | None
    ask: Exact | None
    delta: Exact
    contracts: Exact
    covered: Exact
    uncovered: Exact
    cost: Cents
    cost_pct: Exact
    floor_loss: Cents


def acted_fields(done: Acted) -> dict[str, Any]:
    """Return the fields of the result of an action that makes cards."""
    quotes = {one.order.symbol: one for one in done.cards if one.quote}
    return {
        "action": done.action,
        "symbol": done.symbol,
        "cards": tuple(_card_row(one) for one in done.cards),
        "checks": tuple(CheckRow.model_validate(one) for one in done.checks),
        "stop": done.stop,
        "before": done.before,
        "step": done.step,
        "skipped": tuple(SkippedRow.model_validate(one) for one in done.skipped),
        "summary": _acted_words(done),
        "source": tuple(
            cite_stored("quotes", one.quote, symbol=symbol) for symbol, one in quotes.items()
        ),
    }


def hedge_fields(found: HedgeView) -> dict[str, Any]:
    """Return the fields of the result of a hedge."""
    chain = found.chain
    cited = (
        ()
        if chain is None
        else (cite("option chain", chain, symbol=found.symbol, as_of=chain.as_of),)
    )
    return {
        "action": "hedge",
        "symbol": found.symbol,
        "checks": tuple(CheckRow.model_validate(one) for one in found.checks),
        "step": found.todo,
        "hedge": _hedge_row(found),
        "summary": _hedge_words(found),
        "source": cited,
    }


def _card_row(made: Proposal) -> CardRow:
    """Return a card as a row."""
    order = made.order
    return CardRow(
        proposal_id=made.id,
        version=made.version,
        kind=made.kind,
        symbol=order.symbol,
        side=order.side.value,
        quantity=order.quantity,
        type=order.type.value,
        stop_price=order.stop_price,
        target_order_id=made.target_order_id,
        expires_at=made.expires_at,
    )


def _hedge_row(found: HedgeView) -> HedgeRow | None:
    """Return the suggested put as a row, or None without one."""
    if found.pick is None or found.hedge is None:
        return None
    contract, made = found.pick.contract, found.hedge
    return HedgeRow(
        contract=contract.symbol,
        expiry=contract.expiry.isoformat(),
        strike=contract.strike,
        bid=contract.bid,
        ask=contract.ask,
        delta=found.pick.ranked.contract.delta,
        contracts=made.contracts,
        covered=made.covered,
        uncovered=made.uncovered,
        cost=made.cost,
        cost_pct=made.cost_pct,
        floor_loss=made.floor_loss,
    )


def _acted_words(done: Acted) -> str:
    """Return what was prepared, what is kept, what is next, and the checklist line by line."""
    parts = []
    if done.stop is not None:
        since = "" if done.before is None else f" (it was {price_words(done.before)})"
        parts.append(
            f"The protective stop of {done.symbol} is kept at {price_words(done.stop)}{since}; "
            "kept is not placed: nothing is sold by it unless a stop order works."
        )
    if done.cards:
        parts.append(f"Prepared, in this order: {'; '.join(summary(one) for one in done.cards)}.")
    parts += [f"No card for {one.symbol}: {one.why}." for one in done.skipped]
    if done.step:
        parts.append(f"{done.step[0].upper()}{done.step[1:]}.")
    return "\n\n".join([*parts, _check_words(done.checks)])


def _check_words(checks: tuple[Check, ...]) -> str:
    """Return the checklist, a line each; of many positions only what is no pass."""
    told = checks
    if len(checks) > _LINES_MAX:
        told = tuple(one for one in checks if one.verdict != "pass")[:_LINES_MAX]
    named = len({one.symbol for one in checks}) > 1
    lines = [
        f"- {one.symbol + ' ' if named else ''}{one.name}: {one.verdict}, {one.text}"
        for one in told
    ]
    return "\n".join(["Checklist:", "", *lines])


def _hedge_words(found: HedgeView) -> str:
    """Return the suggested put, or why there is none."""
    if found.pick is None or found.hedge is None:
        return f"No hedge for {found.symbol}: {found.reason}. {found.todo}"
    contract, made = found.pick.contract, found.hedge
    head = (
        f"For {found.symbol}: buy {decimal_text(made.contracts)} put {contract.symbol}, strike "
        f"{price_words(contract.strike)}, expiry {contract.expiry.isoformat()}, asked "
        f"{price_words(contract.ask or contract.strike)}: {made.cost:.2f} in all, "
        f"{decimal_text(made.cost_pct)}% of what it covers. A suggestion, no card: {found.todo}."
    )
    return f"{head}\n\n{_check_words(found.checks)}"
