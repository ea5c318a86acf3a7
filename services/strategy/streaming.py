"""Owns streaming strategies: the plug-in, its signal, the runner around it, and three built-ins."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from services.kit.canonical import canonical, tagged_hash
from services.kit.errors import refuse
from services.market.param import require, require_count
from services.strategy.stream_rule import Signal as Side
from services.strategy.stream_rule import ma_cross, volume_spike, vwap_deviation

COOLDOWN = 5
"""Windows after a signal in which the runner passes on none."""
GAP_MAX = 3
"""Missing windows after which a symbol's state begins anew."""
ONE = Decimal(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The metrics of one window `[start, end)` of one symbol."""

    start: datetime
    end: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    vwap: Decimal


@dataclass(frozen=True, slots=True)
class Say:
    """What a strategy says to a window: a side, how strongly (0 to 1), why, and what it read."""

    side: Side
    strength: Decimal
    reason: str
    inputs: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSignal:
    """A signal that the runner passed on. It is told or proposed; it never places an order."""

    signal_id: str
    strategy_id: str
    version: str
    symbol: str
    side: Side
    strength: Decimal
    window_start: datetime
    price: Decimal
    reason: str
    inputs: Mapping[str, Decimal]


class Strategy(Protocol):
    """A plug-in: pure on its state and the windows it is given, one state per symbol.

    `snapshot` returns the whole state as canonical bytes and `restore` takes them back.
    """

    @property
    def id(self) -> str:
        """Return its name."""
        ...

    @property
    def version(self) -> str:
        """Return the version of its rule."""
        ...

    @property
    def params(self) -> Mapping[str, Decimal]:
        """Return its numbers; they are part of every signal's id."""
        ...

    def on_metric(self, symbol: str, metrics: Window) -> Say | None:
        """Take one more window of a symbol; None while it warms up or has nothing to say."""
        ...

    def reset(self, symbol: str) -> None:
        """Forget a symbol's windows."""
        ...

    def snapshot(self) -> bytes:
        """Return the state."""
        ...

    def restore(self, content: bytes) -> None:
        """Take up a state."""
        ...


@dataclass(slots=True)
class _Memory:
    """What the runner knows of a symbol: its last window, and how long it still rests."""

    last: datetime | None = None
    rest: int = 0


@dataclass(slots=True)
class Runner:
    """Feeds one strategy window by window; repeated and late windows are left out and counted.

    After a signal a symbol rests five windows. More than three missing windows reset its state.
    """

    strategy: Strategy
    ignored: int = 0
    _memory: dict[str, _Memory] = field(default_factory=dict)

    def on_window(
        self, symbol: str, window: Window, *, follows: bool = False
    ) -> StreamSignal | None:
        """Take one window and return its signal; `follows` says that no window can be missing.

        Bars of sessions follow one another over nights and weekends.
        """
        memory = self._memory.setdefault(symbol, _Memory())
        if memory.last is not None:
            if window.start <= memory.last:
                self.ignored += 1
                return None
            missing = (window.start - memory.last) // (window.end - window.start) - 1
            if missing > GAP_MAX and not follows:
                self.strategy.reset(symbol)
        memory.last = window.start
        said = self.strategy.on_metric(symbol, window)
        if memory.rest:
            memory.rest -= 1
            return None
        if said is None:
            return None
        memory.rest = COOLDOWN
        return _signal(self.strategy, symbol, window, said)


def _signal(strategy: Strategy, symbol: str, window: Window, said: Say) -> StreamSignal:
    identity = {
        "strategy": strategy.id,
        "version": strategy.version,
        "params": dict(strategy.params),
        "symbol": symbol,
        "window_start": window.start,
        "side": said.side,
    }
    return StreamSignal(
        signal_id=tagged_hash("signal/v1", identity),
        strategy_id=strategy.id,
        version=strategy.version,
        symbol=symbol,
        side=said.side,
        strength=said.strength,
        window_start=window.start,
        price=window.close,
        reason=said.reason,
        inputs=said.inputs,
    )


class _Remembering:
    """The last windows of each symbol as rows of Decimals, and their snapshot."""

    id = ""
    version = "1"

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._rows: dict[str, deque[tuple[Decimal, ...]]] = {}

    def _rows_of(self, symbol: str) -> deque[tuple[Decimal, ...]]:
        return self._rows.setdefault(symbol, deque(maxlen=self._depth))

    def reset(self, symbol: str) -> None:
        """Forget a symbol's windows."""
        self._rows.pop(symbol, None)

    def snapshot(self) -> bytes:
        """Return the windows of every symbol as canonical bytes."""
        return canonical({name: [list(row) for row in rows] for name, rows in self._rows.items()})

    def restore(self, content: bytes) -> None:
        """Take up the windows of a snapshot. Raises `PARAM_INVALID` for other bytes."""
        try:
            body: Any = json.loads(content)
            rows = {
                str(name): [tuple(Decimal(cell) for cell in row) for row in kept]
                for name, kept in body.items()
            }
        except (ValueError, ArithmeticError, AttributeError, TypeError) as error:
            raise refuse(
                "PARAM_INVALID", name="snapshot", value=str(content[:40]), rule="own bytes only"
            ) from error
        self._rows = {name: deque(kept, maxlen=self._depth) for name, kept in rows.items()}


class MaCrossRule(_Remembering):
    """Simple averages of window closes that cross: up buys, down sells."""

    id = "ma_cross"

    def __init__(self, fast: int = 5, slow: int = 20) -> None:
        require_count("fast", fast)
        require(fast < slow, "fast", value=fast, rule=f"must be below slow {slow}")
        super().__init__(slow + 1)
        self._fast, self._slow = fast, slow

    @property
    def params(self) -> Mapping[str, Decimal]:
        """Return the two lengths."""
        return {"fast": Decimal(self._fast), "slow": Decimal(self._slow)}

    def on_metric(self, symbol: str, metrics: Window) -> Say | None:
        """Return the cross of the newest close, or None."""
        rows = self._rows_of(symbol)
        rows.append((metrics.close,))
        closes = [row[0] for row in rows]
        found = ma_cross(closes, fast=self._fast, slow=self._slow)[-1]
        if found is None:
            return None
        way = "above" if found == "BUY" else "below"
        reason = f"the average of {self._fast} crossed {way} that of {self._slow}"
        return Say(found, ONE, reason, {"close": metrics.close})


class DeviationRule(_Remembering):
    """A close far from the rolling VWAP: far below buys, far above sells."""

    id = "vwap_deviation"

    def __init__(self, threshold_pct: Decimal = ONE, lookback: int = 30) -> None:
        require(threshold_pct > 0, "threshold_pct", value=threshold_pct, rule="must be above 0")
        require_count("lookback", lookback)
        super().__init__(lookback)
        self._threshold, self._lookback = threshold_pct, lookback

    @property
    def params(self) -> Mapping[str, Decimal]:
        """Return the threshold and the windows of the rolling VWAP."""
        return {"threshold_pct": self._threshold, "lookback": Decimal(self._lookback)}

    def on_metric(self, symbol: str, metrics: Window) -> Say | None:
        """Return what the newest close's distance says, None before the VWAP is whole."""
        rows = self._rows_of(symbol)
        rows.append((metrics.vwap * metrics.volume, metrics.volume))
        volume = sum((row[1] for row in rows), Decimal(0))
        if len(rows) < self._lookback or volume <= 0:
            return None
        vwap = sum((row[0] for row in rows), Decimal(0)) / volume
        found = vwap_deviation(metrics.close, vwap, threshold_pct=self._threshold)
        if found.signal is None:
            return None
        reason = f"the close is {found.deviation_pct} % from its VWAP"
        inputs = {"close": metrics.close, "deviation_pct": found.deviation_pct}
        return Say(found.signal, found.strength, reason, inputs)


class SpikeRule(_Remembering):
    """A window of exceptional volume: one that rose buys, one that fell sells."""

    id = "volume_spike"

    def __init__(self, multiple: Decimal = Decimal(3), lookback: int = 20) -> None:
        require(multiple > 0, "multiple", value=multiple, rule="must be above 0")
        require_count("lookback", lookback)
        super().__init__(lookback)
        self._multiple, self._lookback = multiple, lookback

    @property
    def params(self) -> Mapping[str, Decimal]:
        """Return the multiple and how many windows are the usual."""
        return {"multiple": self._multiple, "lookback": Decimal(self._lookback)}

    def on_metric(self, symbol: str, metrics: Window) -> Say | None:
        """Return what the newest window's volume says, None before there is a usual one."""
        rows = self._rows_of(symbol)
        found = volume_spike(
            [row[0] for row in rows],
            metrics.volume,
            moved=metrics.close - metrics.open,
            multiple=self._multiple,
            lookback=self._lookback,
        )
        rows.append((metrics.volume,))
        if found.signal is None or found.ratio is None:
            return None
        reason = f"volume is {found.ratio} times the usual"
        strength = min(ONE, found.ratio / (2 * self._multiple))
        return Say(found.signal, strength, reason, {"ratio": found.ratio})
