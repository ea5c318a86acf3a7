"""Owns the shapes of ranked ideas on the wire: picks, option picks, the weekend plan."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from app.http.answer_models import Labelled
from app.http.watch_models import MayBeEmpty


class RejectAnswer(BaseModel):
    """A symbol that is not offered, by the first rule that it failed."""

    symbol: str
    code: str
    detail: str


class PickAnswer(Labelled):
    """One ranked plan; `plan_id` is the newest stored plan of the same idea, or null.

    `confidence_tier` is `uncalibrated` for every chance that no accepted curve stands behind.
    """

    rank: int
    symbol: str
    side: str
    style: str
    setup: str
    timeframe: str
    entry: Decimal
    stop: Decimal
    targets: list[Decimal]
    rr: Decimal
    score: Decimal | None
    confidence: Decimal | None
    confidence_tier: str
    edge: Decimal | None
    state: str
    plan_id: str | None


class PickList(Labelled):
    """The ranked plans and every other symbol; `left_out` were too many to be scanned."""

    items: list[PickAnswer]
    rejects: list[RejectAnswer]
    scanned: int
    left_out: int


class OptionPickAnswer(BaseModel):
    """One picked contract with every input of its rank, and both deltas where both are known."""

    rank: int
    contract: str
    right: str
    expiry: str
    strike: Decimal
    dte: int
    bid: Decimal
    ask: Decimal
    limit: Decimal
    delta: Decimal
    theta: Decimal | None
    iv: Decimal | None
    greeks_source: str
    provider_delta: Decimal | None
    model_delta: Decimal | None
    open_interest: int
    volume: int
    spread_pct: Decimal
    score: Decimal
    delta_fit: Decimal
    liquidity: Decimal
    cost_fit: Decimal
    dte_fit: Decimal
    breakeven: Decimal
    extrinsic: Decimal
    carry_annualised: Decimal
    leverage: Decimal
    cost_per_contract: Decimal
    flags: list[str]


class OptionPickList(Labelled, MayBeEmpty):
    """Ranked contracts; `rejects` counts the others by first failed rule."""

    symbol: str
    profile: str
    spot: Decimal | None
    items: list[OptionPickAnswer]
    rejects: dict[str, int]
    greeks_missing: dict[str, int]
    expiries: list[str]
    expiries_unread: int
    flags: list[str]


class WeekendAnswer(Labelled):
    """The newest weekend plan of the last close, or why there is none yet; it holds no order."""

    hash: str | None
    generated_at: datetime | None
    plan: dict[str, Any] | None
    why: str | None
    todo: str | None
