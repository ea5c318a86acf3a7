"""Owns why there is no setup: per detector the first precondition that does not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from services.market.grid import MINUTES
from services.market.session import Session, find_last_session, market_state
from services.strategy.detect import Detector
from services.strategy.scene import MarketContext, Scene
from services.strategy.view import Side

_Steps = Iterator[tuple[str, bool]]


@dataclass(frozen=True, slots=True)
class Lack:
    """One detector on one side: what fails first, and the share of steps that hold before it."""

    setup_id: str
    timeframe: str
    side: Side
    what: str
    held: int
    steps: int

    @property
    def words(self) -> str:
        """Return it as one phrase. Worked: `orb 5m long: no close above the opening range`."""
        return f"{self.setup_id} {self.timeframe} {self.side}: {self.what}"


def explain(
    context: MarketContext, detectors: Iterable[Detector], sides: Iterable[Side]
) -> tuple[Lack, ...]:
    """Return what every detector lacks at the newest bar, the nearest to a setup first."""
    wanted = tuple(sides)
    found = [
        _lack(context, one, timeframe, side)
        for one in detectors
        for timeframe in one.timeframes
        for side in wanted
    ]
    return tuple(sorted(found, key=lambda one: (-one.held / one.steps, one.words)))


def _lack(context: MarketContext, detector: Detector, timeframe: str, side: Side) -> Lack:
    scene = context.scene(side, timeframe)
    session = None if scene is None else _session_of(context.calendar, scene)
    if scene is None or session is None:
        return Lack(detector.id, timeframe, side, f"no {timeframe} bars", 0, 1)
    steps = list(_STEPS[detector.id](scene, session))
    held = next((at for at, (_, holds) in enumerate(steps) if not holds), len(steps))
    what = steps[held][0] if held < len(steps) else "it lies further back and has lapsed"
    return Lack(detector.id, timeframe, side, what, held, len(steps))


def _session_of(calendar: str, scene: Scene) -> Session | None:
    bar = scene.bars.bar()
    if scene.bars.timeframe in MINUTES:
        return market_state(calendar, bar.t_open).session
    return find_last_session(calendar, bar.t_close)


def _over(value: float | None, limit: float | None) -> bool:
    return value is not None and limit is not None and value > limit


def _least(value: float | None, limit: object) -> bool:
    return value is not None and value >= float(limit)  # type: ignore[arg-type]


def _orb(scene: Scene, session: Session) -> _Steps:
    bars, limits = scene.bars, scene.policy.orb
    found, atr = bars.read.opening_range(), scene.atr("1d")
    yield "the opening range is not complete", found is not None
    width = (found[0] - found[1]) / atr if found and atr else None
    fits = width is not None and limits.width_min <= width <= limits.width_max
    yield (
        f"the opening range is not {limits.width_min} to {limits.width_max} of the day's ATR wide",
        fits,
    )
    yield (
        f"more than {limits.minutes} minutes after the open",
        (scene.minutes_in(session) <= limits.minutes),
    )
    busy = _least(bars.read.rvol_tod(), limits.rvol_tod)
    yield f"volume is below {limits.rvol_tod} times the usual by this minute", busy
    yield (
        f"no close {_beyond(scene)} the opening range",
        _over(bars.close(), found[0] if found else None),
    )
    yield (
        f"the bar's volume is below {limits.rvol_bar} times the usual",
        (_least(bars.read.rvol_bar(), limits.rvol_bar)),
    )
    yield "an earlier bar broke the range first", False


def _vwap_reclaim(scene: Scene, session: Session) -> _Steps:  # noqa: ARG001 - every rule's shape
    bars, limits = scene.bars, scene.policy.vwap_reclaim
    yield "the day's trend is against it", _least(scene.trend("1d"), 0)
    yield f"no close {_beyond(scene)} VWAP", _over(bars.close(), bars.read.vwap())
    crossed = not _over(bars.close(1), bars.read.vwap(1))
    yield f"the close before was already {_beyond(scene)} VWAP", crossed
    yield (
        f"the bar's volume is below {limits.rvol_bar} times the usual",
        (_least(bars.read.rvol_bar(), limits.rvol_bar)),
    )
    yield f"fewer than {limits.below} of {limits.window} closes on the other side of VWAP", False


def _ema_pullback(scene: Scene, session: Session) -> _Steps:  # noqa: ARG001 - every rule's shape
    bars, limits = scene.bars, scene.policy.ema_pullback
    yield f"EMA20 is not {_beyond(scene)} EMA50", _over(bars.read.ema(20), bars.read.ema(50))
    yield f"ADX is below {limits.adx}", _least(bars.read.adx(), limits.adx)
    fast, atr, low = bars.read.ema(20), bars.read.atr(), bars.low()
    near = None if fast is None or atr is None else fast + float(limits.touch_atr) * atr
    yield "the price has not come back to EMA20", not _over(low, near) and near is not None
    yield f"no close {_beyond(scene)} EMA20", _over(bars.close(), fast)
    yield "the bar does not close beyond its open", _over(bars.close(), bars.open())
    yield "the higher timeframe disagrees, or no swing lies near", False


def _range_breakout(scene: Scene, session: Session) -> _Steps:  # noqa: ARG001 - every rule's shape
    bars, limits = scene.bars, scene.policy.range_breakout
    top, bottom, atr = bars.highest(limits.bars, 1), bars.lowest(limits.bars, 1), bars.read.atr(1)
    quiet = None not in (top, bottom, atr) and (
        top - bottom <= float(limits.height_atr) * atr  # type: ignore[operator]
    )
    yield f"the last {limits.bars} bars are no box of {limits.height_atr} ATR", quiet
    yield f"no close {_beyond(scene)} the box", _over(bars.close(), top)
    yield (
        f"the bar's volume is below {limits.rvol_bar} times the usual",
        (_least(bars.read.rvol_bar(), limits.rvol_bar)),
    )
    yield "too few touches of the box, or a weak close", False


def _ma_cross(scene: Scene, session: Session) -> _Steps:  # noqa: ARG001 - every rule's shape
    bars, limits = scene.bars, scene.policy.ma_cross
    daily = bars.timeframe == "1d"
    fast, slow = (limits.fast_day, limits.slow_day) if daily else (limits.fast, limits.slow)
    yield f"fewer than {limits.warm * slow} bars", len(bars) >= limits.warm * slow
    yield (
        f"EMA{fast} is not {_beyond(scene)} EMA{slow}",
        _over(bars.read.ema(fast), bars.read.ema(slow)),
    )
    yield f"EMA{fast} was {_beyond(scene)} EMA{slow} before already", False


def _vwap_deviation(scene: Scene, session: Session) -> _Steps:
    bars, limits = scene.bars, scene.policy.vwap_deviation
    calm = scene.views.get("15m")
    adx = calm.read.adx() if calm else None
    yield (
        f"ADX of 15 minutes is {limits.adx_max} or more",
        (adx is not None and adx < limits.adx_max),
    )
    inside = min(scene.minutes_in(session), scene.minutes_left(session)) >= limits.edge_minutes
    yield f"within {limits.edge_minutes} minutes of the open or the close", inside
    vwap, sigma, close = bars.read.vwap(), bars.read.sigma(), bars.close()
    edge = None if vwap is None or sigma is None else vwap - float(limits.sigmas) * sigma
    yield (
        f"the price is not {limits.sigmas} sigma away from VWAP",
        (close is not None and edge is not None and close <= edge),
    )
    rsi = bars.read.rsi()
    yield f"RSI is not below {limits.rsi}", rsi is not None and rsi < limits.rsi
    yield "the price has not turned yet", False


def _volume_spike(scene: Scene, session: Session) -> _Steps:
    bars, limits = scene.bars, scene.policy.volume_spike
    yesterday = scene.prior_day(session)
    yield (
        f"no close {_beyond(scene)} yesterday's range",
        _over(bars.close(), yesterday[0] if yesterday else None),
    )
    yield (
        f"the bar's volume is below {limits.rvol_bar} times the usual",
        (_least(bars.read.rvol_bar(), limits.rvol_bar)),
    )
    yield f"the bar is not {limits.range_atr} ATR wide, or closes weakly", False


def _weekly_breakout(scene: Scene, session: Session) -> _Steps:  # noqa: ARG001 - every rule's shape
    bars, limits = scene.bars, scene.policy.weekly_breakout
    high, close = bars.highest(limits.high_weeks), bars.close()
    near = high is not None and close is not None
    near = near and high - close <= float(limits.near_pct) * abs(high)  # type: ignore[operator,arg-type]
    yield f"not within {limits.near_pct} of the {limits.high_weeks}-week extreme", bool(near)
    yield (
        f"EMA{limits.fast} is not {_beyond(scene)} EMA{limits.slow} of weeks",
        _over(bars.read.ema(limits.fast), bars.read.ema(limits.slow)),
    )
    yield (
        f"no weekly close {_beyond(scene)} the last {limits.close_weeks}",
        _over(close, bars.highest_close(limits.close_weeks, 1)),
    )
    yield "the weekly ranges have not contracted", False


def _beyond(scene: Scene) -> str:
    return "above" if scene.side == "long" else "below"


_STEPS: dict[str, Callable[[Scene, Session], _Steps]] = {
    "orb": _orb,
    "vwap_reclaim": _vwap_reclaim,
    "ema_pullback": _ema_pullback,
    "range_breakout": _range_breakout,
    "ma_cross": _ma_cross,
    "vwap_deviation": _vwap_deviation,
    "volume_spike": _volume_spike,
    "weekly_breakout": _weekly_breakout,
}
