"""Owns the idea of a setup: its entry zone on tick and its stop; what plans and labels share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from services.kit.errors import check, refuse
from services.kit.money import from_float, tick_round
from services.kit.policy import PlanPolicy
from services.strategy.level_list import INTRADAY, Level, level_list
from services.strategy.scene import MarketContext, Scene
from services.strategy.setup import Setup
from services.trade.stop import Stop, StopInputs, fit_stop

Style = Literal["intraday", "swing", "leaps"]
WARM_BARS = 80
"""Four times EMA20, the longest average that a stop stands on."""
PLACES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """A setup whose zone is on tick, with its stop, as everything stood when it triggered.

    `trimmed` is the zone's worst end before it was cut to half an ATR, None when it was not.
    """

    setup: Setup
    context: MarketContext
    scene: Scene
    atr: Decimal
    ema20: Decimal
    stop: Stop
    levels: tuple[Level, ...]
    trimmed: Decimal | None = None

    @property
    def style(self) -> Literal["intraday", "swing"]:
        """Return how long it is held: `intraday` ends with the session."""
        return style_of(self.setup.timeframe)

    @property
    def sign(self) -> int:
        """Return +1 for a long, -1 for a short."""
        return 1 if self.setup.side == "long" else -1

    @property
    def worst(self) -> Decimal:
        """Return the entry that risk and reward are measured from."""
        return self.setup.worst

    @property
    def k_atr(self) -> str:
        """Return the name of the ATR multiple's rule, for the words of a plan."""
        return "k_atr_intraday" if self.style == "intraday" else "k_atr_swing"


def style_of(timeframe: str) -> Literal["intraday", "swing"]:
    """Return the style of a setup's timeframe. Worked: 15m is intraday, 60m a swing."""
    return "intraday" if timeframe in INTRADAY else "swing"


def build_idea(context: MarketContext, setup: Setup, *, policy: PlanPolicy) -> Idea:
    """Return the idea of `setup`, read from the bars that were complete when it triggered.

    The zone is rounded against ourselves and cut to 0.5 ATR; the stop is that of `fit_stop`
    by the policy's method. Raises `INSUFFICIENT_BARS` below 80 bars, `ATR_ZERO`,
    `STOP_WRONG_SIDE`, `STOP_TOO_WIDE`.
    """
    then = replace(context, as_of=setup.trigger_ts)
    scene = then.scene("long", setup.timeframe)
    check(scene is not None, "a setup has a bar", setup=setup.setup_id)
    bars = scene.bars  # type: ignore[union-attr]
    if len(bars) < WARM_BARS:
        raise refuse("INSUFFICIENT_BARS", indicator="EMA20", need=WARM_BARS, have=len(bars))
    atr, ema20 = bars.read.atr(), bars.read.ema(20)
    if atr is None or ema20 is None:
        raise refuse("ATR_ZERO", name=f"ATR14 of {setup.symbol} {setup.timeframe}")
    width = from_float(atr, PLACES)
    zoned, trimmed = _zone(setup, context.tick, policy.zone_atr_max * width)
    short_hold = style_of(setup.timeframe) == "intraday"
    stop = fit_stop(
        setup.side,
        StopInputs(
            entry_worst=zoned.worst,
            atr=width,
            structure=setup.structure,
            ema20=from_float(ema20, PLACES),
            k_atr=policy.k_atr_intraday if short_hold else policy.k_atr_swing,
            tick=context.tick,
        ),
        method=policy.stop_method,  # type: ignore[arg-type]
        bounds=(policy.stop_atr_min, policy.stop_atr_max),
    )
    return Idea(
        setup=zoned,
        context=then,
        scene=scene,  # type: ignore[arg-type]
        atr=width,
        ema20=from_float(ema20, PLACES),
        stop=stop,
        levels=level_list(scene),  # type: ignore[arg-type]
        trimmed=trimmed,
    )


def _zone(setup: Setup, tick: Decimal, limit: Decimal) -> tuple[Setup, Decimal | None]:
    """Return the setup with its zone on tick and at most `limit` wide, and what was cut off.

    A trigger rounds away from the market, a limit never pays more, a market entry is taken at
    the worse step.
    """
    long = setup.side == "long"
    worse, better = ("ceil", "floor") if long else ("floor", "ceil")
    near, far = (setup.entry_lo, setup.entry_hi) if long else (setup.entry_hi, setup.entry_lo)
    sign = 1 if long else -1
    near = tick_round(near, tick, better if setup.entry_kind == "limit" else worse)  # type: ignore[arg-type]
    far = tick_round(far, tick, worse if setup.entry_kind == "market" else better)  # type: ignore[arg-type]
    if sign * (far - near) < 0:
        far = near
    cut = None
    if sign * (far - near) > limit:
        cut, far = far, tick_round(near + sign * limit, tick, better)  # type: ignore[arg-type]
    low, high = (near, far) if long else (far, near)
    return replace(setup, entry_lo=low, entry_hi=high), cut
