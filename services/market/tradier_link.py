"""Owns the link to Tradier: its two hosts, the shared link with its decoder, its limits."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from services.kit.clock import Clock
from services.kit.errors import Refusal
from services.kit.http import HttpClient, HttpLimits, Origin
from services.market.decode import Given, Page, instant
from services.market.link import Link, Vendor
from services.market.tradier_decode import decode_tradier
from services.market.tradier_refusal import PROVIDER, build_refusal

TradierEnv = Literal["sandbox", "production"]
HOSTS: dict[TradierEnv, str] = {
    "sandbox": "https://sandbox.tradier.com",
    "production": "https://api.tradier.com",
}
REQUESTS_MINUTE: dict[TradierEnv, int] = {"sandbox": 60, "production": 120}
"""Requests a minute for market data; the provider's own headers correct it."""
PRODUCTS = {
    "quotes": "quotes",
    "history": "daily bars",
    "timesales": "minute bars and trades",
    "lookup": "instruments",
    "options": "option chains",
    "clock": "market status",
    "calendar": "trading calendar",
}
"""The products of an `Ask` here, and what a person calls them."""
_PRICED = frozenset({"quotes", "history", "timesales", "options"})
_URGENT = frozenset(PRODUCTS) - {"options", "calendar"}
_EPOCH = re.compile(r"(?<![0-9])([0-9]{13}|[0-9]{10})(?![0-9])", re.ASCII)


def open_link(
    token: str,
    clock: Clock,
    *,
    env: TradierEnv,
    base_url: str = "",
    limits: HttpLimits | None = None,
) -> tuple[HttpClient, Link]:
    """Return the client and the link of one token; `env` alone decides the host and the delay."""
    origin = Origin(
        provider=PROVIDER,
        base_url=base_url or HOSTS[env],
        headers={"authorization": f"Bearer {token}"},
    )
    http = HttpClient(origin, clock, limits=limits)
    vendor = Vendor(
        provider=PROVIDER,
        decode=_decode_delayed if env == "sandbox" else _decode,
        key_todo=f"Correct TRADIER_ACCESS_TOKEN, which has to be one of the {env} (TRADIER_ENV).",
        priced=_PRICED,
        urgent=_URGENT,
        due_of=find_due,
    )
    return http, Link(http, clock, vendor, requests_minute=REQUESTS_MINUTE[env])


def find_due(refusal: Refusal) -> datetime | None:
    """Return the instant that a quota fault names in its text, an epoch in s or ms."""
    found = _EPOCH.search(str(refusal.facts.get("reason", "")))
    return None if found is None else instant(found[1])


def _decode(kind: str, body: bytes, given: Given) -> Page:
    """Return one answer; what would be a broker's refusal is one of market data here."""
    try:
        return Page(decode_tradier(kind, body, given))
    except Refusal as refusal:
        if not refusal.code.startswith("BROKER_"):
            raise
        code = "PROVIDER_BAD_REQUEST" if given.http_status != 401 else "PROVIDER_UNAUTHORIZED"
        raise build_refusal(code, str(refusal.facts.get("reason", "")), given) from refusal


def _decode_delayed(kind: str, body: bytes, given: Given) -> Page:
    return Page(_decode(kind, body, given).records, delayed=True)
