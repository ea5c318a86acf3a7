"""Owns the report as one page: words, tables and plots in a single file without scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from services.research.report_folds import fold_sections, stated_sections
from services.research.report_plot import Mark, bar_plot, line_plot, scatter_plot
from services.research.report_words import words_of

TRADES_SHOWN = 500
_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#5b6470;--paper:#fff;--rule:#d5dae0;
--gain:#17734a;--loss:#b3372f;--line:#2456a6}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#a3acb8;--paper:#15181c;--rule:#343b44;
--gain:#4cc38a;--loss:#ef7a70;--line:#7aa7f0}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}figure{margin:1rem 0}
figcaption,small,th{color:var(--soft);font-weight:400}svg{width:100%;height:auto}
svg text{font-size:11px;fill:var(--soft)}.line{fill:none;stroke:var(--line);stroke-width:1.5}
.axis{stroke:var(--rule)}.gain{fill:var(--gain)}.loss{fill:var(--loss)}
div.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.2rem .7rem .2rem 0;text-align:left;border-bottom:1px solid var(--rule)}
code,pre{font-size:12px;overflow-wrap:anywhere;white-space:pre-wrap}
"""


def page_of(report: Mapping[str, Any]) -> str:
    """Return the page of a report's document. It loads nothing, so it opens anywhere."""
    name = str(report["config"]["name"])
    inside = "".join(_sections(report, name))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Backtest: {escape(name)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{inside}</main></body></html>\n"
    )


def _sections(report: Mapping[str, Any], name: str) -> Iterable[str]:
    trades: Sequence[Mapping[str, Any]] = report["trades"]
    yield f"<h1>Backtest: {escape(name)}</h1>"
    yield f"<p>{escape(words_of(name, _summary(report)))}</p>"
    if report["flags"]:
        yield f"<p>Flags: {escape(', '.join(report['flags']))}</p>"
    yield from fold_sections(report, _table)
    if report.get("walk_forward") is not None:
        yield "<h2>The whole run</h2><p>Train and test together, so partly fitted on.</p>"
    yield _equity(report)
    yield _histogram(report)
    pairs = [(float(row["mae_r"]), float(row["r"])) for row in trades if "mae_r" in row]
    yield scatter_plot("Each trade", pairs, ("deepest move in R", "result in R"))
    yield "<h2>Figures</h2>" + _table(("figure", "value"), _figures(report))
    yield "<h2>By setup</h2>" + _by_setup(report["by_setup"])
    yield from stated_sections(report, _table)
    yield "<h2>What became no trade</h2>"
    yield _table(("reason", "n"), sorted(report["left_out"].items()))
    yield f"<h2>Trades</h2>{_trades(trades)}"
    yield _inputs(report)


def _summary(report: Mapping[str, Any]) -> dict[str, Any]:
    r = report.get("r") or {}
    return {
        "trades": len(report["trades"]),
        "expectancy_r": r.get("expectancy_r"),
        "win_rate": r.get("win_rate"),
        "max_drawdown_r": r.get("max_drawdown_r"),
        "flags": report["flags"],
        "calibration": _told(report),
        "walk_forward": _walked(report),
    }


def _told(report: Mapping[str, Any]) -> dict[str, Any] | None:
    told = report.get("calibration")
    if told is None:
        return None
    named = {"trades": told["n"], "uncalibrated": told["uncalibrated"]}
    return {**named, "mean_stated": told.get("mean_stated"), "hit_rate": told.get("hit_rate")}


def _walked(report: Mapping[str, Any]) -> dict[str, Any] | None:
    walked = report.get("walk_forward")
    if walked is None:
        return None
    named = {"folds": len(walked["folds"]), "trades": walked["n"], "trials": walked["trials"]}
    rate = (walked.get("r") or {}).get("win_rate")
    return {**named, "expectancy_r": walked.get("expectancy_r"), "win_rate": rate}


def _equity(report: Mapping[str, Any]) -> str:
    points = report["equity"]
    if not points:
        return ""
    values = [float(point["equity"]) for point in points]
    return line_plot("Equity", values, (points[0]["ts"][:10], points[-1]["ts"][:10]))


def _histogram(report: Mapping[str, Any]) -> str:
    marks = [
        Mark(
            str(row["low"]),
            float(row["n"]),
            f"{row['n']} trades from {row['low']} R",
            str(row["low"]).startswith("-"),
        )
        for row in report["r_distribution"]
    ]
    return bar_plot("Results in R, by half R", marks)


def _figures(report: Mapping[str, Any]) -> list[tuple[str, Any]]:
    figures, torn = report["performance"], report["ambiguity"]
    flat = {
        **{f"R {name}": value for name, value in (report.get("r") or {}).items()},
        **{name: value for name, value in figures.items() if not isinstance(value, dict)},
        **{name: value for name, value in figures["trades"].items() if name != "flags"},
        **{name: value for name, value in figures["ratios"].items() if name != "flags"},
        "ambiguous trades": torn["n"],
        "expectancy, ambiguous stopped first": torn.get("low_r"),
        "expectancy, ambiguous at target first": torn.get("high_r"),
        "open at the end, in no figure but the curve": report["open_at_end"],
        "parameter sets tried": report["trials"],
    }
    return [(name.replace("_", " "), value) for name, value in flat.items() if value is not None]


def _by_setup(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ("setup", "n", "TP1 / TP2 / TP3", "win rate", "95 %", "expectancy R", "SQN",
            "median MFE", "MAE of winners, P90")  # fmt: skip
    cells = []
    for row in rows:
        hit = " / ".join(map(str, row["targets_hit"]))
        if not row["enough"]:
            cells.append((row["setup_id"], row["n"], hit, "not enough data", "", "", "", "", ""))
            continue
        cells.append(
            (row["setup_id"], row["n"], hit, row["win_rate"], " to ".join(row["ci95"]),
             row["expectancy_r"], row.get("sqn", ""), row.get("median_mfe_r", ""),
             row.get("mae_of_winners_p90", ""))
        )  # fmt: skip
    return _table(head, cells)


def _trades(trades: Sequence[Mapping[str, Any]]) -> str:
    head = ("#", "symbol", "setup", "side", "entry", "at", "exit", "at", "why", "R", "P&L")
    rows = [
        (row["n"], row["symbol"], row["setup_id"], row["side"], row["entry_ts"][:16], row["entry"],
         row["exit_ts"][:16], row["exit"], row["reason"] + (" ?" if row["ambiguous"] else ""),
         row["r"], row["pnl"])
        for row in trades[:TRADES_SHOWN]
    ]  # fmt: skip
    more = len(trades) - len(rows)
    note = f"<p><small>{more} more are in the data of the report.</small></p>" if more > 0 else ""
    return _table(head, rows) + "<p><small>? the order of touches is unknown.</small></p>" + note


def _inputs(report: Mapping[str, Any]) -> str:
    hashes = [("run", report["run_hash"]), ("config", report["config_hash"])]
    hashes += [("policy", report["policy_hash"]), *sorted(report["data_hashes"].items())]
    config = json.dumps(report["config"], indent=1, sort_keys=True)
    return (
        "<h2>Inputs</h2>"
        + _table(("what", "hash"), hashes)
        + f"<pre>{escape(config)}</pre><p><small>The same inputs make the same bytes.</small></p>"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'
