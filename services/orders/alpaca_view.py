"""Owns what a ticket at Alpaca says about each of its names; pure.

A changed order is a new order there, and a group is an entry with legs. So a ticket holds chains:
each from the order that was placed to the one that works now. Every order of a chain counts its
own fills, which the provider does not take along, so those of a chain are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.kit.money import rounded
from services.market.decode import Record
from services.orders.alpaca_answer import WORDS_MAX
from services.orders.bracket import find_entry_client_id
from services.orders.broker import BrokerLeg, BrokerStatus, BrokerTotal, BrokerView, Change
from services.orders.order import OrderType, Tif

_ZERO = Decimal(0)
_PRICE_PLACES = 8
_ENDS = (BrokerStatus.REJECTED, BrokerStatus.EXPIRED, BrokerStatus.CANCELLED)
"""How orders end short; of several ends of one name the first counts."""
_STATUSES = {
    "cancelled": BrokerStatus.CANCELLED,
    "expired": BrokerStatus.EXPIRED,
    "filled": BrokerStatus.FILLED,
    "rejected": BrokerStatus.REJECTED,
}
"""Standings by the decoder's word. A word that is not here says nothing of an end: still open."""
Chain = tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket of ours: the chain of its first order, and a chain for each of its legs."""

    first: Chain
    legs: tuple[Chain, ...] = ()

    @property
    def has_exits(self) -> bool:
        """Return True for an entry whose exits went with it."""
        return bool(self.legs) and self.first[0]["class"] in ("oto", "otoco")


def chains_of(name: str, ticket: Ticket) -> tuple[Chain, ...]:
    """Return the orders that one name stands for: an entry, its exits, or both sides of an OCO."""
    if is_exit(name, ticket):
        return ticket.legs
    alone = ticket.first[0]["class"] == "oco"
    return (ticket.first, *ticket.legs) if alone else (ticket.first,)


def is_exit(name: str, ticket: Ticket) -> bool:
    """Return True when the name means the exits that went with the ticket's entry."""
    entry = find_entry_client_id(name)
    return entry is not None and entry == ticket.first[0]["client_order_id"] and ticket.has_exits


def is_open(chain: Chain) -> bool:
    """Return True while an order may still trade."""
    return status_of(chain) is BrokerStatus.OPEN


def status_of(chain: Chain) -> BrokerStatus:
    """Return how an order stands; `filled` with a count short of its quantity is still open."""
    status = _STATUSES.get(chain[-1]["status"], BrokerStatus.OPEN)
    if status is BrokerStatus.FILLED and _filled(chain) < (chain[0]["quantity"] or _ZERO):
        return BrokerStatus.OPEN
    return status


def find_fault(ticket: Ticket) -> str:
    """Return what is broken of a group that should stand whole; empty when nothing is."""
    exits = ticket.legs if ticket.has_exits else (ticket.first, *ticket.legs)
    refused = [chain[-1] for chain in exits if status_of(chain) is BrokerStatus.REJECTED]
    if not ticket.legs or not refused or not any(is_open(chain) for chain in exits):
        return ""
    return f"the {refused[0]['type']} of the exits was refused: {refused[0]['reason'] or '-'}"


def build_view(name: str, ticket: Ticket, *, now: datetime, provenance: str) -> BrokerView:
    """Return what a ticket says about one of its names.

    Of several orders that exclude each other the fills are one total. They are open while one of
    them is, filled when their units in all reach the quantity, else ended as they did. The
    broker's id is that of the order first placed, whatever it was changed into.
    """
    chains = chains_of(name, ticket)
    ids = [chain[0]["broker_order_id"] for chain in chains]
    said = [str(one["reason"]) for chain in chains for one in chain if one["reason"]]
    return BrokerView(
        client_order_id=name,
        broker_order_id=min(ids) if is_exit(name, ticket) else ids[0],
        status=_status(chains),
        reason="; ".join(dict.fromkeys(said))[:WORDS_MAX],
        total=_total(chains, now=now, provenance=provenance),
        legs=tuple(_leg(chain) for chain in chains) if len(chains) > 1 else (),
        terms=_terms(chains),
    )


def _status(chains: Sequence[Chain]) -> BrokerStatus:
    wanted = max(chain[0]["quantity"] or _ZERO for chain in chains)
    if 0 < wanted <= sum((_filled(chain) for chain in chains), _ZERO):
        return BrokerStatus.FILLED
    found = [status_of(chain) for chain in chains]
    if any(one not in _ENDS for one in found):
        return BrokerStatus.OPEN
    return next(one for one in _ENDS if one in found)


def _filled(chain: Chain) -> Decimal:
    return sum((one["filled_quantity"] or _ZERO for one in chain), _ZERO)


def _total(chains: Sequence[Chain], *, now: datetime, provenance: str) -> BrokerTotal | None:
    """Return the sum of all fills at their weighted average, 8 decimals half-even.

    Worked: 4 at 210.00 and 6 at 185.00 are 10 at 195.00.
    """
    made = [one for chain in chains for one in chain if (one["filled_quantity"] or _ZERO) > 0]
    if not made:
        return None
    quantity = sum((one["filled_quantity"] for one in made), _ZERO)
    spent = sum((one["filled_quantity"] * (one["avg_fill_price"] or _ZERO) for one in made), _ZERO)
    return BrokerTotal(
        quantity=quantity,
        price=rounded(spent / quantity, _PRICE_PLACES),
        at=max(one["updated_at"] or one["created_at"] or now for one in made),
        provenance=provenance,
    )


def _leg(chain: Chain) -> BrokerLeg:
    first, last = chain[0], chain[-1]
    return BrokerLeg(
        broker_order_id=first["broker_order_id"],
        symbol=first["osi"] or first["symbol"] or "",
        side=first["side"] or "",
        type=first["type"] or "",
        status=status_of(chain),
        quantity=first["quantity"] or _ZERO,
        filled=_filled(chain),
        reason=(last["reason"] or "")[:WORDS_MAX],
    )


def _terms(chains: Sequence[Chain]) -> Change | None:
    """Return at what a single order stands, where it is one that our books could have placed."""
    last = chains[0][-1]
    stops = last["type"] in ("stop", "stop_limit")
    named = last["stop_price"] if stops else last["limit_price"]
    if len(chains) > 1 or named is None or last["tif"] not in ("day", "gtc"):
        return None
    return Change(
        type=OrderType.STOP if stops else OrderType.LIMIT,
        tif=Tif(last["tif"]),
        limit_price=last["limit_price"] if last["type"] in ("limit", "stop_limit") else None,
        stop_price=last["stop_price"] if stops else None,
    )
