"""Owns the shapes of answers that gather several values; the rest are the services' own types."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from services.market.feed import LeftOut
from services.orders.card import Card
from services.orders.order import Order, State, Status

T = TypeVar("T")


class Items(BaseModel, Generic[T]):
    """A list of things."""

    items: list[T]


class Labelled(BaseModel):
    """Where and when market values come from."""

    as_of: datetime
    provenance: str
    source: str


class LabelledItems(Labelled, Generic[T]):
    """A list of market values with their label."""

    items: list[T]


class Person(BaseModel):
    """Who is logged in."""

    id: str
    name: str


class LoggedIn(BaseModel):
    """The person whose session was opened."""

    user: Person


class SessionFacts(BaseModel):
    """Who calls, where, and with which scopes."""

    user: Person
    tenant: str
    mode: Literal["local", "served"]
    surface: str
    scopes: list[str]
    csrf: Literal["none"]


class LoggedOut(BaseModel):
    """The session has ended."""

    logged_out: bool


class Revoked(BaseModel):
    """The session or key that ended."""

    revoked: str


class Ticket(BaseModel):
    """A ticket for one WebSocket connection; null in a repeated answer."""

    ticket: str | None
    expires_in_s: int


class NewKey(BaseModel):
    """A new API key; `key` is its text, shown this once and null in a repeated answer."""

    key: str | None
    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class ChatMessage(BaseModel):
    """One message of a conversation, with the tool calls that belong to it."""

    id: str
    role: Literal["user", "assistant"]
    text: str
    run_id: str
    at: datetime
    tools: list[dict[str, Any]]
    marks: list[dict[str, Any]]
    pastes: list[Any]


class ChatMessages(BaseModel):
    """What was said; the events behind `cursor` are not in it."""

    items: list[ChatMessage]
    cursor: str


class ProposalAnswer(Labelled):
    """A proposal with its card and, once confirmed, its order."""

    id: str
    version: int
    kind: str
    status: Status
    status_reason: str
    expires_at: datetime
    order: Order
    order_hash: str
    card: Card
    conversation_id: str
    supersedes: str | None
    order_id: str | None
    order_state: State | None


class ChallengeAnswer(Labelled):
    """A confirmation token and the card that a person reads beside it."""

    token: str
    version: int
    order_hash: str
    expires_at: datetime
    server_time: datetime
    card: Card


class Confirmation(BaseModel):
    """A confirmed proposal and the order it became."""

    proposal_id: str
    status: str
    order_id: str
    order_state: str


class MarketSession(BaseModel):
    """One trading session."""

    date: date
    open: datetime
    close: datetime
    half_day: bool


class ReplayState(Labelled):
    """The replay clock."""

    paused: bool
    speed: int
    session: MarketSession


class Price(Labelled):
    """A quote; prices are per unit in `currency`."""

    symbol: str
    instrument_id: str
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    mid: Decimal | None
    spread_pct: Decimal | None
    currency: str


class ChartBar(BaseModel):
    """One bar; `t` is its opening time."""

    t: datetime
    o: Decimal
    h: Decimal
    l: Decimal  # noqa: E741 - the field's own name
    c: Decimal
    v: Decimal
    complete: bool


class Bars(Labelled):
    """The last bars of a symbol, oldest first."""

    symbol: str
    timeframe: str
    closed_provenance: str
    bars: list[ChartBar]
    left_out: list[LeftOut]
    note: str


class ToolFacts(BaseModel):
    """One tool: what it does and what it takes."""

    name: str
    effect: str
    description: str
    schema_: dict[str, Any]

    model_config = {"alias_generator": lambda name: name.rstrip("_")}


class ToolAnswer(BaseModel):
    """A tool's result with its reference and the sources of its values."""

    name: str
    ok: bool
    result: dict[str, Any]
    digest: str
    ref: str
    source: list[dict[str, Any]]


class ContractAnswer(BaseModel):
    """How many contracts of an option alternative the account that asks may buy, and why."""

    contract: str
    contracts: Decimal
    binding: str
    premium: Decimal
    one_r: Decimal
    why: str


class PlanAnswer(Labelled, extra="allow"):
    """A plan exactly as it was stored, with the quote it stands on; composed or checked.

    `contracts`, of composed ones, is for the account that asks and no part of the plan.
    """

    ref: str
    contracts: list[ContractAnswer] = []


class Deleted(BaseModel):
    """What was deleted."""

    deleted: str


class ChainVerdict(BaseModel):
    """Whether the audit chain is whole, and where it breaks if not."""

    ok: bool
    count: int
    last_hash: str
    broken_at: int | None
    reason: str


class Health(BaseModel):
    """The process lives."""

    status: str
    version: str


class Ready(BaseModel):
    """Whether requests are taken, and why not."""

    status: str
    why: str | None = None


class Feature(BaseModel):
    """One feature: on or off, why, and what to do."""

    name: str
    on: bool
    why: str
    todo: str


class FeedFacts(BaseModel):
    """The market feed; a feed that is off has no provenance."""

    name: str
    provenance: str | None
    source: str
    on: bool
    why: str
    todo: str
    as_of: datetime | None


class ProductFacts(BaseModel):
    """One part of what a provider gives."""

    feature: str
    on: bool
    why: str
    todo: str


class ProviderFacts(BaseModel):
    """One market-data provider: what it gives and lacks, its breaker, its budget of a minute."""

    name: str
    host: str
    on: bool
    why: str
    todo: str
    provenance: str | None
    products: list[ProductFacts]
    breaker: Literal["closed", "open", "half_open"]
    requests_used: int
    requests_allowed: int
    limited_for_s: int
    failed_over_to: str | None
    checked_at: datetime | None


class StreamFacts(BaseModel):
    """The provider's stream: what it does, since when, and why it does not flow."""

    phase: Literal["off", "connecting", "live", "silent", "waiting", "refused", "not_leader"]
    since: datetime
    last_frame_at: datetime | None
    reconnects: int
    reason: str
    todo: str


class ModelFacts(BaseModel):
    """The language model."""

    name: str
    calls_tools: bool
    why: str


class Configuration(BaseModel):
    """What is on, what is off, and why."""

    version: str
    mode: str
    features: list[Feature]
    feed: FeedFacts
    providers: list[ProviderFacts]
    stream: StreamFacts | None
    model: ModelFacts
