"""Owns what an order is called at Tradier: tickets of every class, as deterministic form bytes.

The rules are those of the provider's pages on placing equity, option, multileg and advanced
orders. A ticket that breaks one is refused here, before anybody confirms it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal
from urllib.parse import urlencode

from services.kit.errors import Refusal, refuse
from services.kit.money import decimal_text
from services.market.osi import find_option
from services.market.tradier_reference import vendor_symbol
from services.orders.broker import Change
from services.orders.order import Order, OrderType, Side

LegType = Literal["market", "limit", "stop", "stop_limit"]
SpreadType = Literal["market", "debit", "credit", "even"]
Duration = Literal["day", "gtc", "pre", "post"]
EquitySide = Literal["buy", "buy_to_cover", "sell", "sell_short"]
OptionSide = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]

LEGS_MAX = 4
_TAG = re.compile(r"[A-Za-z0-9-]{1,255}", re.ASCII)
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,9}([./][A-Z]{1,3})?", re.ASCII)
_OPTION_SIDES = ("buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close")
_EQUITY_SIDES = ("buy", "buy_to_cover", "sell", "sell_short")
_PRICES = {"market": (), "limit": ("price",), "stop": ("stop",), "stop_limit": ("price", "stop")}
_QUANTITY_MAX = 9_999_999
_CENT, _TENTH = Decimal("0.01"), Decimal("0.0001")
Fields = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One order of a ticket. Prices per unit in USD; `option_symbol` makes it one of contracts.

    `price` is the limit and `stop` the trigger, each given exactly when the type has it.
    """

    symbol: str
    side: EquitySide | OptionSide
    quantity: Decimal
    type: LegType = "market"
    duration: Duration = "day"
    price: Decimal | None = None
    stop: Decimal | None = None
    option_symbol: str = ""

    @property
    def buys(self) -> bool:
        """Return True for a side that takes shares or contracts in."""
        return self.side.startswith("buy")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadLeg:
    """One option of a multileg order: which contract, which way, how many."""

    option_symbol: str
    side: OptionSide
    quantity: Decimal


def leg_of(order: Order) -> Leg:
    """Return the leg of a confirmed order of shares; pure. Raises `PARAM_INVALID`.

    The band that the person confirmed goes with it: a buy never pays more than `worst_price`, so
    a market buy travels as a limit at that price and a stop buy as a stop-limit. A sale has no
    such bound. Worked: buy 10 at market, at most 192.01, is `limit` at 192.01.
    """
    buys = order.side is Side.BUY
    price, kind = order.limit_price, order.type.value
    if buys and order.type is not OrderType.LIMIT:
        price, kind = order.worst_price, "limit" if order.type is OrderType.MARKET else "stop_limit"
    found: LegType = _TYPES[kind]
    return Leg(
        symbol=order.symbol,
        side="buy" if buys else "sell",
        quantity=order.quantity,
        type=found,
        duration="gtc" if order.tif.value == "gtc" else "day",
        price=price,
        stop=order.stop_price,
    )


_TYPES: dict[str, LegType] = {
    "market": "market",
    "limit": "limit",
    "stop": "stop",
    "stop_limit": "stop_limit",
}


def build_single(leg: Leg, tag: str) -> bytes:
    """Return the form of an order of shares or of one option. Raises `PARAM_INVALID`."""
    _require_leg(leg)
    fields = [
        ("class", "option" if leg.option_symbol else "equity"),
        ("symbol", vendor_symbol(leg.symbol)),
        *([("option_symbol", leg.option_symbol)] if leg.option_symbol else []),
        ("side", leg.side),
        ("quantity", decimal_text(leg.quantity)),
        ("type", leg.type),
        ("duration", leg.duration),
        *_prices(leg),
    ]
    return _form(fields, tag)


