"""Owns gap risk: how prices jumped over past nights, and how often beyond a stop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from services.kit.money import from_float
from services.strategy.view import Side, View

GAPS = 60
GAPS_MIN = 20


@dataclass(frozen=True, slots=True)
class GapRisk:
    """Spread of the overnight gaps, the share beyond the stop, the mean gap in R, and their count.

    Null with fewer than 20 nights. 6 decimals, the mean in R 4.
    """

    sigma_gap: Decimal | None
    p_gap_through_stop: Decimal | None
    expected_gap_r: Decimal | None
    n: int


def gap_risk(days: View, side: Side, *, worst: Decimal, stop: Decimal) -> GapRisk:
    """Return the gap risk of a position over night, from the last 60 gaps ln(open / close before).

    A gap goes through the stop when it is at least as far against the position as the stop is
    from the worst entry. `expected_gap_r` is the mean size of a gap over that distance.
    Worked: opens 1 % up and 1 % down in turn with a stop 0.5 % away go through half the time.
    """
    gaps = days.read.gaps(GAPS)
    if len(gaps) < GAPS_MIN:
        return GapRisk(None, None, None, len(gaps))
    mean = math.fsum(gaps) / len(gaps)
    spread = math.sqrt(math.fsum((gap - mean) * (gap - mean) for gap in gaps) / (len(gaps) - 1))
    room = abs(math.log(float(stop) / float(worst)))
    against = 1.0 if side == "short" else -1.0
    through = sum(1 for gap in gaps if against * gap >= room)
    size = math.fsum(abs(gap) for gap in gaps) / len(gaps)
    return GapRisk(
        from_float(spread),
        from_float(through / len(gaps)),
        from_float(size / room, 4) if room else None,
        len(gaps),
    )
