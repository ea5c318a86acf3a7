"""Owns turning what somebody asked for into one exact order, and measuring its risk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeVar

from services.kit.errors import refuse
from services.kit.money import decimal_text, rounded, tick_round
from services.kit.policy import OrderPolicy
from services.market.instrument import Instrument
from services.market.quote import Quote
from services.orders.bracket import choose_class, require_exit_sides
from services.orders.order import Order, OrderClass, OrderType, Side, Tif

_CENT = 2
_Choice = TypeVar("_Choice", Side, OrderType, Tif)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """What is asked for. Prices per unit in the instrument's currency; quantity above 0.

    `portfolio_id` None is the default portfolio. `protective_stop` measures the risk and is shown;
    it places nothing. `basis_ref` names the plan or size that the numbers came from. A buy's
    `take_profit` and `stop_loss` are placed when it has filled, and its `stop_loss` measures the
    risk; a limit sale's `stop_loss` is placed beside it (`bracket.choose_class`).
    """

    symbol: str
    side: str
    quantity: Decimal
    type: str = "market"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    tif: str = "day"
    protective_stop: Decimal | None = None
    basis_ref: str | None = None
    portfolio_id: str | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """What an order may cost, in account currency, 2 decimals half-even.

    `money` is (|reference price - protective stop| + round-trip cost per unit) x quantity, as the
    size is reckoned; `r` is that over one R, the policy's risk fraction of the equity at session
    open. None without a protective stop. Worked: 100 shares at 190.10 with a stop at 187.10 and
    costs of 0.04802 a share risk 304.80; at 100,000 equity and 1 % that is 0.30 R. `reward` is
    (target - reference price - round-trip cost per unit) x quantity of an entry with a target.
    """

    reference_price: Decimal
    notional: Decimal
    commission: Decimal
    cost: Decimal
    money: Decimal | None = None
    r: Decimal | None = None
    one_r: Decimal | None = None
    reward: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the product adds to a draft: account, mode, id and market."""

    instrument: Instrument
    quote: Quote
    tick: Decimal
    account_id: str
    portfolio_id: str
    mode: str
    client_order_id: str


def build_order(draft: OrderDraft, terms: Terms, policy: OrderPolicy) -> Order:
    """Return the exact order of a draft; pure.

    Raises `PARAM_INVALID` for a side, type, tif or price combination that means nothing, and
    `STOP_WRONG_SIDE` for a stop beyond the reference price.
    """
    side, kind = _choice("side", draft.side, Side), _choice("type", draft.type, OrderType)
    _require_prices(draft, kind)
    target, stop = draft.take_profit, draft.stop_loss
    group = choose_class(side, kind, take_profit=target, stop_loss=stop)
    placed = stop if side is Side.BUY else None
    order = Order(
        instrument_id=terms.instrument.id,
        symbol=terms.instrument.symbol,
        side=side,
        quantity=draft.quantity,
        type=kind,
        tif=_choice("tif", draft.tif, Tif),
        currency=terms.instrument.currency,
        worst_price=Decimal(0),
        account_id=terms.account_id,
        portfolio_id=terms.portfolio_id,
        mode=terms.mode,
        provenance=str(terms.quote.provenance),
        client_order_id=terms.client_order_id,
        limit_price=draft.limit_price,
        stop_price=draft.stop_price,
        protective_stop=placed if placed is not None else draft.protective_stop,
        basis_ref=draft.basis_ref,
        order_class=group,
        take_profit=target,
        stop_loss=stop,
    )
    require_exit_sides(order, terms.quote)
    _require_sides(order, terms.quote)
    return with_worst_price(order, terms.quote, tick=terms.tick, policy=policy)