def build_multileg(
    symbol: str,
    legs: Sequence[SpreadLeg],
    tag: str,
    *,
    kind: SpreadType,
    duration: Duration = "day",
    price: Decimal | None = None,
) -> bytes:
    """Return the form of two to four options of one underlying traded as one.

    `price` is the net debit or credit per unit, and absent at market and even. Raises
    `PARAM_INVALID`.
    """
    _require_symbol(symbol)
    names = [leg.option_symbol for leg in legs]
    _require(2 <= len(legs) <= LEGS_MAX, "legs", len(legs), f"a spread has 2 to {LEGS_MAX} legs")
    _require(len(dict.fromkeys(names)) == len(names), "legs", names[0], "one contract stands twice")
    _require(
        (price is not None) == (kind in ("debit", "credit")),
        "price",
        price,
        "a debit or a credit names its price, the other types have none",
    )
    _require_price("price", price)
    _require(duration in ("day", "gtc"), "duration", duration, "must be day or gtc")
    _require(kind != "market" or duration == "day", "duration", duration, "at market it is day")
    for leg in legs:
        _require_option(leg.option_symbol, symbol)
        _require(leg.side in _OPTION_SIDES, "side", leg.side, "must be a side of options")
        _require_quantity(leg.quantity)
    rows = [
        pair
        for index, leg in enumerate(legs)
        for pair in (
            (f"option_symbol[{index}]", leg.option_symbol),
            (f"side[{index}]", leg.side),
            (f"quantity[{index}]", decimal_text(leg.quantity)),
        )
    ]
    head = [("class", "multileg"), ("symbol", vendor_symbol(symbol)), ("type", kind)]
    named = [] if price is None else [("price", decimal_text(price))]
    return _form([*head, ("duration", duration), *named, *rows], tag)


def build_oco(first: Leg, second: Leg, tag: str) -> bytes:
    """Return the form of two orders of which one cancels the other. Raises `PARAM_INVALID`."""
    _require_exits(first, second)
    return _form(_group("oco", (first, second)), tag)


def build_oto(entry: Leg, then: Leg, tag: str) -> bytes:
    """Return the form of an order that places a second when it fills. Raises `PARAM_INVALID`."""
    _require_entry(entry)
    return _form(_group("oto", (entry, then)), tag)


def build_otoco(entry: Leg, target: Leg, stop: Leg, tag: str) -> bytes:
    """Return the form of a bracket: an entry, then a target and a stop that exclude each other.

    The exits trade what the entry traded, the other way and as much; the entry names its price,
    because the provider takes no market entry into a group. Raises `PARAM_INVALID`.
    """
    _require_entry(entry)
    _require_exits(target, stop)
    _require(target.type == "limit", "type", target.type, "the target of a bracket is a limit")
    _require(
        stop.type in ("stop", "stop_limit"), "type", stop.type, "the stop of a bracket is a stop"
    )
    for leg in (target, stop):
        _require(_traded(leg) == _traded(entry), "symbol", leg.symbol, "exits trade the entry")
        _require(leg.buys != entry.buys, "side", leg.side, "an exit trades the other way")
        _require(leg.quantity == entry.quantity, "quantity", leg.quantity, "exits close the entry")
    far, near = (target.price, stop.stop) if entry.buys else (stop.stop, target.price)
    at = entry.price if entry.price is not None else entry.stop
    ordered = near is not None and at is not None and far is not None and near < at < far
    _require(ordered, "stop", stop.stop, "stop and target lie on the two sides of the entry")
    return _form(_group("otoco", (entry, target, stop)), tag)


def build_change(change: Change) -> bytes:
    """Return the form that changes a working order: type, duration and prices, nothing else.

    A stop with a limit beside it becomes a stop-limit. Raises `PARAM_INVALID`.
    """
    kind = _TYPES[change.type.value]
    both = change.limit_price is not None and change.stop_price is not None
    kind = "stop_limit" if both and kind == "stop" else kind
    _require(kind != "market", "type", kind, "a working order changes into one with a price")
    given = (("price", change.limit_price), ("stop", change.stop_price))
    for name, value in given:
        wanted = name in _PRICES[kind]
        _require(
            (value is not None) == wanted,
            name,
            value,
            f"a {kind} order {'needs it' if wanted else 'has none'}",
        )
        _require_price(name, value)
    prices = [(name, decimal_text(value)) for name, value in given if value is not None]
    return urlencode([("type", kind), ("duration", change.tif.value), *prices]).encode("ascii")


def as_preview(form: bytes) -> bytes:
    """Return the same form as a question: what it would cost, nothing placed."""
    return form + b"&preview=true"


