"""Owns the balanced legs of every kind of posting: pure builders, bounds and the balance check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from services.kit.canonical import tagged_hash
from services.kit.errors import check, refuse
from services.kit.money import FxRate, minor_units, rounded
from services.ledger.tables import KINDS, SOURCES

MAX_QUANTITY = Decimal(1_000_000_000)
MAX_PRICE = Decimal(10_000_000)
MAX_AMOUNT = Decimal(100_000_000_000)
COST_ACCOUNTS = ("trading:", "fx:", "expense:commission", "expense:stamp")
"""Legs in the base currency on these accounts are what a holding cost, or what its sale brought."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One signed line of a batch; `asset` is a currency, or a listing such as `XNAS:AAPL`."""

    account: str
    asset: str
    amount: Decimal
    unit_price: Decimal | None = None
    fx: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One posting: legs that sum to zero per asset. `key` makes it happen once per tenant."""

    portfolio_id: str
    kind: str
    key: str
    effective_at: datetime
    legs: tuple[Leg, ...]
    source: str = "manual"
    ref: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    reverses_seq: int | None = None

    def __post_init__(self) -> None:
        check(self.kind in KINDS, "a batch has a known kind", kind=self.kind)
        check(self.source in SOURCES, "a batch has a known source", source=self.source)
        check(self.key, "a batch has a key")

    @property
    def content_hash(self) -> str:
        """Return the hash that tells a repeat of this batch from another one with its key."""
        return tagged_hash("ledger_content/v1", self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """The rate at which foreign legs become base legs, where it came from and when."""

    rate: FxRate
    source: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What changed hands in a buy or sale: units, their price, commission, the trade's currency."""

    listing: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    currency: str
    base: str
    conversion: Conversion | None = None


def is_currency(asset: str) -> bool:
    """Return True for a currency code; listings carry a colon."""
    return ":" not in asset


def sums(legs: Sequence[Leg]) -> dict[str, Decimal]:
    """Return the sum of the legs per asset; every value is 0 in a balanced batch."""
    totals: dict[str, Decimal] = defaultdict(Decimal)
    for leg in legs:
        totals[leg.asset] += leg.amount
    return dict(totals)


def require_balanced(key: str, legs: Sequence[Leg]) -> None:
    """Raise `BATCH_UNBALANCED` unless there are legs, none is zero, and each asset sums to 0.

    Worked: cash:USD -100 and trading:USD +100 with position +1 and trading -1 of XNAS:AAPL pass.
    """
    if not legs:
        raise refuse("BATCH_UNBALANCED", key=key, asset="anything", sum="no legs")
    for leg in legs:
        if leg.amount == 0:
            raise refuse("BATCH_UNBALANCED", key=key, asset=leg.asset, sum="a leg of zero")
    for asset, total in sums(legs).items():
        if total != 0:
            raise refuse("BATCH_UNBALANCED", key=key, asset=asset, sum=str(total))


def to_minor(amount: Decimal, currency: str) -> Decimal:
    """Return `amount` half-even at the currency's minor unit; cash legs hold nothing finer."""
    return rounded(amount, minor_units(currency))


def buy_legs(deal: Exchange) -> tuple[Leg, ...]:
    """Return the legs of a buy: units come in, price and commission go out.

    Cash is rounded half-even at the minor unit, price and commission each on its own.
    Raises `AMOUNT_RANGE` and `FX_MISSING`.
    Worked: 100 at 200 with commission 1 in USD: position +100, cash:USD -20001.
    """
    return _deal_legs(deal, sign=1)


def sell_legs(deal: Exchange) -> tuple[Leg, ...]:
    """Return the legs of a sale: units go out, price less commission comes in.

    Rounding and refusals as `buy_legs`. Worked: 120 at 209 with commission 1: cash:USD +25079.
    """
    return _deal_legs(deal, sign=-1)


def _deal_legs(deal: Exchange, *, sign: int) -> tuple[Leg, ...]:
    notional = sign * _notional(deal)
    commission = to_minor(deal.commission, deal.currency)
    legs = [
        Leg(f"position:{deal.listing}", deal.listing, sign * deal.quantity, deal.price),
        Leg(f"trading:{deal.listing}", deal.listing, -sign * deal.quantity),
        Leg(f"trading:{deal.currency}", deal.currency, notional),
        Leg("expense:commission", deal.currency, commission),
        *_settlement(deal, -(notional + commission)),
    ]
    return tuple(leg for leg in legs if leg.amount != 0)


def _settlement(deal: Exchange, cash: Decimal) -> list[Leg]:
    """Return the legs that settle `cash` of the trade's currency in the base currency.

    A foreign amount meets `fx:<currency>`, its base value `fx:<base>`; foreign cash nets to zero.
    """
    if deal.currency == deal.base:
        return [Leg(f"cash:{deal.base}", deal.base, cash)]
    conversion = deal.conversion
    if conversion is None:
        raise refuse("FX_MISSING", ccy=deal.currency, base=deal.base, reason="no rate given")
    rate = conversion.rate
    if (rate.currency, rate.base) != (deal.currency, deal.base):
        raise refuse(
            "CURRENCY_MISMATCH",
            given=f"{rate.currency}/{rate.base}",
            expected=f"{deal.currency}/{deal.base}",
        )
    base_cash = to_minor(cash * rate.rate, deal.base)
    return [
        Leg(f"fx:{deal.currency}", deal.currency, cash, fx=rate.rate),
        Leg(f"fx:{deal.base}", deal.base, -base_cash, fx=rate.rate),
        Leg(f"cash:{deal.base}", deal.base, base_cash, fx=rate.rate),
    ]


