"""Owns the shapes of the score and of fitted documents on the wire."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from services.research.score import ReliabilityRow, SetupScore
from services.research.untaken import FateSum, Untaken


class SuggestionLine(BaseModel):
    """One suggestion: what was stated, and what became of it; R is that of its own levels."""

    ref: str
    kind: str
    symbol: str
    side: str
    record_key: str
    stated: Decimal | None
    tier: str
    state: str
    reason: str
    provenance: str
    made_at: datetime
    entered_at: datetime | None
    ended_at: datetime | None
    r: Decimal | None
    mae_r: Decimal | None
    mfe_free_r: Decimal | None
    ambiguous: bool


class ScoreAnswer(BaseModel):
    """The scoreboard; `without` counts suggestions with neither an outcome nor a reason."""

    total: int
    ended: int
    states: dict[str, int]
    reasons: dict[str, int]
    by_setup: list[SetupScore]
    real: bool
    stated_n: int
    brier: Decimal | None
    reference: Decimal | None
    ece: Decimal | None
    bins: list[ReliabilityRow]
    recent: list[SuggestionLine]
    without: int
    as_of: datetime


class UntakenAnswer(BaseModel):
    """Advice that was not taken, newest first, and the sums by fate."""

    rows: list[Untaken]
    sums: list[FateSum]
    as_of: datetime


class DocumentLine(BaseModel):
    """A stored document; it leads when approved and not revoked."""

    hash: str
    kind: str
    key: str
    created_by: str
    created_at: datetime
    approved_by: str | None
    approved_at: datetime | None
    revoked_at: datetime | None
    revoke_reason: str | None
    n: int | None
    wins: int | None
    accepted: bool | None


class DocumentAnswer(DocumentLine):
    """A stored document with its body."""

    body: dict[str, Any]


class ShippedLine(BaseModel):
    """A document that ships with the product and leads until another is approved.

    `n` past setups were followed for it, `wins` of them reached 1 R before the stop.
    """

    kind: str
    key: str
    hash: str
    n: int
    wins: int


class DocumentList(BaseModel):
    """Stored documents, and the shipped ones."""

    items: list[DocumentLine]
    shipped: list[ShippedLine]
