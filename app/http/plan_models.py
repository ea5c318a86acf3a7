"""Owns the shape of `plan/v1` and of the answers about plans; the JSON Schema is made of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.http.answer_models import Labelled

Number = str
"""An exact decimal as text; nothing in a plan is a float."""


class Part(BaseModel):
    """A closed section of the plan."""

    model_config = ConfigDict(extra="forbid")


class SetupPart(Part):
    """What was found, when, and the numbers that the rule looked at."""

    id: str
    version: str
    key: str
    trigger_ts: str
    trigger_price: Number
    supporting: list[str]
    features: dict[str, Number]


class EntryPart(Part):
    """The entry zone; risk and reward are measured from `worst`."""

    kind: Literal["market", "limit", "stop"]
    lo: Number
    hi: Number
    worst: Number
    reference: Number


class StopPart(Part):
    """The stop on tick, its candidates and its distance; `risk_per_unit` has the costs in it."""

    price: Number
    method: Literal["structure_ema", "atr", "structure", "tightest"]
    candidates: dict[str, Number]
    stop_distance: Number
    risk_per_unit: Number
    cost_per_unit: Number
    atr: Number
    atr_multiple: Number


class TargetPart(Part):
    """One target; the runner's extension is the last."""

    n: int
    price: Number
    r: Number
    fraction: Number
    p_reach: Number
    kind: Literal["tp", "runner_extension"]
    snapped_to: str | None = None


class RewardPart(Part):
    """Reward to risk net of costs, and the conservative expected value in R."""

    per_target: list[Number]
    blended: Number
    band: Literal["poor", "marginal", "acceptable", "good", "excellent"]
    p_breakeven_tp1: Number
    ev_r: Number
    runner_fraction: Number
    runner_conditional: Number


class ComponentPart(Part):
    """One component of the score with what it was read from; without a value it is missing."""

    name: str
    weight: Number
    value: Number | None = None
    inputs: dict[str, str]
    source: list[str]


class ConfluencePart(Part):
    """The score; it is no probability. Null when less than 0.70 of its weight is known."""

    score: Number | None = None
    coverage: Number
    components: list[ComponentPart]
    missing: list[str]
    flags: list[str]


class ConfidencePart(Part):
    """The chance of target 1 before the stop and the time stop."""

    value: Number
    tier: Literal["prior", "platt", "isotonic"]
    n: int
    wins: int
    p0: Number
    p_breakeven_tp1: Number
    ci95: list[Number] | None = None
    calibrator_hash: str | None = None
    edge: Number
    flags: list[str]


class GapPart(Part):
    """How prices jumped over past nights."""

    sigma_gap: Number | None = None
    p_gap_through_stop: Number | None = None
    expected_gap_r: Number | None = None
    n: int


class OptionPart(Part):
    """One option alternative with its numbers; the values at stop and target are estimates.

    `exits` are the rules by which a LEAPS call is rolled or sold.
    """

    kind: Literal["long_call", "leaps_call", "long_put", "vertical_debit"]
    contract: str
    why: str
    metrics: dict[str, Any]
    exits: list[dict[str, Any]] = []


class WarningPart(Part):
    """What to mind."""

    code: str
    detail: str


class TimeStopPart(Part):
    """When an open trade ends however it stands."""

    kind: Literal["session_end", "bars", "date"]
    value: str


class ActionPart(Part):
    """Whether it may be taken now; never part of the idea."""

    state: Literal["open", "closed", "pre", "post", "halted"]
    next_open: str
    order_type_hint: str


class DetailPart(Part):
    """For the display: bars left to trigger, and the named levels."""

    bars_to_trigger: int
    levels: dict[str, Number]


class CitationPart(Part):
    """Where one input came from; `retrieved_at` is not hashed."""

    provider: str
    dataset: str
    symbol: str
    timeframe: str | None = None
    first_ts: str | None = None
    last_ts: str
    retrieved_at: str | None = None
    provenance: str
    bar_hash: str | None = None
    doc_hash: str | None = None


class PlanV1(Part):
    """A trade plan, `plan/v1`: prices on tick, numbers as text, times in UTC."""

    schema_: Literal["plan/v1"] = Field(alias="schema")
    plan_id: str = Field(pattern="^plan_[0-9a-f]{16}$")
    idea_hash: str
    plan_hash: str
    inputs_hash: str
    policy_hash: str
    engine_version: str
    symbol: str
    asset_class: str
    currency: str
    side: Literal["long", "short"]
    style: Literal["intraday", "swing", "leaps"]
    timeframe: str
    as_of: str
    expires_at: str
    setup: SetupPart
    entry: EntryPart
    stop: StopPart
    targets: list[TargetPart]
    management: list[dict[str, str]]
    invalidation: list[dict[str, str]]
    time_stop: TimeStopPart
    rr: RewardPart
    confluence: ConfluencePart
    confidence: ConfidencePart | None = None
    gap_risk: GapPart | None = None
    option_alternatives: list[OptionPart]
    option_rejects: dict[str, Any]
    warnings: list[WarningPart]
    rationale: list[str]
    trade_detail: DetailPart
    actionability: ActionPart
    flags: list[str]
    idea_url: str
    citations: list[CitationPart]


class PlanLine(Labelled):
    """One stored plan in a list."""

    id: str
    symbol: str
    side: str
    style: str
    setup: str
    timeframe: str
    entry: Number
    stop: Number
    rr: Number
    score: Number | None
    confidence: Number | None
    confidence_tier: str
    expires_at: str
    idea_url: str


class PlanSchema(BaseModel, extra="allow"):
    """The JSON Schema of `plan/v1`."""


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of `plan/v1`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "plan/v1",
        **PlanV1.model_json_schema(by_alias=True),
    }
