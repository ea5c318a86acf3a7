"""Owns the words of a backtest: its summary, and one plain paragraph that claims no more."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from services.kit.money import decimal_text, rounded
from services.research.breakdown import ENOUGH
from services.research.report import Report

ZERO = Decimal(0)


def summary_of(report: Report) -> dict[str, Any]:
    """Return the figures that a list or an answer shows, as a document."""
    figures, r = report.performance, report.r
    return {
        "trades": len(report.trades),
        "expectancy_r": r.expectancy_r if r else None,
        "win_rate": r.win_rate if r else None,
        "sqn": r.sqn if r else None,
        "max_drawdown_r": r.max_drawdown_r if r else None,
        "total_return": figures.total_return,
        "max_drawdown": figures.max_drawdown,
        "profit_factor": figures.trades.profit_factor,
        "ambiguous": report.ambiguity.n,
        "expectancy_low_r": report.ambiguity.low_r,
        "expectancy_high_r": report.ambiguity.high_r,
        "trials": report.trials,
        "flags": list(report.flags),
        "by_setup": [
            {
                "setup_id": row.setup_id,
                "n": row.n,
                "enough": row.enough,
                "win_rate": row.win_rate,
                "expectancy_r": row.expectancy_r,
            }
            for row in report.by_setup
        ],
    }


def words_of(name: str, summary: Mapping[str, Any]) -> str:
    """Return what a backtest says in a few sentences; few trades are called not enough.

    `summary` may be a stored document: its numbers are texts.
    """
    n = summary["trades"]
    if not n:
        return f"{name}: no trade."
    mean, rate = _number(summary, "expectancy_r"), _number(summary, "win_rate")
    mean_words = f"expectancy {decimal_text(rounded(mean, 3))} R after costs"
    said = [f"{name}: {n} trades, {_percent(rate)} won, {mean_words}."]
    if n < ENOUGH:
        said.append(f"Fewer than {ENOUGH} trades: not enough data to judge.")
    elif mean <= 0:
        said.append("No edge in this history.")
    if summary.get("max_drawdown_r") is not None:
        worst = rounded(_number(summary, "max_drawdown_r"), 1)
        said.append(f"Deepest fall {decimal_text(worst)} R.")
    if "AMBIGUITY_MATERIAL" in summary["flags"]:
        said.append("The sign depends on the order of touches inside bars.")
    if "SURVIVORSHIP" in summary["flags"]:
        said.append("The symbols were chosen knowing how they ended, which flatters.")
    return " ".join(said)


def _number(summary: Mapping[str, Any], name: str) -> Decimal:
    value = summary.get(name)
    return ZERO if value is None else Decimal(str(value))


def _percent(share: Decimal) -> str:
    return f"{decimal_text(rounded(share * 100, 1))} %"
