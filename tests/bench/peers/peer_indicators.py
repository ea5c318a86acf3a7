"""pandas and TA-Lib: the indicators of a plan over some series of bars, best of some rounds."""

import importlib
import json
import sys
import time

LENGTHS = (9, 10, 20, 21, 30, 50, 200)


def with_pandas(rows):
    """Return the indicators of one series by pandas' own exponential means."""
    import pandas as pd

    high, low, close = (pd.Series(rows[name]) for name in "hlc")
    out = [close.ewm(span=n, adjust=False).mean() for n in LENGTHS]
    before = close.shift()
    ranges = pd.concat([high - low, (high - before).abs(), (low - before).abs()], axis=1).max(
        axis=1
    )
    atr = ranges.ewm(alpha=1 / 14, adjust=False).mean()
    change = close.diff()
    gain = change.clip(lower=0).ewm(alpha=1 / 14, adjust=False).mean()
    loss = (-change.clip(upper=0)).ewm(alpha=1 / 14, adjust=False).mean()
    up, down = high.diff(), -low.diff()
    plus = up.where((up > down) & (up > 0), 0.0).ewm(alpha=1 / 14, adjust=False).mean() / atr
    minus = down.where((down > up) & (down > 0), 0.0).ewm(alpha=1 / 14, adjust=False).mean() / atr
    strength = ((plus - minus).abs() / (plus + minus)).ewm(alpha=1 / 14, adjust=False).mean()
    return [*out, atr, 100 - 100 / (1 + gain / loss), strength]


def with_talib(rows):
    """Return the same indicators by TA-Lib."""
    import talib

    high, low, close = rows["arrays"]
    return [
        *(talib.EMA(close, n) for n in LENGTHS),
        talib.ATR(high, low, close, 14),
        talib.RSI(close, 14),
        talib.ADX(high, low, close, 14),
    ]


def copies(series, times):
    """Return the series of many symbols, each with its own memory as in life."""
    made = []
    for _ in range(times):
        for rows in series:
            own = {name: list(rows[name]) for name in "hlc"}
            if "arrays" in rows:
                own["arrays"] = [column.copy() for column in rows["arrays"]]
            made.append(own)
    return made


def best(run, series, rounds):
    """Return the best seconds for all series."""
    took = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        for rows in series:
            run(rows)
        took = min(took, time.perf_counter() - began)
    return took


def main(path):
    """Print the seconds of each library that is installed, for few and for many series."""
    with open(path, encoding="ascii") as file:
        asked = json.load(file)
    found = {}
    for name, run in (("pandas", with_pandas), ("talib", with_talib)):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        if name == "talib":
            import numpy as np

            for rows in asked["series"]:
                rows["arrays"] = [np.array(rows[column], dtype=float) for column in "hlc"]
        series, many = asked["series"], copies(asked["series"], asked["times"])
        best(run, series, 2)
        found[name] = {"plan": best(run, series, asked["rounds"]), "scan": best(run, many, 1)}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
