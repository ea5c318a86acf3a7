"""Owns the sentences about the book: what is held, what it is worth, how today went."""

from __future__ import annotations

from decimal import Decimal

from services.kit.money import decimal_text, rounded
from services.ledger.valuation import HeldValue, Valuation
from services.trade.wording import price_words


def book_sentence(worth: Valuation) -> str:
    """Return equity, today's result and cash, then a line per holding."""
    unit, cash = worth.currency, worth.cash
    head = f"Cash {cash.posted.amount:.2f} {unit}, of it {cash.available.amount:.2f} free"
    if worth.equity is not None and worth.day_pnl is not None:
        head = f"Equity {worth.equity:.2f} {unit}, {moved(worth.day_pnl)} today. {head}"
    return f"{head}. {held_sentence(worth)}"


def held_sentence(worth: Valuation) -> str:
    """Return a line per holding, or that nothing is held."""
    if not worth.holdings:
        return "You hold nothing."
    return "\n".join(["You hold:", "", *(held_line(one, worth.currency) for one in worth.holdings)])


def held_line(held: HeldValue, currency: str) -> str:
    """Return one holding as a line; without a price it says why there is none."""
    head = f"- {decimal_text(held.quantity)} {held.symbol} at {_cost(held.average_cost)} each"
    if held.last is None or held.market_value is None or held.unrealised is None:
        return f"{head}, no price ({held.missing})"
    return (
        f"{head}, last {price_words(held.last)}, worth {held.market_value:.2f} {currency}, "
        f"{moved(held.unrealised)} ({held.provenance})"
    )


def moved(change: Decimal) -> str:
    """Return a change in words. Worked: -3.4 is `down 3.40`, 0 is `unchanged`."""
    if not change:
        return "unchanged"
    return f"{'down' if change < 0 else 'up'} {abs(change):.2f}"


def _cost(value: Decimal) -> str:
    return price_words(rounded(value, 4))
