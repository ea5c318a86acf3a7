"""Owns the link to Massive: the shared link with its decoder, its products and its key."""

from __future__ import annotations

from services.kit.clock import Clock
from services.kit.errors import Refusal
from services.kit.http import HttpClient
from services.market.decode import Record
from services.market.link import PAGES_MAX, Ask, Link, Vendor
from services.market.massive_decode import decode_page
from services.market.massive_refusal import PROVIDER

__all__ = ["PAGES_MAX", "PRODUCTS", "Ask", "MassiveLink", "find_record"]

PRODUCTS = {
    "snapshots": "quotes",
    "aggregates": "bars",
    "trades": "trades",
    "reference": "instruments and splits",
    "status": "market status",
    "exchange rates": "exchange rates",
    "news": "news",
    "Benzinga earnings": "earnings dates (Benzinga)",
    "TMX corporate events": "earnings dates (TMX)",
    "option contracts": "option expirations",
    "option chains": "option chains",
}
"""The products of an `Ask` here, and what a person calls them."""
_VENDOR = Vendor(
    provider=PROVIDER,
    decode=decode_page,
    key_todo="Correct MASSIVE_API_KEY (or POLYGON_API_KEY) and restart.",
    priced=frozenset({"snapshots", "aggregates"}),
    urgent=frozenset(PRODUCTS),
)


_NOBODY = ("PROVIDER_NOT_FOUND", "SYMBOL_UNKNOWN")


def find_record(link: Link, ask: Ask) -> Record | None:
    """Return the first record of an answer; None when it has none or the name is nobody's.

    Raises the other refusals of `Link.page`.
    """
    try:
        records = link.page(ask).records
    except Refusal as refusal:
        if refusal.code in _NOBODY:
            return None
        raise
    return records[0] if records else None


class MassiveLink(Link):
    """One account at Massive or on its Polygon host."""

    def __init__(self, http: HttpClient, clock: Clock, requests_minute: int) -> None:
        super().__init__(http, clock, _VENDOR, requests_minute=requests_minute)
