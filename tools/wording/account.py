"""Owns the sentences about an account: its fills line by line, and its balances."""

from __future__ import annotations

from services.kit.clock import instant_text
from services.kit.money import decimal_text
from services.ledger.portfolio import Account
from services.ledger.valuation import Valuation
from services.orders.store import FillView
from services.trade.wording import price_words
from tools.wording.book import moved

FILLS_TOLD = 8


def fills_sentence(found: list[FillView]) -> str:
    """Return the newest fills a line each, and how many there are when not all are told."""
    if not found:
        return "There are no fills yet."
    head = "1 fill:" if len(found) == 1 else f"The newest {len(found)} fills:"
    lines = [_fill_line(one) for one in found[:FILLS_TOLD]]
    rest = len(found) - len(lines)
    return "\n".join([head, "", *lines, *(["", f"And {rest} before."] if rest else [])])


def balances_sentence(account: Account, worth: Valuation) -> str:
    """Return equity, today's result and the cash: posted, held back by orders, and free."""
    cash, unit = worth.cash, worth.currency
    head = f"{account.mode} account at {account.broker}".capitalize()
    equity = "equity unknown while a price is missing"
    if worth.equity is not None:
        equity = f"equity {worth.equity:.2f} {unit}"
        equity += "" if worth.day_pnl is None else f", {moved(worth.day_pnl)} today"
    return (
        f"{head}: {equity}. Cash {cash.posted.amount:.2f} {unit}, of it "
        f"{cash.reserved.amount:.2f} held back by open orders and {cash.available.amount:.2f} free."
    )


def _fill_line(one: FillView) -> str:
    said = f"{one.side} {decimal_text(one.quantity)} {one.symbol} at {price_words(one.price)}"
    fee = f"commission {one.commission:.2f} {one.currency}"
    moment = instant_text(one.at)[:19].replace("T", " ")
    later = f", {one.corrected}" if one.corrected else ""
    return f"- {said}, {fee}{later}, {moment} UTC ({one.provenance}, `{one.order_id}`)"
