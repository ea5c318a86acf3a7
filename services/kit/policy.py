"""Owns the default policy profile: every limit and guard number, typed, versioned and hashed."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short
from functools import cached_property

from services.kit.canonical import tagged_hash


@dataclass(frozen=True)
class BarPolicy:
    """When bars count as complete and fresh."""

    stale_bars_minute: int = 3
    stale_bars_hour: int = 2
    stale_bars_day: int = 1
    min_coverage: D = D("0.8")
    publish_delay_s: int = 2


@dataclass(frozen=True)
class PlanPolicy:
    """Bounds of a trade plan. Distances are in ATR, ratios are net of costs."""

    stop_atr_min: D = D("0.5")
    stop_atr_max: D = D("3.0")
    min_rr: D = D("1.5")
    min_rr1: D = D("0.8")
    default_targets_r: tuple[D, ...] = (D(1), D(2), D(3))


@dataclass(frozen=True)
class OrderPolicy:
    """Numbers of the confirm gate and the guards. `_pct` is a fraction: 0.01 is 1 %."""

    ttl_live_market_s: int = 60
    ttl_live_limit_s: int = 120
    ttl_paper_s: int = 600
    max_drift_bps: D = D(30)
    quote_age_advice_s: int = 15
    quote_age_live_confirm_s: int = 5
    quote_age_paper_confirm_s: int = 15
    quote_age_paper_fill_s: int = 15
    wrong_tokens_lock: int = 5
    collar_pct: D = D("0.01")
    max_spread_pct: D = D("0.01")
    live_max_order_pct: D = D("0.10")
    live_max_order_notional: D = D(25000)
    live_max_position_pct: D = D("0.25")
    duplicate_like_s: int = 60
    claim_lease_s: int = 3
    presume_scans: int = 3
    presume_window_s: int = 120
    max_quantity: D = D(1_000_000)
    pattern_min_equity: D = D(25_000)
    pattern_day_trades: int = 3
    maintenance_pct: D = D("0.25")


@dataclass(frozen=True)
class SizingPolicy:
    """How much one trade may risk. `_pct` is a fraction of equity."""

    risk_pct: D = D("0.01")
    max_risk_pct: D = D("0.02")
    kelly_fraction: D = D("0.25")
    min_multiplier: D = D("0.5")
    full_edge: D = D("0.10")
    max_adv_pct: D = D("0.01")
    max_notional_pct_swing: D = D("0.25")
    max_notional_pct_intraday: D = D("1.00")
    option_premium_pct: D = D("0.02")


@dataclass(frozen=True)
class RiskPolicy:
    """Limits of the account as fractions of equity at session open."""

    day_loss: D = D("0.03")
    open_risk: D = D("0.05")
    max_positions: int = 8
    max_trades_day: int = 10


@dataclass(frozen=True)
class PaperPolicy:
    """The paper broker's behaviour: money in account currency, slippage in basis points."""

    start_cash: D = D(100_000)
    slippage_bps: D = D(2)
    half_spread_bps: D = D(2)
    commission_share: D = D("0.005")
    commission_min: D = D("1.00")
    max_volume_pct: D = D("0.10")
    latency_ms: int = 0
    partial_fills: bool = True


@dataclass(frozen=True)
class Policy:
    """The whole profile. Its hash is bound into every proposal and decision."""

    policy_version: int = 1
    bars: BarPolicy = field(default_factory=BarPolicy)
    plan: PlanPolicy = field(default_factory=PlanPolicy)
    orders: OrderPolicy = field(default_factory=OrderPolicy)
    sizing: SizingPolicy = field(default_factory=SizingPolicy)
    risk: RiskPolicy = field(default_factory=RiskPolicy)
    paper: PaperPolicy = field(default_factory=PaperPolicy)

    @cached_property
    def hash(self) -> str:
        """Return the tagged hash (`policy/v1`) of every value."""
        return tagged_hash("policy/v1", self)


DEFAULT_POLICY = Policy()
"""The profile used unless a test or an owner chooses another."""
