"""Owns the part of a report's page about test windows and what stated chances were worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from services.research.report_plot import Mark, bar_plot, line_plot

Table = Callable[[Sequence[str], Iterable[Sequence[Any]]], str]


def fold_sections(report: Mapping[str, Any], table: Table) -> Iterable[str]:
    """Yield the headings, tables and plots of a report that was asked for by folds; else none."""
    walked = report.get("walk_forward")
    if walked is None:
        return
    yield "<h2>Out of sample</h2><p>Each test window was run with what had been fitted before it. "
    yield "These figures alone say what the strategy does with what it has not seen.</p>"
    yield table(("figure", "value"), _figures(walked))
    points = walked["curve"]
    if points:
        values = [0.0, *(float(point["total_r"]) for point in points)]
        ends = (points[0]["ts"][:10], points[-1]["ts"][:10])
        yield line_plot("Sum of R over the test windows", values, ends)
    yield bar_plot(
        "Size of the expectancy by test window, in R; losses in red", _marks(walked["folds"])
    )
    yield "<h2>Test windows</h2>" + table(_HEAD, [_row(one) for one in walked["folds"]])
    yield "<p><small>The embargo before a test is longer than the longest holding period. A setup "
    yield "that had not ended in its train window is no part of what was fitted.</small></p>"


def stated_sections(report: Mapping[str, Any], table: Table) -> Iterable[str]:
    """Yield what chances of target 1 were stated and what became of them; none of older reports."""
    told = report.get("calibration")
    if told is None or (not told["n"] and not told["uncalibrated"]):
        return
    yield "<h2>Stated against realised</h2>"
    if told["uncalibrated"]:
        yield f"<p>{told['uncalibrated']} trades were uncalibrated: no record was in force at "
        yield "their trigger, so they state no chance.</p>"
    if told["n"]:
        flat = [("trades with a stated chance", told["n"]), ("reached target 1", told["hits"])]
        flat += [("mean chance stated", told["mean_stated"]), ("share reached", told["hit_rate"])]
        yield table(("figure", "value"), [*flat, *sorted(told["metrics"].items())])
        yield table(("stated", "n", "reached", "share", "95 %", ""), map(_bin, told["bins"]))


_HEAD = ("train from", "test from", "to", "fitted on", "train n", "train R", "test n", "won",
         "test R", "stated", "reached")  # fmt: skip


def _figures(walked: Mapping[str, Any]) -> list[tuple[str, Any]]:
    r = walked.get("r") or {}
    flat = {
        "test windows": len(walked["folds"]),
        "parameter sets tried": walked["trials"],
        "trades": walked["n"],
        "won": walked["wins"],
        "win rate, 95 %": " to ".join(walked["ci95"]) if walked.get("ci95") else None,
        **{f"R {name.replace('_', ' ')}": value for name, value in r.items() if name != "n"},
    }
    return [(name, value) for name, value in flat.items() if value is not None]


def _row(one: Mapping[str, Any]) -> tuple[Any, ...]:
    span, by = one["fold"], one.get("chosen", "no set had enough trades")
    return (
        span["train"][0], span["test"][0], span["test"][1],
        f"{one['fitted']} past setups" if one["fitted"] else by,
        one["train_n"], one.get("train_expectancy_r", ""), one["test_n"], one["test_wins"],
        one.get("test_expectancy_r", ""), one.get("stated", ""), one.get("reached", ""),
    )  # fmt: skip


def _marks(folds: Sequence[Mapping[str, Any]]) -> list[Mark]:
    found = []
    for one in folds:
        mean, begins = one.get("test_expectancy_r"), one["fold"]["test"][0]
        if mean is not None:
            said = f"{one['test_n']} trades from {begins}: {mean} R each"
            found.append(Mark(begins[:7], abs(float(mean)), said, mean.startswith("-")))
    return found


def _bin(row: Mapping[str, Any]) -> tuple[Any, ...]:
    note = "" if row["enough"] else "too few to read"
    return (row["mean_p"], row["n"], row["hits"], row["hit_rate"], " to ".join(row["ci95"]), note)
