"""Owns the frozen inputs of a plan: idea, record, quote, events, chain and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from services.kit.canonical import tagged_hash
from services.kit.policy import Policy
from services.market.chain import OptionContract
from services.strategy.record import Calibrator, SetupRecord
from services.strategy.score import Score
from services.trade.idea import Idea, Style

ENGINE = "1.0.0"
"""The version of the plan's rules; part of every plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """Where one input came from; `retrieved_at` is shown and never hashed."""

    provider: str
    dataset: str
    symbol: str
    last_ts: datetime
    doc_hash: str
    provenance: str
    timeframe: str | None = None
    first_ts: datetime | None = None
    retrieved_at: datetime | None = None

    def document(self) -> dict[str, object]:
        """Return the citation as a plan holds it; bars are named by their hash."""
        return {
            "provider": self.provider,
            "dataset": self.dataset,
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "first_ts": self.first_ts,
            "last_ts": self.last_ts,
            "retrieved_at": self.retrieved_at,
            "provenance": self.provenance,
            "bar_hash" if self.timeframe else "doc_hash": self.doc_hash,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteFacts:
    """The quote at `as_of`, per unit of the listing's currency."""

    bid: Decimal | None
    ask: Decimal | None
    last: Decimal
    ts: datetime
    halted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingFacts:
    """What is traded; `borrowable` None when nobody says."""

    id: str
    symbol: str
    asset_class: str
    currency: str
    calendar: str
    borrowable: bool | None = None
    corporate_action: str = ""
    corporate_action_date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningsFacts:
    """The next report, or why its date is not known."""

    day: date | None = None
    time: Literal["bmo", "amc", "unknown"] = "unknown"
    confirmed: bool = False
    unknown_because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts:
    """The contracts that were looked at, or why there are none."""

    contracts: tuple[OptionContract, ...] = ()
    spot: Decimal | None = None
    absent_because: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInputs:
    """Everything a plan is made of; equal inputs make the same bytes.

    `others` are setups of the symbol that were not offered, as (code, detail).
    """

    idea: Idea
    score: Score
    style: Style
    listing: ListingFacts
    quote: QuoteFacts
    policy: Policy
    as_of: datetime
    record: SetupRecord | None = None
    calibrator: Calibrator | None = None
    earnings: EarningsFacts = field(default_factory=EarningsFacts)
    chain: ChainFacts = field(default_factory=ChainFacts)
    citations: tuple[Citation, ...] = ()
    base_url: str = ""
    others: tuple[tuple[str, str], ...] = ()

    def hash(self, policy_hash: str) -> str:
        """Return the tagged hash (`plan_input/v1`) of every input, bars by their hashes."""
        return tagged_hash("plan_input/v1", self.document(policy_hash))

    def document(self, policy_hash: str) -> Mapping[str, object]:
        """Return the inputs as they are hashed and stored; the bars stand behind their hashes."""
        return {
            "engine_version": ENGINE,
            "setup": self.idea.setup.key,
            "style": self.style,
            "listing": self.listing,
            "quote": self.quote,
            "earnings": self.earnings,
            "chain": self.chain,
            "record": self.record.hash if self.record else None,
            "calibrator": self.calibrator.hash if self.calibrator else None,
            "citations": [{**one.document(), "retrieved_at": None} for one in self.citations],
            "others": self.others,
            "policy_hash": policy_hash,
            "as_of": self.as_of,
        }
