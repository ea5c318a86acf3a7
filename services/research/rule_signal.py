"""Owns the signals of the simple strategies: at which bar of a series which side is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from operator import gt

from services.research.config import RuleTerms
from services.research.series import Series, Values
from services.strategy.streaming import DeviationRule, MaCrossRule, Runner, SpikeRule, Window

Wanted = tuple[int, int]
"""The bar of a signal, and +1 for a long or -1 for a short."""
_RISES = b"\x00\x01"


def signals(series: Series, terms: RuleTerms) -> Iterator[Wanted]:
    """Yield the signals of a rule, ascending; each is read from its bar and earlier ones alone."""
    if terms.name == "ema_cross":
        return _crosses(series, terms)
    wanted = {"long": (1,), "short": (-1,), "both": (1, -1)}[terms.side]
    return (one for one in _streamed(series, terms) if one[1] in wanted)


def _crosses(series: Series, terms: RuleTerms) -> Iterator[Wanted]:
    """Yield where the fast EMA crossed: was at or below and is above, mirrored for a short."""
    key = (terms.fast, terms.slow, terms.side)
    found = series.crosses.get(key)
    if found is None:
        slow = series.ema(terms.slow)
        fast = series.ema(terms.fast)[terms.slow - terms.fast :]
        ups = [(at, 1) for at in _rises(fast, slow, terms)] if terms.side != "short" else []
        downs = [(at, -1) for at in _rises(slow, fast, terms)] if terms.side != "long" else []
        found = series.crosses[key] = sorted(ups + downs)
    return iter(found)


def _rises(over: Values, under: Values, terms: RuleTerms) -> Iterator[int]:
    """Yield the bars at which one average is above the other and was not at the bar before."""
    flags, offset = bytes(map(gt, over, under)), terms.slow - 1
    at = flags.find(_RISES)
    while at >= 0:
        yield at + 1 + offset
        at = flags.find(_RISES, at + 1)


def _streamed(series: Series, terms: RuleTerms) -> Iterator[Wanted]:
    """Yield what a streaming strategy says to each bar as a window, cooldown and all."""
    runner = Runner(_strategy(terms))
    for at, bar in enumerate(series.bars):
        window = Window(
            start=bar.t_open,
            end=bar.t_close,
            open=bar.o,
            high=bar.h,
            low=bar.l,
            close=bar.c,
            volume=bar.v,
            vwap=bar.vw if bar.vw is not None else (bar.h + bar.l + bar.c) / 3,
        )
        signal = runner.on_window(series.symbol, window, follows=True)
        if signal is not None:
            yield at, 1 if signal.side == "BUY" else -1


def _strategy(terms: RuleTerms) -> MaCrossRule | DeviationRule | SpikeRule:
    match terms.name:
        case "vwap_deviation":
            return DeviationRule(terms.threshold_pct, terms.lookback)
        case "volume_spike":
            return SpikeRule(terms.multiple, terms.lookback)
        case _:
            return MaCrossRule(terms.fast, terms.slow)