def _notional(deal: Exchange) -> Decimal:
    _within("quantity", deal.quantity, MAX_QUANTITY, above_zero=True)
    _within("price", deal.price, MAX_PRICE, above_zero=True)
    _within("commission", deal.commission, MAX_AMOUNT)
    notional = to_minor(deal.quantity * deal.price, deal.currency)
    _within("notional", notional, MAX_AMOUNT)
    return notional


def _within(name: str, value: Decimal, limit: Decimal, *, above_zero: bool = False) -> None:
    if value > limit or value < 0 or (above_zero and value == 0):
        raise refuse(
            "AMOUNT_RANGE",
            field=name,
            value=str(value),
            lo="above 0" if above_zero else "0",
            hi=str(limit),
        )


def flow_legs(kind: str, amount: Decimal, currency: str) -> tuple[Leg, ...]:
    """Return the legs of a movement of cash alone; `amount` is above 0 and in minor units.

    CONTRIBUTION, DIVIDEND and INTEREST bring cash; WITHDRAWAL, FEE and TAX take it.
    Raises `AMOUNT_RANGE` and `AMOUNT_INEXACT`.
    """
    counter, sign = _FLOWS[kind]
    _within("amount", amount, MAX_AMOUNT, above_zero=True)
    if to_minor(amount, currency) != amount:
        raise refuse(
            "AMOUNT_INEXACT", field="amount", value=str(amount), places=minor_units(currency)
        )
    return (
        Leg(f"cash:{currency}", currency, sign * amount),
        Leg(counter, currency, -sign * amount),
    )


_FLOWS = {
    "CONTRIBUTION": ("external:contribution", 1),
    "WITHDRAWAL": ("external:withdrawal", -1),
    "DIVIDEND": ("income:dividend", 1),
    "INTEREST": ("income:interest", 1),
    "FEE": ("expense:fee", -1),
    "TAX": ("expense:tax", -1),
}


def opening_legs(listing: str, quantity: Decimal, cost: Decimal, base: str) -> tuple[Leg, ...]:
    """Return the legs that bring in a holding from elsewhere at a known cost; cash stays."""
    _within("quantity", quantity, MAX_QUANTITY, above_zero=True)
    _within("cost", cost, MAX_AMOUNT, above_zero=True)
    return (
        Leg(f"position:{listing}", listing, quantity),
        Leg(f"trading:{listing}", listing, -quantity),
        Leg(f"trading:{base}", base, to_minor(cost, base)),
        Leg("external:opening", base, -to_minor(cost, base)),
    )


def split_legs(
    listing: str, held: Decimal, become: Decimal, *, in_lieu: Decimal, base: str
) -> tuple[Leg, ...]:
    """Return the legs that turn `held` units into `become`, with cash for the lost fraction.

    Worked: 7 units 3:2 with whole lots become 10 and half a new unit is paid in cash.
    """
    cash = to_minor(in_lieu, base)
    legs = (
        Leg(f"position:{listing}", listing, become - held),
        Leg(f"trading:{listing}", listing, held - become),
        Leg(f"cash:{base}", base, cash),
        Leg("income:cash_in_lieu", base, -cash),
    )
    return tuple(leg for leg in legs if leg.amount != 0)


def reversal_legs(legs: Sequence[Leg]) -> tuple[Leg, ...]:
    """Return the legs that undo `legs`, line by line."""
    return tuple(Leg(leg.account, leg.asset, -leg.amount, leg.unit_price, leg.fx) for leg in legs)


def cash_effect(legs: Sequence[Leg]) -> dict[str, Decimal]:
    """Return the change of cash per currency, without zeros."""
    return _effect(legs, "cash:")


def position_effect(legs: Sequence[Leg]) -> dict[str, Decimal]:
    """Return the change of units per listing, without zeros."""
    return _effect(legs, "position:")


def cost_effect(legs: Sequence[Leg], base: str) -> Decimal:
    """Return what the batch cost in the base currency: above 0 for a buy, below for a sale.

    Worked: a buy of 100 at 200 with commission 1 costs 20001; a sale of 120 at 209 with
    commission 1 costs -25079.
    """
    return sum(
        (leg.amount for leg in legs if leg.asset == base and leg.account.startswith(COST_ACCOUNTS)),
        Decimal(0),
    )


def _effect(legs: Sequence[Leg], prefix: str) -> dict[str, Decimal]:
    totals = sums([leg for leg in legs if leg.account.startswith(prefix)])
    return {asset: total for asset, total in totals.items() if total != 0}
