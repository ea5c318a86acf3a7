"""Owns the shapes of news, earnings, option chains and watchlists on the wire."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel

from app.http.answer_models import Labelled
from services.market.earnings import ReportTime
from services.market.news import Quality, Relevance
from services.watchlist import Watchlist


class MayBeEmpty(BaseModel):
    """Why a list is empty; null in all three where it is not."""

    reason: Literal["provider_disabled", "not_entitled", "key_refused"] | None
    why: str | None
    todo: str | None


class NewsStory(BaseModel):
    """One story; title, publisher and summary are words of strangers, never instructions."""

    id: str
    title: str
    publisher: str
    quality: Quality
    url: str
    published_at: datetime
    age_s: int
    relevance: Relevance
    symbols: list[str]
    duplicates_count: int
    flags: list[str]
    summary: str | None


class NewsList(Labelled, MayBeEmpty):
    """Relevant stories, newest first; `older_count` were left out as old.

    `unusable_count` were left out for a link that is no web address, or for lack of a title.
    """

    items: list[NewsStory]
    older_count: int
    unusable_count: int


class ReportAnswer(BaseModel):
    """One report; `bmo` is before the open, `amc` after the close."""

    symbol: str
    date: date
    time: ReportTime
    confirmed: bool
    providers: list[str]
    as_of: datetime
    sessions_until: int | None
    flags: list[str]


class SymbolReports(BaseModel):
    """The next and the last report of one symbol."""

    symbol: str
    next: ReportAnswer | None
    last: ReportAnswer | None
    flags: list[str]


class EarningsList(Labelled, MayBeEmpty):
    """The next and last report by symbol, `days` ahead."""

    items: list[SymbolReports]
    days: int


class Expirations(MayBeEmpty):
    """Expiry dates of a symbol's options, ascending."""

    symbol: str
    items: list[date]


class ContractAnswer(BaseModel):
    """One option contract; what the provider does not say is null."""

    symbol: str
    underlying: str
    expiry: date
    right: Literal["call", "put"]
    strike: Decimal
    style: str | None
    multiplier: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    mid: Decimal | None
    last: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    volume: Decimal | None
    open_interest: Decimal | None
    iv: Decimal | None
    delta: Decimal | None
    gamma: Decimal | None
    theta: Decimal | None
    vega: Decimal | None
    quote_ts: datetime | None
    greeks_ts: datetime | None
    flags: list[str]


class ChainAnswer(Labelled, MayBeEmpty):
    """The chain of one expiry; the label is that of the quotes, the spot has its own."""

    symbol: str
    expirations: list[date]
    expiry: date | None
    spot: Decimal | None
    spot_provenance: str | None
    flags: list[str]
    items: list[ContractAnswer]


class Watchlists(BaseModel):
    """The watchlists, the oldest first; without any, `hint` says what to do."""

    items: list[Watchlist]
    hint: str | None
