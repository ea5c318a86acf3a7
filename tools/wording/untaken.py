"""Owns how advice that was not taken is told in words."""

from __future__ import annotations

from services.research.untaken import NOT_TAKEN, FateSum, NotTaken, Untaken

ROWS_MAX = 5


def untaken_words(found: NotTaken) -> str:
    """Return the sums of what was not taken, then the newest of it, then what was taken."""
    left = [one for one in found.sums if one.fate in NOT_TAKEN]
    if not left:
        return "Nothing that I suggested was left untaken so far."
    lines = ["What you did not take, followed by its own entry, stop and first target:"]
    lines += [_sum(one) for one in found.sums if one.fate in NOT_TAKEN or one.fate == "taken"]
    return "\n".join([*lines, *(_row(one) for one in found.rows[:ROWS_MAX])])


def _sum(one: FateSum) -> str:
    replayed = "" if one.real else " on replayed prices"
    if one.mean_r is None:
        return f"- {one.fate}: {one.n}, none ended as a trade{replayed}."
    return f"- {one.fate}: {one.n}, {one.ended} ended{replayed}, {one.sum_r:f} R in all."


def _row(one: Untaken) -> str:
    came = f"{one.state}, {one.r:f} R" if one.r is not None else one.state.replace("_", " ")
    why = f" ({one.why})" if one.why else ""
    return f"- {one.symbol} {one.side}, {one.fate}{why}: {came}."
