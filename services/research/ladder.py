"""Owns the ladder: a position that leaves in parts at its targets, its stop following behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.research.bracket import Columns, Number, Reason, Terms, Walk, drill, hold, walk


class Step(NamedTuple):
    """One part of the position that left: which leg, at which bar and price, and why.

    Leg -1 is all that was left: by the stop or the time stop.
    """

    leg: int
    bar: int
    price: Number
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderOrder:
    """An entry, its targets nearest first, and the stops that follow each filled target.

    `terms` hold the entry and the first stop; their target is not read. `stops` names the stop
    after so many filled targets. `last_bar` is the bar at whose close the rest leaves.
    """

    terms: Terms
    targets: Sequence[Number]
    stops: Mapping[int, Number]
    last_bar: int | None = None


@dataclass(slots=True)
class Ladder:
    """How a ladder went; `steps` is empty while nothing left, `open` says that a part is held."""

    walk: Walk
    steps: list[Step] = field(default_factory=list)
    open: bool = False
    ambiguous: bool = False
    drilled: bool = False
    torn_leg: int = 0


def climb(
    order: LadderOrder, columns: Columns, first: int, *, inside: Mapping[int, Columns]
) -> Ladder:
    """Return how a ladder goes when its entry is live from bar `first` on.

    Each stretch between two targets is a bracket by the same rules. A stop that follows is live
    from the bar after its target; targets that one bar passes together fill together. `inside`
    holds the minutes of a bar, which judge it when it is ambiguous.
    """
    terms = order.terms._replace(target=order.targets[0])
    found = walk(_ending(terms, order, None), columns, first)
    if found.status in ("unfilled", "rejected"):
        return Ladder(found)
    bound = _ending(terms, order, found.entry_bar)
    found = walk(bound, columns, first)
    ladder = Ladder(found)
    while True:
        if found.status == "closed" and found.ambiguous:
            found = _judged(ladder, bound, columns, found, inside=inside)
        if found.status == "open":
            ladder.open = True
            return ladder
        if found.reason not in ("target", "target_gap"):
            ladder.steps.append(Step(-1, found.exit_bar, found.exit, found.reason or "stop"))
            return ladder
        _fill(ladder, order, columns, found)
        done = len(ladder.steps)
        if done == len(order.targets):
            return ladder
        bound = bound._replace(stop=order.stops.get(done, bound.stop), target=order.targets[done])
        at = found.exit_bar
        if order.last_bar is not None and at >= order.last_bar:
            ladder.steps.append(Step(-1, at, columns.c[at], "time"))
            return ladder
        left = None if order.last_bar is None else order.last_bar - at + 1
        found = hold(bound._replace(time_stop_bars=left), columns, ladder.walk.entry, at)


def _ending(terms: Terms, order: LadderOrder, entered: int | None) -> Terms:
    """Return the terms with the time stop counted from the bar of the entry."""
    if order.last_bar is None or entered is None:
        return terms._replace(time_stop_bars=None)
    return terms._replace(time_stop_bars=max(order.last_bar - entered + 1, 1))


def _judged(
    ladder: Ladder, bound: Terms, columns: Columns, found: Walk, *, inside: Mapping[int, Columns]
) -> Walk:
    minutes = inside.get(found.exit_bar)
    if minutes is not None:
        found = drill(bound, columns, found, minutes)
        ladder.drilled = True
    if found.ambiguous:
        ladder.ambiguous, ladder.torn_leg = True, len(ladder.steps)
    return found


def _fill(ladder: Ladder, order: LadderOrder, columns: Columns, found: Walk) -> None:
    """Take every target that the bar reached; one that it opened beyond fills at the open."""
    at, up = found.exit_bar, order.terms.up
    opens, far = columns.o[at], columns.h[at] if up else columns.l[at]
    first = len(ladder.steps)
    for leg in range(first, len(order.targets)):
        target = order.targets[leg]
        if leg > first and (far < target if up else far > target):
            return
        gapped = found.reason == "target_gap" and (opens > target if up else opens < target)
        ladder.steps.append(
            Step(leg, at, opens if gapped else target, "target_gap" if gapped else "target")
        )
