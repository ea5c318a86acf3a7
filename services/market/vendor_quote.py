"""Owns turning a provider's record into a quote: what is missing is never taken for zero."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from services.kit.errors import refuse
from services.market.decode import Record
from services.market.instrument import Instrument
from services.market.quote import Provenance, Quote

_NO_SIZE = Decimal(0)


def build_quote(
    record: Record, instrument: Instrument, ts: datetime | None, *, delayed: bool, source: str
) -> Quote:
    """Return the quote of a record, all of it from that one answer.

    Raises `QUOTE_UNUSABLE` when a side, the last trade or the time is missing.
    """
    bid, ask, last = record["bid"], record["ask"], record["last"]
    if bid is None or ask is None or ts is None:
        reason = "the provider gives no bid and ask for it, or the plan has none"
        raise refuse("QUOTE_UNUSABLE", contract=instrument.symbol, reason=reason)
    if last is None:
        raise refuse("QUOTE_UNUSABLE", contract=instrument.symbol, reason="no trade yet")
    return Quote(
        symbol=instrument.symbol,
        instrument_id=instrument.id,
        bid=bid,
        ask=ask,
        last=last,
        bid_size=record["bid_size"] or _NO_SIZE,
        ask_size=record["ask_size"] or _NO_SIZE,
        ts=ts,
        provenance=Provenance.DELAYED if delayed else Provenance.LIVE,
        source=source,
        currency=instrument.currency,
        dataset=f"{source}_snapshot",
    )
