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
    stop_method: str = "structure_ema"
    k_atr_intraday: D = D("1.5")
    k_atr_swing: D = D("2.0")
    zone_atr_max: D = D("0.5")
    survival: tuple[D, ...] = (D("0.60"), D("0.40"), D("0.25"))
    runner_threshold: D = D("0.45")
    runner_fraction: D = D("0.20")
    runner_quantile: D = D("0.75")
    chandelier_atr: D = D(3)
    giveback: D = D("0.5")
    snap_r: D = D("0.15")
    hours_sessions: int = 5
    swing_sessions: int = 10
    leaps_sessions: int = 60
    flat_minutes: int = 5
    block_earnings: bool = False


@dataclass(frozen=True)
class ConfluencePolicy:
    """Weights of the score's components, of the timeframes' trends, and the index to compare."""

    weights: tuple[tuple[str, D], ...] = (
        ("mtf", D("0.35")),
        ("vwap", D("0.15")),
        ("rvol", D("0.15")),
        ("room", D("0.15")),
        ("momentum", D("0.10")),
        ("volatility", D("0.05")),
        ("market", D("0.05")),
    )
    trend_intraday: tuple[tuple[str, D], ...] = (
        ("1d", D("0.35")),
        ("60m", D("0.30")),
        ("15m", D("0.20")),
        ("5m", D("0.15")),
    )
    trend_swing: tuple[tuple[str, D], ...] = (
        ("1w", D("0.40")),
        ("1d", D("0.40")),
        ("60m", D("0.20")),
    )
    benchmark: str = "SPY"


@dataclass(frozen=True)
class BreakoutPolicy:
    """The opening-range breakout (`orb`) on 5 minutes. Widths and zones are in ATR of the day."""

    width_min: D = D("0.15")
    width_max: D = D("0.80")
    rvol_tod: D = D("1.2")
    rvol_bar: D = D("1.5")
    zone: D = D("0.25")
    minutes: int = 120


@dataclass(frozen=True)
class ReclaimPolicy:
    """The reclaim of VWAP (`vwap_reclaim`) on 5 minutes: closes below it, then one above."""

    below: int = 6
    window: int = 12
    rvol_bar: D = D("1.3")
    lookback: int = 24
    give_sigma: D = D("0.25")


@dataclass(frozen=True)
class PullbackPolicy:
    """The pullback to the average (`ema_pullback`) in a trend."""

    adx: D = D(20)
    swing_bars: int = 20
    touch_atr: D = D("0.1")
    bars: int = 10


@dataclass(frozen=True)
class BoxPolicy:
    """The break of a box (`range_breakout`). Heights and zones are in ATR."""

    bars: int = 20
    height_atr: D = D(3)
    touches: int = 2
    touch_atr: D = D("0.25")
    rvol_bar: D = D("1.5")
    close_share: D = D("0.30")
    zone_atr: D = D("0.5")
    structure_atr: D = D("1.0")
    give_atr: D = D("0.5")
    sessions: int = 5


@dataclass(frozen=True)
class CrossPolicy:
    """Averages that cross (`ma_cross`): lengths within the day and by the day."""

    fast: int = 9
    slow: int = 21
    fast_day: int = 20
    slow_day: int = 50
    warm: int = 4
    lookback: int = 10
    sessions: int = 10


@dataclass(frozen=True)
class DeviationPolicy:
    """The return to VWAP (`vwap_deviation`) in a market without a trend."""

    adx_max: D = D(20)
    sigmas: D = D(2)
    rsi: D = D(30)
    edge_minutes: int = 30
    lookback: int = 6
    structure_atr: D = D("0.1")
    give_sigmas: D = D(3)


@dataclass(frozen=True)
class SpikePolicy:
    """The bar of exceptional volume (`volume_spike`) beyond yesterday's range."""

    rvol_bar: D = D(3)
    range_atr: D = D("1.5")
    close_share: D = D("0.25")
    bars: int = 12


@dataclass(frozen=True)
class WeeklyPolicy:
    """The weekly breakout (`weekly_breakout`) after a contraction near the half-year high."""

    high_weeks: int = 26
    near_pct: D = D("0.03")
    fast: int = 10
    slow: int = 30
    short_weeks: int = 5
    long_weeks: int = 20
    contraction: D = D("0.6")
    close_weeks: int = 10
    zone_atr: D = D("0.5")
    structure_weeks: int = 3
    sessions: int = 10