def with_worst_price(order: Order, quote: Quote, *, tick: Decimal, policy: OrderPolicy) -> Order:
    """Return the order with the price that bounds it: limit, or far side plus the collar.

    A buy is never filled above it; for a sale it is the price that is expected, for one with a
    stop beside its target the stop. Worked: ask 190.10, collar 1 %, tick 0.01 is 192.01 (192.0010
    rounded up).
    """
    if order.order_class is OrderClass.OCO and order.stop_loss is not None:
        return replace(order, worst_price=order.stop_loss)
    if order.limit_price is not None:
        return replace(order, worst_price=order.limit_price)
    base = order.stop_price
    if base is None:
        base = quote.ask if order.side is Side.BUY else quote.bid
    if order.side is Side.BUY:
        base = tick_round(base * (1 + policy.collar_pct), tick, "ceil")
    return replace(order, worst_price=base)


def reference_price(order: Order, quote: Quote) -> Decimal:
    """Return the price an order is measured at: its limit or stop, else the far side."""
    named = order.limit_price or order.stop_price
    if named is not None:
        return named
    return quote.ask if order.side is Side.BUY else quote.bid


def build_risk(
    order: Order,
    reference: Decimal,
    *,
    commission: Decimal,
    unit_cost: Decimal,
    equity: Decimal,
    risk_pct: Decimal,
) -> Risk:
    """Return the risk facts of an order measured at `reference`; pure. `Risk` has the formula."""
    notional = rounded(order.quantity * reference, _CENT)
    cost = notional + commission if order.side is Side.BUY else commission
    known = Risk(reference_price=reference, notional=notional, commission=commission, cost=cost)
    if order.has_exits and order.take_profit is not None:
        gain = order.take_profit - reference - unit_cost
        known = replace(known, reward=rounded(gain * order.quantity, _CENT))
    if order.protective_stop is None:
        return known
    unit_risk = abs(reference - order.protective_stop) + unit_cost
    money = rounded(unit_risk * order.quantity, _CENT)
    one_r = rounded(equity * risk_pct, _CENT)
    ratio = rounded(money / one_r, 2) if one_r > 0 else None
    return replace(known, money=money, r=ratio, one_r=one_r)


def _choice(name: str, text: str, kind: type[_Choice]) -> _Choice:
    try:
        return kind(text)
    except ValueError as error:
        names = ", ".join(str(member) for member in kind)
        raise refuse(
            "PARAM_INVALID",
            field=name,
            name=name,
            value=str(text)[:40],
            rule=f"must be one of {names}",
        ) from error


def _require_prices(draft: OrderDraft, kind: OrderType) -> None:
    wanted = {OrderType.LIMIT: "limit_price", OrderType.STOP: "stop_price"}.get(kind)
    for name in ("limit_price", "stop_price"):
        price: Decimal | None = getattr(draft, name)
        if name == wanted and price is None:
            raise refuse(
                "PARAM_INVALID",
                field=name,
                name=name,
                value="nothing",
                rule=f"a {kind.value} order needs it",
            )
        if name != wanted and price is not None:
            raise refuse(
                "PARAM_INVALID",
                field=name,
                name=name,
                value=decimal_text(price),
                rule=f"a {kind.value} order has none",
            )
        if price is not None and price <= 0:
            raise refuse("PRICE_NON_POSITIVE", field=name, px=decimal_text(price))


def _require_sides(order: Order, quote: Quote) -> None:
    stop, buys = order.stop_price, order.side is Side.BUY
    if stop is not None and (stop <= quote.ask if buys else stop >= quote.bid):
        raise refuse(
            "PARAM_INVALID",
            field="stop_price",
            name="stop_price",
            value=decimal_text(stop),
            rule="a buy stop lies above the market, a sell stop below it",
        )
    protective, reference = order.protective_stop, reference_price(order, quote)
    if protective is None:
        return
    if protective <= 0:
        raise refuse("PRICE_NON_POSITIVE", field="protective_stop", px=decimal_text(protective))
    if protective >= reference if buys else protective <= reference:
        raise refuse(
            "STOP_WRONG_SIDE",
            field="protective_stop",
            stop=decimal_text(protective),
            entry=decimal_text(reference),
            side="long" if buys else "short",
        )
