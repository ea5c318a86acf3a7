"""Owns the shapes of the market's state, metrics and job runs on the wire."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel

from app.http.answer_models import Labelled, MarketSession
from services.market.last_good import LastGood


class Banner(BaseModel):
    """One line above the page: what a person must know of the session and of the data."""

    level: Literal["info", "warning"]
    text: str


class CalendarState(BaseModel):
    """What one exchange does at the feed's time."""

    calendar: str
    state: Literal["open", "closed", "pre", "post"]
    half_day: bool
    next_change: datetime


class MarketStatus(Labelled):
    """Whether the market is open at the feed's own time, and what was last known while it rests.

    `last_good` holds the last known good quotes while the market is closed; each has its own time.
    """

    state: Literal["open", "closed", "pre", "post"]
    session: MarketSession | None
    next_open: datetime
    next_change: datetime
    calendar: str
    half_day: bool
    banner: Banner
    calendars: list[CalendarState]
    last_good: list[LastGood]


class MetricsAnswer(Labelled):
    """One symbol's session so far; `vwap` is null without volume."""

    symbol: str
    instrument_id: str
    session: str
    open: Decimal
    high: Decimal
    low: Decimal
    last: Decimal
    vwap: Decimal | None
    volume: Decimal
    range_pct: Decimal
    change_pct: Decimal
    bars: int


class MetricsList(Labelled):
    """The metrics of each symbol asked for; `missing` has no complete minute yet."""

    items: list[MetricsAnswer]
    missing: list[str]


class TaskRunAnswer(BaseModel):
    """One run of a job; `scheduled_at` is market time, the other two are wall time."""

    id: str
    job: str
    scheduled_at: datetime
    origin: Literal["schedule", "manual"]
    status: Literal["running", "ok", "failed", "skipped", "dead"]
    attempts: int
    summary: dict[str, Any]
    error: str
    missed: int
    started_at: datetime
    finished_at: datetime | None


class JobFacts(BaseModel):
    """A job that can be run by hand."""

    name: str
    title: str


class TaskRuns(BaseModel):
    """The newest runs first, and the jobs that there are."""

    items: list[TaskRunAnswer]
    jobs: list[JobFacts]
