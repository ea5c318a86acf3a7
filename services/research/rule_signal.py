"""Owns the signals of the simple strategies: at which bar of a series which side is wanted."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import merge
from operator import gt, lt

from services.research.config import RuleTerms
from services.research.series import Series
from services.strategy.streaming import DeviationRule, MaCrossRule, Runner, SpikeRule, Window

Wanted = tuple[int, int]
"""The bar of a signal, and +1 for a long or -1 for a short."""
_RISES = b"\x00\x01"


def signals(series: Series, terms: RuleTerms) -> Iterator[Wanted]:
    """Yield the signals of a rule, ascending; each is read from its bar and earlier ones alone."""
    found = _crosses(series, terms) if terms.name == "ema_cross" else _streamed(series, terms)
    wanted = {"long": (1,), "short": (-1,), "both": (1, -1)}[terms.side]
    return (one for one in found if one[1] in wanted)


def _crosses(series: Series, terms: RuleTerms) -> Iterator[Wanted]:
    """Yield where the fast EMA crossed: was at or below and is above, mirrored for a short."""
    slow = series.ema(terms.slow)
    fast = series.ema(terms.fast)[terms.slow - terms.fast :]
    offset = terms.slow - 1
    ups = ((at + offset, 1) for at in _rises(bytes(map(gt, fast, slow))))
    downs = ((at + offset, -1) for at in _rises(bytes(map(lt, fast, slow))))
    return merge(ups, downs)


def _rises(flags: bytes) -> Iterator[int]:
    at = flags.find(_RISES)
    while at >= 0:
        yield at + 1
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


def atr_at(series: Series, terms: RuleTerms, at: int) -> float:
    """Return the ATR at a bar; 0 before it is defined, on which no bracket stands."""
    values = series.atr(terms.atr)
    return values[at - terms.atr] if 0 <= at - terms.atr < len(values) else 0.0

