"""Owns posting a broker's fill: one batch with units, price and commission, once per execution."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.kit.context import Context
from services.kit.errors import check
from services.ledger.book import Posted, append
from services.ledger.posting import Batch, Conversion, Exchange, buy_legs, sell_legs
from services.ledger.snapshot import terms_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FillFacts:
    """What a broker said about one execution; `price` and `commission` are in `currency`."""

    order_id: str
    portfolio_id: str
    exec_id: str
    listing: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    commission: Decimal
    currency: str
    at: datetime
    provenance: str
    conversion: Conversion | None = None


def post_fill(ctx: Context, fill: FillFacts) -> Posted:
    """Post a fill as BUY or SELL with its commission; a repeated execution changes nothing.

    A closing fill also leaves a row in `trades`; its realised P&L is in the answer.
    Raises `INSUFFICIENT_CASH`, `INSUFFICIENT_POSITION`, `AMOUNT_RANGE`, `FX_MISSING`,
    `BATCH_KEY_REUSED` (the same execution with other facts).
    Worked: 100 bought at 200 and 50 at 206, fee 1 each; 120 sold at 209, fee 1: P&L 837.40.
    """
    check(fill.side in ("buy", "sell"), "a fill buys or sells", side=fill.side)
    terms = terms_of(ctx, fill.portfolio_id)
    deal = Exchange(
        listing=fill.listing,
        quantity=fill.quantity,
        price=fill.price,
        commission=fill.commission,
        currency=fill.currency,
        base=terms.base,
        conversion=fill.conversion,
    )
    buys = fill.side == "buy"
    return append(
        ctx,
        Batch(
            portfolio_id=fill.portfolio_id,
            kind="BUY" if buys else "SELL",
            key=f"fill:{fill.order_id}:{fill.exec_id}",
            effective_at=fill.at,
            legs=buy_legs(deal) if buys else sell_legs(deal),
            source="fill",
            ref=fill.order_id,
            meta=_meta(fill),
        ),
        terms=terms,
    )


def _meta(fill: FillFacts) -> dict[str, str]:
    meta = {"exec_id": fill.exec_id, "symbol": fill.symbol, "provenance": str(fill.provenance)}
    if fill.conversion is not None:
        meta |= {"fx_source": fill.conversion.source, "fx_at": fill.conversion.at.isoformat()}
    return meta
