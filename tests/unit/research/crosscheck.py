"""Owns the cross-check with backtesting.py: what is asked, and making the expected list.

`python -m tests.unit.research.crosscheck` asks the library in the environment that
CORNERMAN_BENCH_VENV names and writes the fixture; the tests compare ours with it always.
"""

from __future__ import annotations

import json
import random
import tempfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from services.market.bar import Bar
from services.market.history.bundle import load_history
from services.market.replay_bars import price_of
from services.market.session import get_session
from services.research.bracket import Ohlc
from services.research.config import BacktestConfig, CostTerms, RuleTerms, SizeTerms
from services.research.rule_signal import signals
from services.research.series import Series
from services.research.trip import Steps
from tests.bench.agent_loop import peer_python
from tests.bench.measure import ROOT, run_json

FIXTURE = Path(__file__).with_name("backtesting_py.json")
PEER = ROOT / "tests" / "bench" / "peers" / "peer_backtesting.py"
CENT = Decimal("0.01")
BRACKETS = 200
FREE = CostTerms(slippage_bps=Decimal(0), commission_share=Decimal(0), commission_min=Decimal(0))


def goog_bars() -> list[Bar]:
    """Return the bundled daily bars of GOOG, as traded."""
    found = []
    for row in load_history()["GOOG"].rows:
        session = get_session("XNYS", row.date)
        o, h, low, c = (price_of(value) for value in (row.o, row.h, row.l, row.c))
        found.append(
            Bar(t_open=session.open, t_close=session.close, o=o, h=h, l=low, c=c, v=Decimal(row.v))
        )
    return found


def config(side: str = "both", **more) -> BacktestConfig:
    """Return the strategy of performance section 4: EMA 10/30, stop 2 ATR, target 3 ATR."""
    given = {"name": "cross-check", "costs": FREE, "size": SizeTerms(units=Decimal(1))} | more
    return BacktestConfig(kind="rule", symbols=("GOOG",), rule=RuleTerms(side=side), **given)


def asked_of_peer(series: Series, terms: RuleTerms, tick: Decimal = CENT) -> dict:
    """Return the bars, and at each signal its side, stop and target, as the peer is given them."""
    steps, columns, count = Steps.of(tick), series.columns, len(series.bars)
    side, stop, target = [0] * count, [0.0] * count, [0.0] * count
    for at, sign in signals(series, terms):
        reach = series.atr(terms.atr)[at - terms.atr] if at >= terms.atr else 0
        if reach <= 0:
            continue
        rounded = steps.below if sign > 0 else steps.above
        side[at] = sign
        stop[at] = steps.price(rounded(columns.c[at] - sign * 2 * reach))
        target[at] = steps.price(rounded(columns.c[at] + sign * 3 * reach))
    prices = {"o": columns.o, "h": columns.h, "l": columns.l, "c": columns.c}
    return {**prices, "side": side, "stop": stop, "target": target, "rounds": 1}


def brackets(count: int = BRACKETS) -> list[dict]:
    """Return seeded brackets on walks of 60 bars: market and stop entries, long and short."""
    found = []
    for seed in range(count):
        source, price, rows = random.Random(seed), 10_000, []
        for _ in range(60):
            o = price + source.randint(-15, 15)
            c = o + source.randint(-80, 80)
            rows.append(
                (o, max(o, c) + source.randint(0, 40), min(o, c) - source.randint(0, 40), c)
            )
            price = c
        up, near = source.random() < 0.5, rows[1][3]
        sign = 1 if up else -1
        entry = near + sign * source.randint(20, 120) if source.random() < 0.5 else None
        base = near if entry is None else entry
        stop = base - sign * source.randint(60, 200)
        target = base + sign * source.randint(60, 300)
        found.append({
            **{name: [row[at] / 100 for row in rows] for at, name in enumerate("ohlc")},
            "up": up, "entry": None if entry is None else entry / 100,
            "stop": stop / 100, "target": target / 100,
        })  # fmt: skip
    return found


def rows_of(one: dict) -> list[Ohlc]:
    """Return a bracket's bars in Decimals, from the first at which its order may fill."""
    columns = ([Decimal(repr(value)) for value in one[name]] for name in "ohlc")
    return [Ohlc(*row) for row in zip(*columns, strict=True)][2:]


def ask(asked: dict) -> dict:
    """Return what backtesting.py answers; raises when it is not installed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "asked.json"
        path.write_text(json.dumps(asked))
        return run_json(PEER, path, python=peer_python())


def minute_walk(count: int, seed: int = 5) -> list[Bar]:
    """Return a seeded walk of 1-minute bars on cents, days of 390 minutes."""
    source, price, found = random.Random(seed), 10_000, []
    day = datetime(2024, 1, 1, 14, 30, tzinfo=UTC)
    for at in range(count):
        opens = day + timedelta(days=at // 390, minutes=at % 390)
        o, c = price, max(1_000, price + round(source.gauss(0, 6)))
        high, low = (
            max(o, c) + abs(round(source.gauss(0, 3))),
            min(o, c) - abs(round(source.gauss(0, 3))),
        )
        cells = (Decimal(value).scaleb(-2) for value in (o, high, low, c))
        o_, h_, l_, c_ = cells
        closes = opens + timedelta(minutes=1)
        found.append(Bar(t_open=opens, t_close=closes, o=o_, h=h_, l=l_, c=c_, v=Decimal(1000)))
        price = c
    return found


def main() -> None:
    """Ask the library and write the expected list."""
    series = Series("GOOG", "1d", goog_bars())
    daily = {side: ask(asked_of_peer(series, config(side).rule)) for side in ("long", "both")}
    single = ask({"brackets": brackets()})
    body = {
        "made_by": f"backtesting.py {single['version']}",
        "goog": {side: found["trades"] for side, found in daily.items()},
        "brackets": single["brackets"],
    }
    lines = json.dumps(body, separators=(",", ":")).replace("]],", "]],\n")
    FIXTURE.write_text(lines + "\n")


if __name__ == "__main__":
    main()