@dataclass(frozen=True)
class SetupPolicy:
    """Thresholds of the detectors. A changed number needs a new `version`: its record restarts."""

    version: int = 1
    orb: BreakoutPolicy = field(default_factory=BreakoutPolicy)
    vwap_reclaim: ReclaimPolicy = field(default_factory=ReclaimPolicy)
    ema_pullback: PullbackPolicy = field(default_factory=PullbackPolicy)
    range_breakout: BoxPolicy = field(default_factory=BoxPolicy)
    ma_cross: CrossPolicy = field(default_factory=CrossPolicy)
    vwap_deviation: DeviationPolicy = field(default_factory=DeviationPolicy)
    volume_spike: SpikePolicy = field(default_factory=SpikePolicy)
    weekly_breakout: WeeklyPolicy = field(default_factory=WeeklyPolicy)


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
    account_stale_s: int = 300
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
    leaps_pct: D = D("0.05")
    leaps_total_pct: D = D("0.15")


@dataclass(frozen=True)
class RiskPolicy:
    """Limits of the account as fractions of equity at session open, and counts.

    `groups` gives symbols their sector or theme; `peak_drawdown` is a fraction of the peak.
    """

    day_loss: D = D("0.03")
    week_loss: D = D("0.06")
    open_risk: D = D("0.05")
    gross_intraday: D = D("2.0")
    gross_overnight: D = D("1.0")
    symbol_intraday: D = D("1.0")
    symbol_overnight: D = D("0.25")
    group: D = D("0.50")
    groups: tuple[tuple[str, str], ...] = ()
    max_positions: int = 8
    max_trades_day: int = 10
    loss_streak: int = 3
    cooldown_min: int = 30
    peak_drawdown: D = D("0.10")


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
class OptionPolicy:
    """Inputs of option prices; per year and continuous. Without a rate no Greeks are computed.

    `rate_date` says of which day the rate is. `greeks_gap` is the difference of two deltas from
    which the model's counts. A LEAPS call is rolled at `leaps_roll_dte` days or above
    `leaps_roll_delta`.
    """

    rate: D | None = None
    rate_date: str = ""
    dividend_yield: D = D(0)
    model_spread_max: D = D("0.20")
    greeks_gap: D = D("0.10")
    expiries: int = 4
    shown: int = 3
    leaps_roll_dte: int = 180
    leaps_roll_delta: D = D("0.95")


@dataclass(frozen=True)
class PickPolicy:
    """What a scan ranks. `turnover_min` is a 20-day mean of close times volume, in USD.

    `drawdown_max` is a fraction of the 52-week high, `iv_rank_max` in percent.
    """

    price_min: D = D(5)
    turnover_min: D = D(20_000_000)
    symbols_max: int = 500
    shown: int = 10
    history_days: int = 300
    leaps_shown: int = 5
    drawdown_max: D = D("0.15")
    iv_rank_max: D = D(50)
    earnings_sessions: int = 5
    snapshot_sessions: int = 1


@dataclass(frozen=True)
class Policy:
    """The whole profile. Its hash is bound into every proposal and decision."""

    policy_version: int = 1
    bars: BarPolicy = field(default_factory=BarPolicy)
    plan: PlanPolicy = field(default_factory=PlanPolicy)
    confluence: ConfluencePolicy = field(default_factory=ConfluencePolicy)
    setups: SetupPolicy = field(default_factory=SetupPolicy)
    orders: OrderPolicy = field(default_factory=OrderPolicy)
    sizing: SizingPolicy = field(default_factory=SizingPolicy)
    risk: RiskPolicy = field(default_factory=RiskPolicy)
    paper: PaperPolicy = field(default_factory=PaperPolicy)
    options: OptionPolicy = field(default_factory=OptionPolicy)
    picks: PickPolicy = field(default_factory=PickPolicy)

    @cached_property
    def hash(self) -> str:
        """Return the tagged hash (`policy/v1`) of every value."""
        return tagged_hash("policy/v1", self)


DEFAULT_POLICY = Policy()
"""The profile used unless a test or an owner chooses another."""
