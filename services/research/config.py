"""Owns what a backtest runs: strategy, symbols, costs, size and universe, as a hashed document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short
from functools import cached_property
from typing import Literal

from services.kit.canonical import tagged_hash
from services.market.grid import TIMEFRAMES
from services.market.param import require, require_count

ENGINE = "2"
"""The version of the harness; a change of any rule that moves a trade raises it."""
RuleName = Literal["ema_cross", "ma_cross", "vwap_deviation", "volume_spike"]
RULES: tuple[RuleName, ...] = ("ema_cross", "ma_cross", "vwap_deviation", "volume_spike")
Sides = Literal["long", "short", "both"]
MONTHS_MAX, DAYS_MAX = 240, 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTerms:
    """A simple strategy: its rule, and the bracket around each entry in multiples of ATR.

    The entry is the next open; the stop and the target stand `stop_atr` and `target_atr` from the
    signal's close. `fast` and `slow` are of crosses, `lookback`, `threshold_pct` and `multiple` of
    the streaming rules. `time_stop_bars` counts from the entry bar; None is no time stop.
    """

    name: RuleName = "ema_cross"
    side: Sides = "long"
    fast: int = 10
    slow: int = 30
    lookback: int = 20
    threshold_pct: D = D(1)
    multiple: D = D(3)
    atr: int = 14
    stop_atr: D = D(2)
    target_atr: D = D(3)
    time_stop_bars: int | None = None

    def __post_init__(self) -> None:
        require(self.name in RULES, "rule", value=self.name, rule=f"must be one of {RULES}")
        for name in ("fast", "slow", "lookback", "atr"):
            require_count(name, getattr(self, name))
        require(self.fast < self.slow, "fast", value=self.fast, rule="must be below slow")
        for name in ("threshold_pct", "multiple", "stop_atr", "target_atr"):
            require(getattr(self, name) > 0, name, value=getattr(self, name), rule="above 0")
        held = self.time_stop_bars
        require(held is None or held >= 1, "time_stop_bars", value=held, rule="must be 1 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupTerms:
    """The product's own detectors and plans: which of them, all when none is named."""

    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTerms:
    """What a fill costs: slippage against us, and a commission per side in account currency."""

    slippage_bps: D = D(2)
    commission_share: D = D("0.005")
    commission_min: D = D("1.00")

    def __post_init__(self) -> None:
        for name in ("slippage_bps", "commission_share", "commission_min"):
            value = getattr(self, name)
            require(value >= 0, name, value=value, rule="must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeTerms:
    """How much is bought: a fixed number of units, or a share of equity risked (0.01 is 1 %)."""

    start_cash: D = D(100_000)
    risk_pct: D = D("0.01")
    max_notional_pct: D = D(1)
    units: D | None = None

    def __post_init__(self) -> None:
        for name in ("start_cash", "risk_pct", "max_notional_pct"):
            value = getattr(self, name)
            require(value > 0, name, value=value, rule="must be above 0")
        require(self.units is None or self.units > 0, "units", value=self.units, rule="above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitTerms:
    """`after` new units for `before` old ones from the open of `day` on."""

    day: date
    before: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingTerms:
    """What the instrument record says: calendar, price step, lot, and since when it was listed.

    `listed` and `delisted` bound the days on which it may be entered. `splits` are applied to the
    bars as of each bar's own day, so the bars given must be those that were traded.
    """

    calendar: str = "XNYS"
    tick: D = D("0.01")
    lot: D = D(1)
    listed: date | None = None
    delisted: date | None = None
    splits: tuple[SplitTerms, ...] = ()

    def __post_init__(self) -> None:
        require(self.tick > 0 and self.lot > 0, "tick", value=self.tick, rule="must be above 0")
        days = [one.day for one in self.splits]
        require(days == sorted(days), "splits", value=len(days), rule="must ascend")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldTerms:
    """Walk-forward on time: months of train, test and step, and days left out between them.

    A step shorter than a test would count trades of the overlap twice.
    """

    train_months: int = 12
    test_months: int = 3
    step_months: int = 3
    embargo_days: int = 30

    def __post_init__(self) -> None:
        for name in ("train_months", "test_months", "step_months"):
            months = getattr(self, name)
            require_count(name, months)
            require(months <= MONTHS_MAX, name, value=months, rule=f"at most {MONTHS_MAX} months")
        apart, days = self.step_months >= self.test_months, self.embargo_days
        require(apart, "step_months", value=self.step_months, rule="not below test_months")
        require(0 <= days <= DAYS_MAX, "embargo_days", value=days, rule=f"0 to {DAYS_MAX}")


@dataclass(frozen=True, kw_only=True)
class BacktestConfig:
    """One run, whole: equal configs on equal bars make equal bytes.

    `kind` says who finds the trades: `rule` one of the simple strategies, `setup` the detectors
    with their plans. `touch` fills limits at equality, to compare with others. `universe_dated`
    says that the symbols were chosen as of the first day; otherwise the report is flagged. With
    `folds` the report tells what later test windows made of what was fitted before them: the
    records of setups, or the best of a rule's `grid` of parameters.
    """

    name: str
    kind: Literal["rule", "setup"]
    symbols: tuple[str, ...]
    timeframe: str = "1d"
    rule: RuleTerms = field(default_factory=RuleTerms)
    setup: SetupTerms = field(default_factory=SetupTerms)
    costs: CostTerms = field(default_factory=CostTerms)
    size: SizeTerms = field(default_factory=SizeTerms)
    listings: Mapping[str, ListingTerms] = field(default_factory=dict)
    folds: FoldTerms | None = None
    grid: Mapping[str, tuple[int | D, ...]] | None = None
    first: date | None = None
    last: date | None = None
    touch: bool = False
    universe_dated: bool = False

    def __post_init__(self) -> None:
        require(self.symbols, "symbols", value=0, rule="must name a symbol")
        unique = len(dict.fromkeys(self.symbols)) == len(self.symbols)
        require(unique, "symbols", value=len(self.symbols), rule="must differ")
        swept = self.grid is None or (self.kind == "rule" and self.folds is not None)
        require(swept, "grid", value="", rule="is tried by folds, on a rule")
        known = self.timeframe in TIMEFRAMES
        require(known, "timeframe", value=self.timeframe, rule=f"must be one of {TIMEFRAMES}")

    @cached_property
    def hash(self) -> str:
        """Return the tagged hash (`backtest_config/v1`) of every value."""
        return tagged_hash("backtest_config/v1", self)

    def listing(self, symbol: str) -> ListingTerms:
        """Return what is known of a symbol's listing; the defaults of a US stock otherwise."""
        return self.listings.get(symbol, US_STOCK)


US_STOCK = ListingTerms()
