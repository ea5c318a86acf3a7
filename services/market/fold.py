"""Owns folding many bars at once into the recursive indicators, as pushing them one by one would.

The states of `services.market.indicator` are the definition. Each function here takes the values
of a series in the same order with the same operations, so results and state agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence

from services.market.indicator import Adx, Atr, Ema, Rsi
from services.market.level import Swing

Values = list[float | None]


def fold_ema(state: Ema, closes: Sequence[float]) -> Values:
    """Return the averages after each of more closes. Worked: 1, 2, 3, 6 by 3 is -, -, 2, 4."""
    found: Values = []
    lead = max(0, state.n - state.count)
    for close in closes[:lead]:
        found.append(state.push(close))
    rest = closes[lead:] if lead else closes
    mean, weight = state.mean, 2 / (state.n + 1)
    append = found.append
    for close in rest:
        mean += weight * (close - mean)
        append(mean)
    state.mean = mean
    state.count += len(rest)
    return found


def fold_atr(
    state: Atr, highs: Sequence[float], lows: Sequence[float], closes: Sequence[float]
) -> Values:
    """Return the ranges after each of more bars, whose highs are not below their lows.

    A true range is the bar's own, stretched to the close before where that lies outside.
    """
    found: Values = []
    bars = zip(highs, lows, closes, strict=True)
    for _ in range(min(len(closes), max(0, state.n + 1 - _seen(state)))):
        found.append(state.push(*next(bars)))
    before, smooth = state.close, state.smooth
    mean, n, kept, width = smooth.mean, smooth.n, smooth.n - 1, state.true_range
    done = len(found)
    append = found.append
    if before is None or done == len(closes):
        return found
    for high, low, close in bars:
        if before > high:
            width = before - low
        elif before < low:
            width = high - before
        else:
            width = high - low
        mean = (mean * kept + width) / n
        append(mean)
        before = close
    smooth.mean, smooth.count = mean, smooth.count + len(found) - done
    state.close, state.true_range = before, width
    return found


def _seen(state: Atr) -> int:
    return state.smooth.count + (state.close is not None)


def fold_rsi(state: Rsi, closes: Sequence[float]) -> Values:
    """Return the strengths after each of more closes, 0 to 100."""
    found: Values = []
    ups, downs = state.gains, state.losses
    lead = max(0, state.n + 1 - ups.count - (state.close is not None))
    for close in closes[:lead]:
        found.append(state.push(close))
    rest = closes[lead:] if lead else closes
    before = state.close
    if before is None or not rest:
        return found
    gain, loss, n, kept = ups.mean, downs.mean, state.n, state.n - 1
    append = found.append
    for close in rest:
        change = close - before
        before = close
        if change > 0:
            gain, loss = (gain * kept + change) / n, loss * kept / n
        else:
            gain, loss = gain * kept / n, (loss * kept - change) / n
        both = gain + loss
        append(100 * gain / both if both else 50.0)
    ups.mean, downs.mean, state.close = gain, loss, before
    ups.count += len(rest)
    downs.count += len(rest)
    return found


def fold_adx(
    state: Adx, highs: Sequence[float], lows: Sequence[float], closes: Sequence[float]
) -> Values:
    """Return the indexes after each of more bars, 0 to 100."""
    found: Values = []
    bars = zip(highs, lows, closes, strict=True)
    for _ in range(min(len(closes), max(0, 2 * state.n - state.count))):
        found.append(state.push(*next(bars)))
    if len(found) == len(closes):
        return found
    (top, bottom, before), (ups, downs, ranges) = state.bar, state.sums
    mean, n, kept = state.smooth.mean, state.n, state.n - 1
    done = len(found)
    append = found.append
    for high, low, close in bars:
        up, down = high - top, bottom - low
        plus = up if up > down and up > 0 else 0.0
        minus = down if down > up and down > 0 else 0.0
        if before > high:
            width = before - low
        elif before < low:
            width = high - before
        else:
            width = high - low
        ups = ups - ups / n + plus
        downs = downs - downs / n + minus
        ranges = ranges - ranges / n + width
        mean = (mean * kept + _strength(ups, downs, ranges)) / n
        append(mean)
        top, bottom, before = high, low, close
    state.bar, state.sums, state.smooth.mean = (top, bottom, before), (ups, downs, ranges), mean
    state.count += len(found) - done
    state.smooth.count += len(found) - done
    return found


def _strength(ups: float, downs: float, ranges: float) -> float:
    if ranges == 0:
        return 0.0
    plus, minus = 100 * ups / ranges, 100 * downs / ranges
    both = plus + minus
    return 100 * abs(plus - minus) / both if both else 0.0


def fold_swings(highs: Sequence[float], lows: Sequence[float], k: int, first: int) -> list[Swing]:
    """Return the swings that the bars from `first` on confirm, in the order of `swings`.

    The columns are whole: a swing is judged by the `k` bars on each side, wherever they stand.
    """
    found: list[Swing] = []
    start = max(first - k, k)
    end = len(highs) - k
    for at in range(start, end):
        top, bottom = highs[at], lows[at]
        if highs[at - 1] < top > highs[at + 1] and _is_alone(highs, at, k, top):
            found.append(Swing("high", at, top, at + k))
        if lows[at - 1] > bottom < lows[at + 1] and _is_alone_below(lows, at, k, bottom):
            found.append(Swing("low", at, bottom, at + k))
    return found


def _is_alone(column: Sequence[float], at: int, k: int, value: float) -> bool:
    return max(column[at - k : at]) < value > max(column[at + 1 : at + k + 1])


def _is_alone_below(column: Sequence[float], at: int, k: int, value: float) -> bool:
    return min(column[at - k : at]) > value < min(column[at + 1 : at + k + 1])
