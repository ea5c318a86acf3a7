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


def sweep(o, h, l, c, pairs, fees):  # noqa: E741 - as in every feed
    """Run every pair over all symbols; each average is made once."""
    reach = atr(h, l, c, 14)
    means = {n: ema(c, n) for n in sorted({n for pair in pairs for n in pair})}
    trades = 0
    for fast, slow in pairs:
        over = means[fast] > means[slow]
        crossed = np.zeros_like(over)
        crossed[1:] = over[1:] & (means[fast][:-1] <= means[slow][:-1])
        entries = np.zeros_like(over)
        entries[1:] = crossed[:-1]
        stop, target = np.zeros_like(c), np.zeros_like(c)
        stop[1:], target[1:] = 2 * reach[:-1] / c[:-1], 3 * reach[:-1] / c[:-1]
        found = vbt.Portfolio.from_signals(
            c, entries, np.zeros_like(entries), price=o, open=o, high=h, low=l,
            sl_stop=stop, tp_stop=target, fees=fees, size=1, init_cash=1e9, freq="1min",
        )  # fmt: skip
        trades += int(found.trades.count().sum())
    return trades


def main(path: str) -> None:
    """Time the sweep of a file's prices: columns are symbols."""
    with open(path) as content:
        asked = json.load(content)
    prices = [np.ascontiguousarray(np.array(asked[name], dtype=float).T) for name in "ohlc"]
    pairs = [tuple(pair) for pair in asked["pairs"]]
    sweep(*prices, pairs[:1], asked["fees"])
    taken, trades = [], 0
    for _ in range(asked["rounds"]):
        began = time.perf_counter()
        trades = sweep(*prices, pairs, asked["fees"])
        taken.append(time.perf_counter() - began)
    print(json.dumps({"seconds": min(taken), "trades": trades, "version": vbt.__version__}))


if __name__ == "__main__":
    main(sys.argv[1])
