"""backtesting.py: signals with a stop and a target as given, one unit, one position at a time."""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

import backtesting  # noqa: E402
import pandas as pd  # noqa: E402
from backtesting import Backtest, Strategy  # noqa: E402

backtesting.backtesting._tqdm = lambda rows, **_: rows


def frame_of(given: dict) -> pd.DataFrame:
    """Return the bars as the library wants them."""
    columns = {"Open": given["o"], "High": given["h"], "Low": given["l"], "Close": given["c"]}
    index = pd.date_range("2000-01-01", periods=len(given["o"]), freq="min")
    return pd.DataFrame({**columns, "Volume": 1.0}, index=index)


def signalled(given: dict) -> type[Strategy]:
    """Return the strategy that follows the given signals: 1 buys, -1 sells short."""

    class Signalled(Strategy):
        def init(self):
            self.side, self.sl, self.tp = (
                self.I(lambda name=name: pd.Series(given[name], dtype=float).to_numpy(), name=name)
                for name in ("side", "stop", "target")
            )

        def next(self):
            side = self.side[-1]
            if side and not self.position:
                order = self.buy if side > 0 else self.sell
                order(size=1, sl=self.sl[-1], tp=self.tp[-1])

    return Signalled


def bracket(given: dict) -> type[Strategy]:
    """Return the strategy that gives one bracket order at the first bar it may."""

    class Bracket(Strategy):
        def init(self):
            self.asked = False

        def next(self):
            if not self.asked:
                self.asked = True
                order = self.buy if given["up"] else self.sell
                order(size=1, stop=given["entry"], sl=given["stop"], tp=given["target"])

    return Bracket


def ran(given: dict, strategy: type[Strategy]) -> tuple[float, list]:
    """Run once; return the seconds and each trade as entry bar and price, exit bar and price."""
    test = Backtest(
        frame_of(given), strategy, cash=1e9, commission=given.get("commission", 0), spread=0,
        trade_on_close=False, hedging=False, exclusive_orders=False, finalize_trades=False,
    )  # fmt: skip
    began = time.perf_counter()
    found = test.run()
    took = time.perf_counter() - began
    rows = found["_trades"][["EntryBar", "EntryPrice", "ExitBar", "ExitPrice"]].to_numpy().tolist()
    return took, [[int(row[0]), row[1], int(row[2]), row[3]] for row in rows]


def main(path: str) -> None:
    """Run what a file asks: one series with signals in rounds, or many single brackets."""
    with open(path) as content:
        asked = json.load(content)
    if "brackets" in asked:
        found = [ran(one, bracket(one))[1] for one in asked["brackets"]]
        print(json.dumps({"brackets": found, "version": backtesting.__version__}))
        return
    rounds = [ran(asked, signalled(asked)) for _ in range(asked["rounds"])]
    best = min(took for took, _ in rounds)
    print(json.dumps({"seconds": best, "trades": rounds[0][1], "version": backtesting.__version__}))


if __name__ == "__main__":
    main(sys.argv[1])
