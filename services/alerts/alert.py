"""Owns the alert: what was asked, where it stands, and its rule for the state machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from services.alerts.rule import AlertRule, AlertState, State
from services.kit.clock import EPOCH, from_micros

Side = Literal["above", "below"]
Timeframe = Literal["minute", "day"]
Mode = Literal["cross", "level"]
Basis = Literal["touch", "close"]
Latency = Literal["bar", "fast"]
Standing = Literal["armed", "waiting_reset", "fired_wait", "done", "expired", "paused"]
ACTIVE: tuple[Standing, ...] = ("armed", "waiting_reset", "fired_wait")
ZERO = Decimal(0)
AT_VWAP = Decimal(100)
"""A price as a share of the VWAP: 100 is the VWAP itself."""


class AlertKind(StrEnum):
    """What an alert looks at."""

    PRICE_ABOVE = "price_above"
    PRICE_BELOW = "price_below"
    VWAP_CROSS = "vwap_cross"
    RVOL_ABOVE = "rvol_above"
    PLAN_EVENT = "plan_event"
    RISK = "risk"


OF_PRICES = (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW, AlertKind.PLAN_EVENT)
"""Kinds whose levels are prices of their symbol; they remember nothing of a session."""
BY_SUBJECT = (AlertKind.PLAN_EVENT, AlertKind.RISK)
"""Kinds that watch something stored instead of one number of the market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertAsk:
    """What a person wants to be told.

    `level` is a price; for `vwap_cross` the distance from the VWAP in signed percent, for
    `rvol_above` the ratio to the usual volume. `distance_pct` gives a price level as a distance
    from the last price instead. `side` None lets the last price decide. Defaults of `basis` and
    `expires_at` depend on the timeframe. `plan_event` watches the `moments` of the plan `plan_id`,
    all of them when none are named; `risk` the account's state from `risk_state` on, or every
    `change` of it.
    """

    symbol: str = ""
    kind: AlertKind | None = None
    level: Decimal | None = None
    distance_pct: Decimal | None = None
    side: Side | None = None
    threshold_pct: Decimal = ZERO
    timeframe: Timeframe = "minute"
    mode: Mode = "cross"
    basis: Basis | None = None
    repeat: bool = False
    latency: Latency = "bar"
    expires_at: datetime | None = None
    note: str = ""
    confirm_far: bool = False
    plan_id: str = ""
    moments: tuple[str, ...] = ()
    risk_state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert and where it stands after its last bar.

    Times are the market's, but `updated_at`. `memory` is what its kind needs of earlier bars of
    the session; `watched_from` is when watching began or began again. `subject` is the plan or the
    portfolio that is watched, `terms` what was taken from it when the alert was set.
    """

    id: str
    user_id: str
    symbol: str
    listing: str
    calendar: str
    kind: AlertKind
    side: Side
    level: Decimal
    ref_price: Decimal
    created_at: datetime
    watched_from: datetime
    updated_at: datetime
    last_close: Decimal
    state: Standing = "armed"
    threshold_pct: Decimal = ZERO
    timeframe: Timeframe = "minute"
    mode: Mode = "cross"
    basis: Basis = "touch"
    repeat: bool = False
    latency: Latency = "bar"
    hysteresis: Decimal = ZERO
    cooldown_s: int = 0
    expires_at: datetime | None = None
    note: str = ""
    note_by: str = ""
    last_bar_at: datetime | None = None
    last_event_at: datetime | None = None
    suppressed: int = 0
    flags: tuple[str, ...] = ()
    memory: Mapping[str, str] = field(default_factory=dict)
    round: int = 0
    first_triggered_at: datetime | None = None
    triggers: int = 0
    version: int = 1
    subject: str = ""
    terms: str = ""

    @property
    def active(self) -> bool:
        """Return True while bars are evaluated."""
        return self.state in ACTIVE

    @property
    def seen_until(self) -> datetime:
        """Return the close of the last evaluated bar, else when watching began."""
        return self.last_bar_at or self.watched_from

    @property
    def rule(self) -> AlertRule:
        """Return the rule of the state machine, in the unit of what is measured."""
        return AlertRule(
            kind="price_above" if self.side == "above" else "price_below",
            level=self.level + (AT_VWAP if self.kind is AlertKind.VWAP_CROSS else ZERO),
            ref_price=self.ref_price,
            mode=self.mode,
            basis=self.basis,
            threshold_pct=self.threshold_pct,
            repeat=self.repeat,
            hysteresis=self.hysteresis,
            cooldown_s=self.cooldown_s,
            expires_at=None if self.expires_at is None else to_seconds(self.expires_at),
        )

    @property
    def effective(self) -> Decimal:
        """Return the level with its threshold; for `vwap_cross` in percent of the VWAP."""
        return self.rule.effective

    @property
    def standing(self) -> AlertState:
        """Return the state for the state machine; an alert that rests can not be folded."""
        state: State = "done" if self.state == "paused" else self.state
        return AlertState(
            state,
            self.last_close,
            None if self.last_bar_at is None else to_seconds(self.last_bar_at),
            None if self.last_event_at is None else to_seconds(self.last_event_at),
            self.suppressed,
            self.flags,
        )


def to_seconds(moment: datetime) -> int:
    """Return whole seconds since 1970 UTC, cut."""
    return int((moment - EPOCH).total_seconds())


def from_seconds(seconds: int) -> datetime:
    """Return the UTC time of whole seconds since 1970."""
    return from_micros(seconds * 1_000_000)
