"""Owns the fill model of the paper broker: at which price and quantity an order would fill."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.kit.errors import refuse
from services.kit.money import decimal_text, floor_to, rounded, tick_round

Side = Literal["buy", "sell"]
BPS = Decimal(10_000)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class FillPrice:
    """The price of a fill, on tick and rounded against us, and what was assumed for it."""

    price: Decimal
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FillQuantity:
    """How much fills now; `PARTIAL` when something is left to wait."""

    quantity: Decimal
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TradedRange:
    """Open, high, low and volume of a bar, or of one print (all three equal)."""

    open: Decimal
    high: Decimal
    low: Decimal
    volume: Decimal = ZERO


def _require(condition: object, name: str, value: object, rule: str) -> None:
    if not condition:
        text = decimal_text(value) if isinstance(value, Decimal) else str(value)
        raise refuse("PARAM_INVALID", name=name, value=text, rule=rule)


def _require_terms(side: str, slippage_bps: Decimal, tick: Decimal) -> None:
    _require(side in ("buy", "sell"), "side", side, "must be buy or sell")
    _require(0 <= slippage_bps < BPS, "slippage_bps", slippage_bps, "must be 0 to 9999.99")
    _require(tick > 0, "tick", tick, "must be above 0")


def _against_us(side: str, price: Decimal, tick: Decimal) -> Decimal:
    on_tick = tick_round(price, tick, "ceil" if side == "buy" else "floor")
    _require(on_tick > 0, "price", price, "a fill below one tick can not be")
    return on_tick


def _slipped(side: str, price: Decimal, slippage_bps: Decimal) -> Decimal:
    shift = slippage_bps / BPS
    return price * (1 + shift if side == "buy" else 1 - shift)


def market_fill(
    side: Side, bid: Decimal, *, ask: Decimal, slippage_bps: Decimal, tick: Decimal
) -> FillPrice:
    """Return the fill of a market order at a fresh quote: far side, slippage, then the tick.

    Buys round up, sells down. Raises `PARAM_INVALID` for a crossed or non-positive quote.
    Worked: 199.98 / 200.02, 2 bps, tick 0.01, buy is 200.07 (200.060004 rounded up).
    """
    _require_terms(side, slippage_bps, tick)
    _require(bid > 0, "bid", bid, "must be above 0")
    _require(ask >= bid, "ask", ask, "must not be below the bid")
    price = _slipped(side, ask if side == "buy" else bid, slippage_bps)
    return FillPrice(_against_us(side, price, tick))


def market_fill_without_quote(
    side: Side, last: Decimal, *, half_spread_bps: Decimal, slippage_bps: Decimal, tick: Decimal
) -> FillPrice:
    """Return the fill of a market order from the last trade, flag `SYNTHETIC_SPREAD`.

    The assumed half spread is the larger of `half_spread_bps` and one tick; slippage follows.
    Worked: last 200, 2 bps, 2 bps, tick 0.01, buy is 200.09 (200.080008 rounded up).
    """
    _require_terms(side, slippage_bps, tick)
    _require(last > 0, "last", last, "must be above 0")
    _require(half_spread_bps >= 0, "half_spread_bps", half_spread_bps, "must be 0 or more")
    half = max(last * half_spread_bps / BPS, tick)
    far = last + half if side == "buy" else last - half
    price = _against_us(side, _slipped(side, far, slippage_bps), tick)
    return FillPrice(price, ("SYNTHETIC_SPREAD",))


def find_limit_fill(
    side: Side, limit: Decimal, *, traded: TradedRange, tick: Decimal
) -> FillPrice | None:
    """Return the fill of a limit order when the market traded through it, else None.

    Touching does not fill: the place in the queue is unknown. An open that is already better
    fills at the open. Never worse than the limit; no slippage.
    """
    _require_terms(side, ZERO, tick)
    _require(limit > 0, "limit", limit, "must be above 0")
    buys = side == "buy"
    if not (traded.low < limit if buys else traded.high > limit):
        return None
    better = traded.open < limit if buys else traded.open > limit
    if not better:
        return FillPrice(limit)
    price = _against_us(side, traded.open, tick)
    return FillPrice(min(price, limit) if buys else max(price, limit))


def find_stop_fill(
    side: Side, stop: Decimal, *, traded: TradedRange, slippage_bps: Decimal, tick: Decimal
) -> FillPrice | None:
    """Return the fill of a stop order that was touched, else None.

    It fills at the worse of open and stop, plus slippage, rounded against us.
    Worked: sell stop 98, open 97.50, 2 bps, tick 0.01 is 97.48 (97.4805 rounded down).
    """
    _require_terms(side, slippage_bps, tick)
    _require(stop > 0, "stop", stop, "must be above 0")
    buys = side == "buy"
    if not (traded.high >= stop if buys else traded.low <= stop):
        return None
    worse = max(traded.open, stop) if buys else min(traded.open, stop)
    return FillPrice(_against_us(side, _slipped(side, worse, slippage_bps), tick))


def fill_quantity(
    remaining: Decimal, volume: Decimal, *, max_volume_pct: Decimal, lot: Decimal
) -> FillQuantity:
    """Return what fills of `remaining` against a bar's volume; the rest waits (`PARTIAL`).

    At most `max_volume_pct` (a fraction) of the volume, in whole lots. Zero fills nothing.
    Worked: 500 wanted, 3,210 traded, 10 %, lot 1 fills 321 and is `PARTIAL`.
    """
    _require(remaining > 0, "remaining", remaining, "must be above 0")
    _require(volume >= 0, "volume", volume, "must be 0 or more")
    _require(0 < max_volume_pct <= 1, "max_volume_pct", max_volume_pct, "must be above 0, up to 1")
    _require(lot > 0, "lot", lot, "must be above 0")
    quantity = min(remaining, floor_to(volume * max_volume_pct, lot))
    return FillQuantity(quantity, ("PARTIAL",) if quantity < remaining else ())


def commission(
    quantity: Decimal, *, per_unit: Decimal, minimum: Decimal, already_filled: Decimal = ZERO
) -> Decimal:
    """Return the money that this fill costs, 2 decimals half-even; the minimum is per order.

    `already_filled` is what earlier fills of the same order charged for. Worked: 0.005 a share,
    minimum 1.00: 300 shares cost 1.50, and 100 then 200 shares cost 1.00 then 0.50.
    """
    _require(quantity > 0, "quantity", quantity, "must be above 0")
    _require(already_filled >= 0, "already_filled", already_filled, "must be 0 or more")
    _require(per_unit >= 0, "per_unit", per_unit, "must be 0 or more")
    _require(minimum >= 0, "minimum", minimum, "must be 0 or more")

    def charged(total: Decimal) -> Decimal:
        return rounded(max(minimum, total * per_unit), 2) if total else ZERO

    return charged(already_filled + quantity) - charged(already_filled)
