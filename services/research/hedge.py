"""Owns suggesting a hedge of a position: the best protective put and what it would cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.kit.context import Context
from services.kit.money import decimal_text
from services.market.chain import Chain
from services.orders.position_facts import get_position
from services.research.option_pick import OptionPick, OptionPicks, pick_options
from services.trade.position_action import Hedge, PositionFacts, build_hedge
from services.trade.position_check import Check, open_risk

_ONLY_SHARES = "orders for options can not be prepared here, so place it at your broker"


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeView:
    """A suggested put for a position, or why there is none; it is never an order.

    `todo` says what the person may do instead, or how to go on.
    """

    symbol: str
    chain: Chain | None
    pick: OptionPick | None = None
    hedge: Hedge | None = None
    checks: tuple[Check, ...] = ()
    reason: str = ""
    todo: str = ""


def suggest_hedge(ctx: Context, symbol: str) -> HedgeView:
    """Return the best put of the option screen's `protective_put` for what is held of `symbol`.

    Raises `POSITION_NONE`, `DQ_BLOCK`, `PROVIDER_*`.
    """
    facts = get_position(ctx, symbol).facts
    if facts.side != "long":
        return _none(facts, "it is a short position; a put protects a long one")
    found = pick_options(ctx, facts.symbol, "protective_put")
    if found.absence is not None:
        return _none(facts, found.absence.why, found.absence.todo)
    if not found.picks:
        return _none(facts, _no_pick(found), "Ask for the options, or move the stop nearer.")
    best = found.picks[0]
    made = _sized(facts, best)
    if made is None:
        per = decimal_text(best.contract.multiplier or Decimal(0))
        return _none(
            facts, f"one put covers {per} units and {decimal_text(facts.quantity)} are held"
        )
    return HedgeView(
        symbol=facts.symbol,
        chain=found.chain,
        pick=best,
        hedge=made,
        checks=_checks(facts, best, made, found),
        todo=_ONLY_SHARES,
    )


def _none(
    facts: PositionFacts, why: str, todo: str = "Move the stop nearer, or trim."
) -> HedgeView:
    return HedgeView(symbol=facts.symbol, chain=None, reason=why, todo=todo)


def _no_pick(found: OptionPicks) -> str:
    if not found.expiries:
        return "no expiry with puts lies within the days of a protective put"
    return "no put passes the screen of days, delta, open interest, volume and spread"


def _sized(facts: PositionFacts, best: OptionPick) -> Hedge | None:
    contract = best.contract
    if contract.ask is None or not contract.multiplier:
        return None
    return build_hedge(
        facts, strike=contract.strike, ask=contract.ask, multiplier=contract.multiplier
    )


def _checks(
    facts: PositionFacts, best: OptionPick, made: Hedge, found: OptionPicks
) -> tuple[Check, ...]:
    """Return the checklist of a hedge: its expiry, what it covers, what it bounds, its data."""
    contract, chain = best.contract, found.chain
    days = Decimal((contract.expiry - found.as_of.date()).days)
    before = open_risk(facts, made.covered, None)
    earnings = "EVENT_RISK" in best.flags
    real = chain is not None and str(chain.provenance) == "LIVE"
    told = "" if chain is None else str(chain.provenance)
    ends = f"it ends in {decimal_text(days)} days"
    ends += "; earnings lie before that" if earnings else ""
    covers = f"{decimal_text(made.contracts)} contracts cover {decimal_text(made.covered)} units"
    covers += f", {decimal_text(made.uncovered)} stay uncovered"
    loses = f"the covered units then lose at most {made.floor_loss:.2f} {facts.currency}"
    loses += f", the {made.cost:.2f} for the put among it"
    rows = (
        ("plan", not earnings, ends, days, None),
        ("size", made.uncovered == 0, covers, made.covered, facts.quantity),
        ("risk", made.floor_loss < before, loses, made.floor_loss, before),
        ("data", real, f"the chain is {told}", None, None),
    )
    source = "option screen" if chain is None else chain.source
    return tuple(
        Check(
            symbol=facts.symbol,
            name=name,
            verdict="pass" if good else "warn",
            text=text,
            value=value,
            limit=limit,
            source=source,
        )
        for name, good, text, value, limit in rows
    )
