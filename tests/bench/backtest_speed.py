"""P8: a backtest with fills, fees, lots and a seal per trade on 1-minute bars, beside a peer's."""

from __future__ import annotations

import gc
import json
import subprocess
import time

from services.research.config import BacktestConfig
from services.research.engine import run, run_series
from services.research.report import Report
from services.research.series import Series
from tests.bench.agent_loop import peer_python
from tests.bench.measure import Outcome, Size, environment, not_run
from tests.unit.research import crosscheck

GOAL = 5.0
BARS = 98_280
METRIC = "backtest of EMA 10/30 with brackets, 1-minute bars"


def has_peer(module: str) -> bool:
    """Return whether the peers' interpreter can import a module."""
    tried = subprocess.run(
        [str(peer_python()), "-c", f"import {module}"],
        capture_output=True, check=False, env=environment(),
    )  # fmt: skip
    return tried.returncode == 0


def minute_config() -> BacktestConfig:
    """Return our run: slippage, commission, sizes by risk, lots, and a sealed row per trade."""
    return BacktestConfig(name="P8", kind="rule", symbols=("X",), timeframe="1m")


def ours(series: Series, rounds: int) -> tuple[float, Report]:
    """Return the best seconds of some rounds; bars are prepared, indicators are not."""
    best, report = float("inf"), None
    for _ in range(rounds):
        fresh = Series(series.symbol, series.timeframe, series.bars).prepare()
        gc.collect()
        began = time.perf_counter()
        report = run_series(minute_config(), {"X": fresh})
        best = min(best, time.perf_counter() - began)
    if report is None:
        raise RuntimeError("a round was run")
    return best, report


def measure(size: Size) -> list[Outcome]:
    """Measure the peer before and after ours, and compare the trades on GOOG daily."""
    count = 2_000 if size.rounds == 1 else BARS
    series = Series("X", "1m", crosscheck.minute_walk(count)).prepare()
    gc.freeze()
    took, report = ours(series, max(size.rounds, 2))
    if not has_peer("backtesting"):
        why = f"backtesting.py is not installed; ours {count / took / 1e3:.0f}k bars/s"
        return [not_run("P8", METRIC, why), same_trades()]
    asked = crosscheck.asked_of_peer(series, minute_config().rule)
    asked |= {"rounds": max(1, size.rounds // 2), "commission": 0.0002}
    before = crosscheck.ask(asked)
    again, _ = ours(series, size.rounds)
    after = crosscheck.ask(asked)
    best, peer = min(took, again), min(before["seconds"], after["seconds"])
    ratio = peer / best
    return [
        Outcome(
            "P8", METRIC, f"{count / best / 1e3:.0f}k bars/s",
            f"backtesting.py {count / peer / 1e3:.0f}k bars/s", ratio, f">= {GOAL:.0f}x",
            met=ratio >= GOAL,
            note=f"{len(report.trades)} trades ours with fees, lots and seals, "
            f"{len(before['trades'])} theirs; reading and checking the bars is in neither",
        ),
        same_trades(),
    ]  # fmt: skip


def same_trades() -> Outcome:
    """Return whether our trades on GOOG daily are those that backtesting.py made."""
    expected = json.loads(crosscheck.FIXTURE.read_text())
    wrong = 0
    bars = crosscheck.goog_bars()
    opens = {bar.t_open: at for at, bar in enumerate(bars)}
    for side, rows in expected["goog"].items():
        report = run(crosscheck.config(side), {"GOOG": bars})
        made = [(opens[one.entry_ts], float(one.entry), float(one.exit)) for one in report.trades]
        theirs = [(row[0], row[1], row[3]) for row in rows]
        wrong += len(made) != len(theirs)
        wrong += sum(
            a[0] != b[0] or max(abs(a[1] - b[1]), abs(a[2] - b[2])) > 1e-9
            for a, b in zip(made, theirs, strict=False)
        )
    total = sum(len(rows) for rows in expected["goog"].values())
    return Outcome(
        "P8", "trades on GOOG daily that differ", f"{wrong} of {total}", expected["made_by"],
        goal="0", met=wrong == 0,
    )  # fmt: skip
