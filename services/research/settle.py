"""Owns what became of a suggestion: entered or not, then target 1, stop or time stop first."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from services.kit.errors import check
from services.market.bar import Bar
from services.research.bracket import Bracket, BracketOrder, EntryKind, Ohlc, Side, run_bracket

State = Literal[
    "waiting", "open", "target", "stop", "time", "unfilled", "gapped", "through_stop", "invalidated"
]
ENTERED: tuple[State, ...] = ("target", "stop", "time")
"""Ends of a trade."""
NO_TRADE: tuple[State, ...] = ("unfilled", "gapped", "through_stop", "invalidated")
"""Ends of a suggestion that never became a trade."""
GAP_R = Decimal("0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """The levels of a suggestion: `entry` is the order's price, None at the market.

    `worst` is the entry that R is measured from, `entry_until` ends the entry (exclusive),
    `ends_at` is the time stop, and a close beyond `invalid_at` before the entry ends the idea.
    """

    side: Side
    entry_kind: EntryKind
    entry: Decimal | None
    worst: Decimal
    stop: Decimal
    target: Decimal
    entry_until: datetime
    ends_at: datetime
    invalid_at: Decimal | None = None

    @property
    def sign(self) -> int:
        """Return +1 for a long, -1 for a short."""
        return 1 if self.side == "long" else -1

    @property
    def distance(self) -> Decimal:
        """Return 1 R: the way from the worst entry to the stop."""
        return abs(self.worst - self.stop)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How it ended; R is that of the suggestion, not of the actual fill, all unrounded.

    `r` is the move to target, stop or time stop; `mfe_free_r` and `free_r` are those of the run
    without a target, `free_ended` whether that run is over. `ambiguous`: stop and target lay in
    one bar, and the stop counts.
    """

    state: State
    entry: Decimal | None = None
    entered_at: datetime | None = None
    exit: Decimal | None = None
    ended_at: datetime | None = None
    r: Decimal | None = None
    mae_r: Decimal | None = None
    mfe_free_r: Decimal | None = None
    free_r: Decimal | None = None
    free_ended: bool = False
    ambiguous: bool = False


def settle(suggested: Suggested, bars: Sequence[Bar]) -> Settled:
    """Return what became of a suggestion on the bars that opened since it was made, ascending.

    An entry more than 0.5 R beyond the worst price, beyond the stop, or after a close that ends
    the idea is no trade. R counts from the worst entry, where the targets were drawn from: a
    better fill would flatter the record. Stop first when a bar holds both.
    Worked: long from 100, stop 98, target 102 on a bar of 100, 102, 99.5, 101 is `target`, 1 R.
    """
    rows = bars[: bisect_right(bars, suggested.ends_at, key=lambda bar: bar.t_close)]
    live = bisect_left(rows, suggested.entry_until, key=lambda bar: bar.t_open)
    known = _reaches(bars, suggested.ends_at)
    over = known or _reaches(bars, suggested.entry_until)
    if not live:
        return Settled(state="unfilled" if over else "waiting")
    order = BracketOrder(
        side=suggested.side,
        entry_kind=suggested.entry_kind,
        entry_price=suggested.entry,
        stop=suggested.stop,
        entry_bars_max=live,
    )
    prices = [Ohlc(bar.o, bar.h, bar.l, bar.c) for bar in rows]
    first = run_bracket(order, prices)
    refused = _no_trade(suggested, first, rows[:live], over=over)
    if refused is not None:
        return refused
    check(first.entry_bar is not None, "what is a trade was entered")
    if known:
        order = replace(order, time_stop_bars=len(rows) - (first.entry_bar or 0))
    ran = run_bracket(replace(order, target=suggested.target), prices)
    return _settled(suggested, ran, run_bracket(order, prices), rows)


def _reaches(bars: Sequence[Bar], moment: datetime) -> bool:
    return bool(bars) and bars[-1].t_close >= moment


def _no_trade(
    suggested: Suggested, first: Bracket, waited: Sequence[Bar], *, over: bool
) -> Settled | None:
    """Return why there is no trade (yet), or None when there is one."""
    before = waited if first.entry_bar is None else waited[: first.entry_bar]
    limit, sign = suggested.invalid_at, suggested.sign
    if limit is not None:
        lost = next((bar for bar in before if sign * (bar.c - limit) < 0), None)
        if lost is not None:
            return Settled(state="invalidated", ended_at=lost.t_close)
    if first.status == "rejected":
        return Settled(state="through_stop", ended_at=waited[len(before)].t_open)
    if first.entry is None:
        return Settled(state="unfilled" if over else "waiting")
    if sign * (first.entry - suggested.worst) > GAP_R * suggested.distance:
        return Settled(state="gapped", entry=first.entry, ended_at=waited[len(before)].t_open)
    return None


def _settled(suggested: Suggested, ran: Bracket, free: Bracket, rows: Sequence[Bar]) -> Settled:
    at = ran.entry_bar or 0
    best = _in_r(suggested, free, free.mfe_r)
    found = Settled(
        state="open",
        entry=ran.entry,
        entered_at=rows[at].t_open,
        mfe_free_r=None if best is None else max(best, Decimal(0)),
        free_r=_in_r(suggested, free, free.r),
        free_ended=free.status == "closed",
    )
    if ran.exit_bar is None or ran.reason is None:
        return found
    return replace(
        found,
        state=_STATES[ran.reason],
        exit=ran.exit,
        ended_at=rows[ran.exit_bar].t_close,
        r=_in_r(suggested, ran, ran.r),
        mae_r=_in_r(suggested, ran, ran.mae_r),
        ambiguous=ran.ambiguous,
    )


_STATES: dict[str, State] = {
    "target": "target",
    "target_gap": "target",
    "stop": "stop",
    "stop_gap": "stop",
    "time": "time",
}


def _in_r(suggested: Suggested, bracket: Bracket, of_fill: Decimal | None) -> Decimal | None:
    """Return a move in R of the actual fill as one in R of the suggestion."""
    if of_fill is None or bracket.entry is None:
        return None
    moved = of_fill * abs(bracket.entry - suggested.stop)
    return (moved + suggested.sign * (bracket.entry - suggested.worst)) / suggested.distance
