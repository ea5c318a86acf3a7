"""Owns the initial stop: its candidates, the method that chooses, bounds, and the tick."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, assert_never

from services.kit.errors import refuse
from services.kit.money import decimal_text, rounded, tick_round
from services.trade.param import (
    Side,
    require,
    require_above_zero,
    require_not_negative,
    require_side,
)

StopMethod = Literal["structure_ema", "atr", "structure", "tightest"]
METHODS = ("structure_ema", "atr", "structure", "tightest")
DEFAULT_BOUNDS = (Decimal("0.5"), Decimal("3.0"))
STRUCTURE_ROOM_ATR = Decimal("0.10")
EMA_ROOM_ATR = Decimal("0.25")


@dataclass(frozen=True, slots=True, kw_only=True)
class StopInputs:
    """What a stop is built from. `structure` is the low of a long, the high of a short."""

    entry_worst: Decimal
    atr: Decimal
    structure: Decimal
    ema20: Decimal
    k_atr: Decimal
    tick: Decimal


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop on tick, its distance from the worst entry without costs, and the candidates."""

    price: Decimal
    distance: Decimal
    atr_multiple: Decimal
    candidates: dict[str, Decimal]
    flags: tuple[str, ...]


def build_stop(
    side: Side,
    inputs: StopInputs,
    *,
    method: StopMethod = "structure_ema",
    bounds: tuple[Decimal, Decimal] = DEFAULT_BOUNDS,
) -> Stop:
    """Return the stop of `method`, clamped to `bounds` (in ATR, ends allowed), then on tick.

    The tick rounds away from the entry: down for a long, up for a short. Raises `ATR_ZERO`,
    `STOP_WRONG_SIDE` when the chosen candidate is at or beyond the entry, `PARAM_INVALID`.
    Worked: long 100.20, ATR 1.10, low 99.05, EMA20 99.40, k 1.5: candidates 98.55, 98.94,
    99.125; `structure_ema` is 98.94, 1.26 or 1.1455 ATR away.
    """
    sign = require_side(side)
    _require_inputs(inputs, method, bounds)
    if inputs.atr == 0:
        raise refuse("ATR_ZERO", name="atr")
    candidates = _candidates(sign, inputs)
    chosen = _choose(sign, candidates, method)
    clamped = _clamp(sign, chosen, inputs, bounds)
    price = tick_round(clamped, inputs.tick, "floor" if sign > 0 else "ceil")
    distance = sign * (inputs.entry_worst - price)
    if sign * (inputs.entry_worst - chosen) <= 0 or distance <= 0:
        raise refuse(
            "STOP_WRONG_SIDE",
            stop=decimal_text(rounded(chosen, 6)),
            side=side,
            entry=decimal_text(inputs.entry_worst),
        )
    require(price > 0, "stop", value=price, rule="must be above 0")
    flags = ("STOP_CLAMPED",) if clamped != chosen else ()
    return Stop(price, distance, distance / inputs.atr, candidates, flags)


def fit_stop(
    side: Side,
    inputs: StopInputs,
    *,
    method: StopMethod = "structure_ema",
    bounds: tuple[Decimal, Decimal] = DEFAULT_BOUNDS,
) -> Stop:
    """Return the stop of `build_stop` on the last step that keeps the bounds, for a plan of ours.

    Rounding away from the entry may carry a stop at the far bound beyond it; that one is put on the
    step before, with `STOP_CLAMPED`. Raises as `build_stop` does, and `STOP_TOO_WIDE` when no step
    lies within the bounds.
    Worked: long 100.00 with ATR 0.125 and a low of 99.00 ends at 99.63, 2.96 ATR, not at 99.62.
    """
    built = build_stop(side, inputs, method=method, bounds=bounds)
    low, high = bounds[0] * inputs.atr, bounds[1] * inputs.atr
    if built.distance <= high:
        return built
    sign = require_side(side)
    bound = inputs.entry_worst - sign * high
    price = tick_round(bound, inputs.tick, "ceil" if sign > 0 else "floor")
    distance = sign * (inputs.entry_worst - price)
    if distance < low:
        multiple = rounded(built.atr_multiple, 4)
        raise refuse("STOP_TOO_WIDE", x=multiple, lo=bounds[0], hi=bounds[1])
    return Stop(price, distance, distance / inputs.atr, built.candidates, ("STOP_CLAMPED",))


def _require_inputs(inputs: StopInputs, method: str, bounds: tuple[Decimal, Decimal]) -> None:
    require_above_zero(
        entry_worst=inputs.entry_worst,
        structure=inputs.structure,
        ema20=inputs.ema20,
        k_atr=inputs.k_atr,
        tick=inputs.tick,
    )
    require_not_negative(atr=inputs.atr)
    require(method in METHODS, "method", value=method, rule="must be one of " + ", ".join(METHODS))
    require(
        0 < bounds[0] <= bounds[1],
        "stop_atr_bounds",
        value=str(bounds[0]),
        rule="must be two ascending numbers above 0",
    )


def _candidates(sign: int, inputs: StopInputs) -> dict[str, Decimal]:
    atr = inputs.atr
    return {
        "atr": inputs.entry_worst - sign * inputs.k_atr * atr,
        "structure": inputs.structure - sign * STRUCTURE_ROOM_ATR * atr,
        "ema": inputs.ema20 - sign * EMA_ROOM_ATR * atr,
    }


def _choose(sign: int, candidates: dict[str, Decimal], method: StopMethod) -> Decimal:
    farthest, nearest = (min, max) if sign > 0 else (max, min)
    match method:
        case "structure_ema":
            return farthest(candidates["structure"], candidates["ema"])
        case "atr" | "structure":
            return candidates[method]
        case "tightest":
            return nearest(candidates.values())
        case _:
            assert_never(method)


def _clamp(
    sign: int, chosen: Decimal, inputs: StopInputs, bounds: tuple[Decimal, Decimal]
) -> Decimal:
    distance = sign * (inputs.entry_worst - chosen)
    low, high = bounds[0] * inputs.atr, bounds[1] * inputs.atr
    return inputs.entry_worst - sign * min(max(distance, low), high)


def require_ratchet(side: Side, *, old: Decimal, new: Decimal) -> Decimal:
    """Return the new stop when it moves toward profit or stays; else raise `STOP_LOOSENED`."""
    if require_side(side) * (new - old) < 0:
        raise refuse("STOP_LOOSENED", old=decimal_text(old), new=decimal_text(new))
    return new