def _group(name: str, legs: Sequence[Leg]) -> Fields:
    for leg in legs:
        _require_leg(leg)
    durations = list(dict.fromkeys(leg.duration for leg in legs))
    fields = [("class", name)] + ([("duration", durations[0])] if len(durations) == 1 else [])
    for index, leg in enumerate(legs):
        fields += [
            (f"symbol[{index}]", vendor_symbol(leg.symbol)),
            *([(f"option_symbol[{index}]", leg.option_symbol)] if leg.option_symbol else []),
            (f"side[{index}]", leg.side),
            (f"quantity[{index}]", decimal_text(leg.quantity)),
            (f"type[{index}]", leg.type),
            *([(f"duration[{index}]", leg.duration)] if len(durations) > 1 else []),
            *((f"{key}[{index}]", value) for key, value in _prices(leg)),
        ]
    return fields


def _prices(leg: Leg) -> Fields:
    given = (("price", leg.price), ("stop", leg.stop))
    return [(name, decimal_text(value)) for name, value in given if value is not None]


def _form(fields: Fields, tag: str) -> bytes:
    _require(_TAG.fullmatch(tag), "tag", tag, "letters, digits and - only, 1 to 255 of them")
    return urlencode([*fields, ("tag", tag)]).encode("ascii")


def _traded(leg: Leg) -> str:
    return leg.option_symbol or leg.symbol


def _require_leg(leg: Leg) -> None:
    _require_symbol(leg.symbol)
    _require_quantity(leg.quantity)
    sides = _OPTION_SIDES if leg.option_symbol else _EQUITY_SIDES
    _require(leg.side in sides, "side", leg.side, f"must be one of {', '.join(sides)}")
    if leg.option_symbol:
        _require_option(leg.option_symbol, leg.symbol)
    for name, value in (("price", leg.price), ("stop", leg.stop)):
        wanted = name in _PRICES[leg.type]
        rule = f"a {leg.type} order {'needs it' if wanted else 'has none'}"
        _require((value is not None) == wanted, name, value, rule)
        _require_price(name, value)
    _require_duration(leg)


def _require_duration(leg: Leg) -> None:
    if leg.duration != "day":
        _require(leg.type != "market", "duration", leg.duration, "a market order lasts the day")
        _require(leg.side != "sell_short", "duration", leg.duration, "a short sale lasts the day")
    if leg.duration in ("pre", "post"):
        _require(leg.type == "limit", "type", leg.type, "outside the session only a limit trades")
        _require(not leg.option_symbol, "duration", leg.duration, "options trade in the session")


def _require_entry(entry: Leg) -> None:
    _require(entry.type != "market", "type", entry.type, "a group's first order names its price")


def _require_exits(first: Leg, second: Leg) -> None:
    same = _traded(first) == _traded(second)
    _require(same, "symbol", second.symbol, "orders that exclude each other trade the same")
    _require(first.type != second.type, "type", second.type, "they have different types")
    _require(first.duration == second.duration, "duration", second.duration, "they last as long")


def _require_symbol(symbol: str) -> None:
    _require(_SYMBOL.fullmatch(symbol), "symbol", symbol, "must be a symbol such as AAPL")


def _require_option(name: str, underlying: str) -> None:
    found = find_option(name)
    compact = found is not None and found.osi.replace(" ", "") == name
    rule = "must be an option symbol without blanks, such as AAPL270115C00182500"
    _require(compact, "option_symbol", name, rule)
    root = "" if found is None else found.root
    plain = underlying.replace(".", "").replace("/", "")
    its = plain in (root, root.removesuffix("W"), root.rstrip("0123456789"))
    _require(its, "option_symbol", name, f"is no option of {underlying}")


def _require_quantity(quantity: Decimal) -> None:
    whole = quantity == quantity.to_integral_value() and 1 <= quantity <= _QUANTITY_MAX
    _require(whole, "quantity", quantity, f"must be whole, 1 to {_QUANTITY_MAX}")


def _require_price(name: str, price: Decimal | None) -> None:
    if price is None:
        return
    step = _CENT if price >= 1 else _TENTH
    _require(price > 0, name, price, "must be above 0")
    _require(price % step == 0, name, price, f"must be a multiple of {decimal_text(step)}")


def _require(condition: object, name: str, value: object, rule: str) -> None:
    if not condition:
        raise _refusal(name, value, rule)


def _refusal(name: str, value: object, rule: str) -> Refusal:
    said = decimal_text(value) if isinstance(value, Decimal) else str(value)
    return refuse("PARAM_INVALID", field=name, name=name, value=said[:40], rule=rule)
