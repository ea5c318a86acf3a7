"""Owns how the coach's own score is told in words."""

from __future__ import annotations

from decimal import Decimal

from services.kit.money import rounded
from services.research.score import Scoreboard, SetupScore

_HUNDRED = Decimal(100)
LINES_MAX = 8


def score_words(board: Scoreboard) -> str:
    """Return the scoreboard in plain English: counts, then each kind, then the calibration."""
    if not board.total:
        return (
            "There is no suggestion yet. Each plan is followed to its first target, its stop or "
            "its time stop, and counted here."
        )
    waiting = board.states.get("waiting", 0) + board.states.get("open", 0)
    bare = board.states.get("not_followed", 0)
    head = f"{board.total} suggestions: {board.ended} ended, {waiting} still followed"
    lines = [f"{head}, {bare} without levels to follow."]
    ended = [one for one in board.by_setup if one.ended]
    lines += [_line(one) for one in ended[:LINES_MAX]]
    if len(ended) > LINES_MAX:
        lines.append(f"- and {len(ended) - LINES_MAX} more kinds")
    return "\n".join([*lines, *_calibration(board)])


def _line(one: SetupScore) -> str:
    stated = "" if one.stated is None else f", stated {_percent(one.stated)}"
    rate = "" if one.hit_rate is None else f" ({_percent(one.hit_rate)})"
    few = "" if one.enough else "; too few to judge"
    replayed = "" if one.real else " on replayed prices"
    return f"- {one.key}: {one.hits} of {one.ended} reached target 1{rate}{stated}{replayed}{few}."


def _calibration(board: Scoreboard) -> list[str]:
    if board.brier is None or board.reference is None or board.ece is None:
        return ["No ended suggestion had a confidence stated."]
    better = "better" if board.brier < board.reference else "not better"
    head = f"Over {board.stated_n} stated chances the Brier score is {board.brier:f}, {better} than"
    return [f"{head} the base rate's {board.reference:f}; calibration error {board.ece:f}."]


def _percent(share: Decimal) -> str:
    return f"{rounded(share * _HUNDRED, 1):f} %"
