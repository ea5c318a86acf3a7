"""vectorbt: crosses of EMAs with stops in ATR over many symbols at once, warm."""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
import vectorbt as vbt  # noqa: E402
from numba import njit  # noqa: E402


@njit(cache=False)
def ema(close, n):
    """The same average as ours: seeded by the mean of n closes."""
    out = np.full_like(close, np.nan)
    for col in range(close.shape[1]):
        mean = close[:n, col].mean()
        out[n - 1, col] = mean
        for at in range(n, close.shape[0]):
            mean += 2 / (n + 1) * (close[at, col] - mean)
            out[at, col] = mean
    return out


@njit(cache=False)
def atr(high, low, close, n):
    """Wilder's average true range, as ours."""
    out = np.full_like(close, np.nan)
    for col in range(close.shape[1]):
        mean = 0.0
        for at in range(1, close.shape[0]):
            value = max(high[at, col], close[at - 1, col]) - min(low[at, col], close[at - 1, col])
            if at <= n:
                mean += value / n
            else:
                mean = (mean * (n - 1) + value) / n
            if at >= n:
                out[at, col] = mean
    return out


def sweep(prices, pairs, brackets, fees):
    """Run every pair with every bracket over all symbols; each average is made once."""
    opens, highs, lows, closes = prices
    reach = atr(highs, lows, closes, 14)
    means = {n: ema(closes, n) for n in sorted({n for pair in pairs for n in pair})}
    share = np.zeros_like(closes)
    share[1:] = reach[:-1] / closes[:-1]
    trades = 0
    for fast, slow in pairs:
        over = means[fast] > means[slow]
        entries = np.zeros_like(over)
        entries[2:] = over[1:-1] & (means[fast][:-2] <= means[slow][:-2])
        for stop, target in brackets:
            found = vbt.Portfolio.from_signals(
                closes, entries, np.zeros_like(entries), price=opens, open=opens, high=highs,
                low=lows, sl_stop=stop * share, tp_stop=target * share, fees=fees, size=1,
                init_cash=1e9, freq="1min",
            )  # fmt: skip
            trades += len(found.trades.records_arr)
    return trades


def main(path: str) -> None:
    """Time the sweep of a file's prices: columns are symbols."""
    with open(path) as content:
        asked = json.load(content)
    prices = [np.ascontiguousarray(np.array(asked[name], dtype=float).T) for name in "ohlc"]
    pairs = [tuple(pair) for pair in asked["pairs"]]
    brackets = [(stop, target) for stop in asked["stops"] for target in asked["targets"]]
    sweep(prices, pairs[:1], brackets[:1], asked["fees"])
    taken, trades = [], 0
    for _ in range(asked["rounds"]):
        began = time.perf_counter()
        trades = sweep(prices, pairs, brackets, asked["fees"])
        taken.append(time.perf_counter() - began)
    print(json.dumps({"seconds": min(taken), "trades": trades, "version": vbt.__version__}))


if __name__ == "__main__":
    main(sys.argv[1])
