"""Owns the invariants of the books: batches balance (I4), snapshots and reservations agree (I5)."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from services.kit.context import Context
from services.ledger.rebuild import check
from services.ledger.tables import ledger_batches, ledger_entries, reservations
from services.orders.order import OPEN, State
from services.orders.tables import order_intents
from services.proof.violation import Violation, Violations, all_rows

_HOLDING = (*OPEN, State.PRESUMED_NOT_ACCEPTED, State.DISPUTED)
"""States that may hold something back; a dispute keeps what it held until a person decides."""
"""States in which an order may hold cash or units back."""


def batches_balance(ctx: Context) -> Violations:
    """Yield I4: batches whose legs do not sum to zero per asset, and legs without a batch."""
    sums: dict[tuple[str, int], dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for leg in all_rows(ctx, ledger_entries):
        value = leg.quantity if leg.amount is None else leg.amount
        sums[leg.portfolio_id, leg.seq][leg.asset] += value
    known = {(row.portfolio_id, row.seq) for row in all_rows(ctx, ledger_batches)}
    for batch in sorted(known | sums.keys()):
        refs = (batch[0], str(batch[1]))
        if batch not in known or batch not in sums:
            yield Violation("I4", "a batch and its legs do not belong together", refs)
        for asset, total in sorted(sums[batch].items()):
            if total != 0:
                yield Violation("I4", f"a batch leaves {total} {asset}", refs)


def snapshots_are_the_fold(ctx: Context) -> Violations:
    """Yield I5: snapshots that differ from the entries, reservations that differ from orders."""
    for one in check(ctx):
        yield Violation(
            "I5",
            f"{one.what} says {one.stored}, the entries say {one.expected}",
            (one.portfolio_id, one.key),
        )
    yield from _reservations_are_open_orders(ctx)


def _reservations_are_open_orders(ctx: Context) -> Violations:
    orders = {row.id: row for row in all_rows(ctx, order_intents)}
    held = {row.order_id: row for row in all_rows(ctx, reservations)}
    for order_id in held:
        if order_id not in orders or orders[order_id].state not in _HOLDING:
            yield Violation("I5", "a reservation without an open order", (order_id,))
    for order in orders.values():
        if order.state not in OPEN:
            continue
        mine = held.get(order.id)
        if mine is None:
            yield Violation("I5", "an open order holds nothing back", (order.id,))
        elif order.side == "sell" and mine.quantity != order.quantity - order.filled_quantity:
            yield Violation("I5", "an open sale holds back other units than remain", (order.id,))
        elif order.side == "buy" and mine.cash <= 0:
            yield Violation("I5", "an open buy holds back no cash", (order.id,))
