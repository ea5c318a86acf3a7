"""Owns the meaning of batches: the pure fold of posted batches into cash, positions and trades."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from services.kit.errors import check, refuse
from services.ledger.position import (
    FLAT,
    ZERO,
    Position,
    Terms,
    acquire,
    relieve,
    require_sound,
    split,
)
from services.ledger.posting import Leg, cash_effect, cost_effect, position_effect, require_balanced


@dataclass(frozen=True, slots=True)
class PostedBatch:
    """A batch as it stands in the book: its place, its kind and its legs."""

    seq: int
    kind: str
    key: str
    effective_at: datetime
    legs: tuple[Leg, ...]
    reverses_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one batch did to one listing; `relieved` is the cost that left, `proceeds` its price."""

    listing: str
    before: Position
    after: Position
    relieved: Decimal = ZERO
    proceeds: Decimal = ZERO

    @property
    def sold(self) -> Decimal:
        """Return the units that left, 0 when units came."""
        return max(ZERO, self.before.quantity - self.after.quantity)

    @property
    def pnl(self) -> Decimal:
        """Return the realised profit or loss: proceeds less fees less relieved cost."""
        return self.proceeds - self.relieved


def apply(position: Position, batch: PostedBatch, terms: Terms) -> Change | None:
    """Return what `batch` does to the one position that it moves, or None when it moves none.

    Reversals are not for here: they restore an earlier state (`Book.take`).
    Raises `INSUFFICIENT_POSITION`.
    """
    check(batch.kind != "REVERSAL", "a reversal is folded over the history", seq=batch.seq)
    effect = position_effect(batch.legs)
    if not effect:
        return None
    check(len(effect) == 1, "a batch moves one listing", seq=batch.seq)
    [(listing, units)] = effect.items()
    if batch.kind == "SPLIT":
        after, relieved = split(position, position.quantity + units, seq=batch.seq)
        return Change(
            listing, position, after, relieved, cash_effect(batch.legs).get(terms.base, ZERO)
        )
    cost = cost_effect(batch.legs, terms.base)
    if units > 0:
        after = acquire(
            position, units, cost, seq=batch.seq, at=batch.effective_at, method=terms.method
        )
        return Change(listing, position, after)
    after, relieved = relieve(position, -units, terms)
    return Change(listing, position, after, relieved, -cost)


def require_following(batch: PostedBatch, change: Change) -> None:
    """Check that a change moves exactly the units of the batch's legs and leaves a sound state."""
    require_sound(change.after)
    moved = change.after.quantity - change.before.quantity
    check(
        position_effect(batch.legs) == {change.listing: moved},
        "units follow the legs",
        seq=batch.seq,
        moved=moved,
    )


@dataclass(slots=True)
class Book:
    """The state that a sequence of batches leads to; `take` adds one batch after the other."""

    terms: Terms
    cash: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Position] = field(default_factory=dict)
    changes: list[tuple[PostedBatch, Change]] = field(default_factory=list)
    last_seq: int = 0
    _history: dict[str, list[tuple[int, Position]]] = field(default_factory=dict)

    def take(self, batch: PostedBatch) -> Change | None:
        """Fold one batch in and return what it did to a position.

        Raises `BATCH_UNBALANCED`, and `REVERSAL_BLOCKED` for a reversal of a batch that is not
        the latest of its listing.
        """
        require_balanced(batch.key, batch.legs)
        check(batch.seq > self.last_seq, "batches come in order", seq=batch.seq)
        change = self._reverse(batch) if batch.kind == "REVERSAL" else self._advance(batch)
        for currency, amount in cash_effect(batch.legs).items():
            self.cash[currency] = self.cash.get(currency, ZERO) + amount
        if change is not None:
            require_following(batch, change)
            self.positions[change.listing] = change.after
            self.changes.append((batch, change))
        self.last_seq = batch.seq
        return change

    def _advance(self, batch: PostedBatch) -> Change | None:
        listing = next(iter(position_effect(batch.legs)), "")
        change = apply(self.positions.get(listing, FLAT), batch, self.terms)
        if change is not None:
            self._history.setdefault(listing, []).append((batch.seq, change.before))
        return change

    def _reverse(self, batch: PostedBatch) -> Change | None:
        listing = next(iter(position_effect(batch.legs)), "")
        if not listing:
            return None
        history = self._history.get(listing, [])
        if not history or history[-1][0] != batch.reverses_seq:
            raise refuse(
                "REVERSAL_BLOCKED",
                seq=batch.reverses_seq,
                reason="a later batch moved the same listing",
            )
        _, restored = history.pop()
        return Change(listing, self.positions[listing], restored)


def fold(batches: Iterable[PostedBatch], terms: Terms) -> Book:
    """Return the book after `batches`, in order of their sequence numbers."""
    book = Book(terms)
    for batch in batches:
        book.take(batch)
    return book
