"""P9: a sweep of a rule's parameters over many symbols, beside vectorbt warm on the same prices."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from pathlib import Path

from services.research.config import BacktestConfig
from services.research.series import Series
from services.research.sweep import Sweep, sweep
from tests.bench.agent_loop import peer_python
from tests.bench.backtest_speed import has_peer
from tests.bench.measure import ROOT, Outcome, Size, not_run, run_json
from tests.unit.research import crosscheck

GOAL = 1.0
SYMBOLS, BARS = 500, 2_520
FAST, SLOW, STOPS, TARGETS = [10, 20], [30, 60], ["1.5", "2", "3"], ["2", "3", "4"]
METRIC = "sweep of crosses and brackets, bars x sets"
PEER = ROOT / "tests" / "bench" / "peers" / "peer_vectorbt.py"


def prepared(symbols: int) -> dict[str, Series]:
    """Return seeded walks, one per symbol."""
    names = [f"S{at}" for at in range(symbols)]
    return {
        name: Series(name, "1m", crosscheck.minute_walk(BARS, seed=at)).prepare()
        for at, name in enumerate(names)
    }


def ours(series: dict[str, Series], rounds: int) -> tuple[float, Sweep]:
    """Return the best seconds; each round makes its indicators anew."""
    grid = {"fast": FAST, "slow": SLOW, "stop_atr": [D(x) for x in STOPS],
            "target_atr": [D(x) for x in TARGETS]}  # fmt: skip
    config = BacktestConfig(name="P9", kind="rule", symbols=tuple(series), timeframe="1m")
    best, found = float("inf"), None
    for _ in range(rounds):
        fresh = {name: Series(name, "1m", one.bars) for name, one in series.items()}
        for name, one in fresh.items():
            one.columns, one.sound = series[name].columns, True
        gc.collect()
        began = time.perf_counter()
        found = sweep(config, fresh, grid=grid)
        best = min(best, time.perf_counter() - began)
    if found is None:
        raise RuntimeError("a round was run")
    return best, found


def asked(series: dict[str, Series], path: Path, rounds: int) -> dict:
    """Return what vectorbt needs for the same sets."""
    columns = [one.columns for one in series.values()]
    pairs = [[fast, slow] for fast in FAST for slow in SLOW]
    body = {name: [getattr(one, name) for one in columns] for name in "ohlc"}
    body |= {"pairs": pairs, "stops": [float(x) for x in STOPS], "fees": 0.0002, "rounds": rounds,
             "targets": [float(x) for x in TARGETS]}  # fmt: skip
    path.write_text(json.dumps(body))
    return run_json(PEER, path, python=peer_python())


def measure(size: Size) -> list[Outcome]:
    """Measure vectorbt before and after ours."""
    small = size.rounds == 1
    series = prepared(4 if small else SYMBOLS)
    sets = len(FAST) * len(SLOW) * len(STOPS) * len(TARGETS)
    bars = len(series) * BARS * sets
    gc.freeze()
    if not has_peer("vectorbt"):
        took, _ = ours(series, 1 if small else 3)
        why = f"vectorbt is not installed; ours {bars / took / 1e6:.2f}M bars/s"
        return [not_run("P9", METRIC, why)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "asked.json"
        before = asked(series, path, 1)
        took, found = ours(series, 1 if small else 3)
        after = asked(series, path, 1)
    peer = min(before["seconds"], after["seconds"])
    ratio = peer / took
    return [
        Outcome(
            "P9", METRIC, f"{bars / took / 1e6:.2f}M bars/s",
            f"vectorbt warm {bars / peer / 1e6:.2f}M bars/s", ratio, f">= {GOAL:.0f}x",
            met=ratio >= GOAL,
            note=f"{sets} sets over {len(series)} symbols; {sum(row.n for row in found.rows)} "
            f"trades ours, {before['trades']} theirs, whose fills differ by design",
        )
    ]  # fmt: skip
