"""Owns what is really so about a person's orders and cards, in the words of a sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from services.kit.context import Context
from services.kit.money import decimal_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """One order: enough of it to judge a sentence about it."""

    order_id: str
    symbol: str
    side: str
    quantity: Decimal
    filled_quantity: Decimal
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One proposal that waits for the person, or was decided lately."""

    proposal_id: str
    symbol: str
    side: str
    quantity: Decimal | None
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reality:
    """Orders, cards and holdings of the acting person, as the rows say now.

    `changed` are the tools that changed something in this run, such as `journal_add`; `watched`
    are the symbols of the person's watchlists, which no tool can change.
    """

    deals: tuple[Deal, ...] = ()
    cards: tuple[Card, ...] = ()
    held: tuple[tuple[str, Decimal], ...] = ()
    changed: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()


Look = Callable[[Context], Reality]
"""How the coach learns what is so; wired by the application."""


def true_sentence(reality: Reality) -> str:
    """Return one plain sentence on where the newest order or card stands."""
    waiting = [card for card in reality.cards if card.status == "pending"]
    if waiting:
        card = waiting[-1]
        return (
            f"Nothing has been executed by me: the card to {_terms(card)} waits for your "
            "confirmation."
        )
    if reality.deals:
        deal = reality.deals[-1]
        return (
            f"What the records say: the order to {deal.side} {decimal_text(deal.quantity)} "
            f"{deal.symbol} is {deal.state.lower().replace('_', ' ')}, "
            f"{decimal_text(deal.filled_quantity)} filled."
        )
    return "Nothing was executed or changed; only your confirmation of a card can do that."


def _terms(card: Card) -> str:
    quantity = "" if card.quantity is None else f"{decimal_text(card.quantity)} "
    return f"{card.side} {quantity}{card.symbol}".strip()
