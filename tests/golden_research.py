"""Owns the golden functions of backtest, calibration and streaming rules, with their adapters."""

from __future__ import annotations

from typing import Any

from services.kit.money import decimal_text, rounded
from services.market.window import WindowTrade, window_metrics
from services.research.bracket import BracketOrder, Ohlc, run_bracket
from services.research.calibrate import fit_isotonic, fit_platt
from services.research.score_stats import barrier_prior, brier, r_stats, reliability
from services.research.walk_forward import walk_forward
from services.strategy.stream_rule import ma_cross, volume_spike, vwap_deviation
from tests.case_args import Args, as_list, as_whole, fixed, invalid

Output = dict[str, Any]


def _outcomes(args: Args) -> list[int]:
    return [as_whole("y", item) for item in as_list("y", args.raw("y"))]


def golden_bracket(given: Any) -> Output:
    """9.2, 9.4."""
    args = Args(given)
    found = run_bracket(
        BracketOrder(
            side=args.word("side", "long", "short"),
            entry_kind=args.word("entry_kind", "market", "stop", "limit"),
            stop=args.dec("stop"),
            target=args.dec("target"),
            entry_price=args.dec("entry_price", None),
            time_stop_bars=args.integer("time_stop_bars", None),
            touch=args.flag("touch", default=False),
        ),
        [Ohlc(*(row.dec(name) for name in "ohlc")) for row in args.items("bars")],
    )
    if found.status == "rejected":
        return {"status": "rejected", "reason": "ENTRY_THROUGH_STOP", "entry_bar": found.entry_bar}
    if found.status != "closed":
        return {"status": found.status}
    return {
        "status": "closed",
        "entry": decimal_text(found.entry),
        "entry_bar": found.entry_bar,
        "exit": decimal_text(found.exit),
        "exit_bar": found.exit_bar,
        "reason": found.reason,
        "ambiguous": found.ambiguous,
        **{name: fixed(getattr(found, name), 6) for name in ("r", "mfe_r", "mae_r")},
    }


def golden_brier(given: Any) -> Output:
    """9.7."""
    args = Args(given)
    found = brier(args.decs("p"), _outcomes(args))
    return {name: fixed(getattr(found, name), 6) for name in ("brier", "reference", "skill")}


def golden_ece(given: Any) -> Output:
    """9.7."""
    args = Args(given)
    found = reliability(args.decs("p"), _outcomes(args), bins=args.integer("bins", 10))
    return {
        "ece": fixed(found.ece, 6),
        "bins": [
            {
                "bin": row.bin,
                "n": row.n,
                "hits": row.hits,
                "mean_p": fixed(row.mean_p, 6),
                "hit_rate": fixed(row.hit_rate, 6),
            }
            for row in found.bins
        ],
    }


def golden_isotonic_fit(given: Any) -> Output:
    """9.7."""
    args = Args(given)
    scores = args.decs("score")
    fit = fit_isotonic(scores, _outcomes(args))
    return {
        "fitted": [fixed(fit.at(score), 6) for score in scores],
        "predicted": [fixed(fit.at(score), 6) for score in args.decs("query")],
    }


def golden_platt_fit(given: Any) -> Output:
    """2.5, 9.7."""
    args = Args(given)
    fit = fit_platt(args.decs("score"), _outcomes(args))
    return {
        "slope": f"{fit.slope:.4f}",
        "intercept": f"{fit.intercept:.4f}",
        "predicted": [fixed(fit.at(score), 4) for score in args.decs("query")],
    }


def golden_r_stats(given: Any) -> Output:
    """9.5."""
    found = r_stats(Args(given).decs("r"))
    names = (
        "expectancy_r",
        "win_rate",
        "avg_win_r",
        "avg_loss_r",
        "sd_r",
        "sqn",
        "p25",
        "median",
        "p75",
        "max_drawdown_r",
    )
    return {"n": found.n} | {name: fixed(getattr(found, name), 6) for name in names}


def golden_walk_forward(given: Any) -> Output:
    """9.6."""
    args = Args(given)
    args.word("mode", "rolling")
    sizes = {name: args.integer(name) for name in ("n", "train", "test", "step", "embargo")}
    return {
        "folds": [
            {"train": list(fold.train), "test": list(fold.test)}
            for fold in walk_forward(sizes.pop("n"), **sizes)
        ]
    }


def golden_barrier_prior(given: Any) -> Output:
    """10.7."""
    args = Args(given)
    return {"p": fixed(barrier_prior(args.dec("up_r"), args.dec("down_r")), 6)}


def golden_window_metrics(given: Any) -> Output:
    """8.5."""
    rows = [WindowTrade(row.dec("price"), row.dec("size")) for row in Args(given).items("trades")]
    found = window_metrics(rows)
    if found is None:
        raise invalid("trades", len(rows), "must hold a trade that counts")
    names = ("open", "high", "low", "close", "range", "volume")
    return {name: decimal_text(getattr(found, name)) for name in names} | {
        "vwap": str(rounded(found.vwap, 6)),
        "trades": found.trades,
        "dropped": found.dropped,
    }


def golden_ma_cross(given: Any) -> Output:
    """8.6."""
    args = Args(given)
    return {
        "signals": ma_cross(
            args.decs("close"), fast=args.integer("fast"), slow=args.integer("slow")
        )
    }


def golden_vwap_deviation(given: Any) -> Output:
    """8.6."""
    args = Args(given)
    found = vwap_deviation(
        args.dec("close"), args.dec("vwap"), threshold_pct=args.dec("threshold_pct")
    )
    return {
        "deviation_pct": fixed(found.deviation_pct, 4),
        "signal": found.signal,
        "strength": fixed(found.strength, 4),
    }


def golden_volume_spike(given: Any) -> Output:
    """8.6."""
    args = Args(given)
    found = volume_spike(
        args.decs("history"),
        args.dec("volume"),
        moved=args.dec("close") - args.dec("open"),
        multiple=args.dec("multiple"),
        lookback=args.integer("lookback", 20),
    )
    return {"ratio": fixed(found.ratio, 4), "signal": found.signal}
