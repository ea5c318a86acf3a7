"""Owns the shapes of backtests on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from services.research.backtests import Backtest


class BacktestList(BaseModel):
    """The newest backtests, the strategies by name, and the hash approved last under each."""

    items: list[Backtest]
    strategies: list[str]
    approved: dict[str, str]


class BacktestDetail(BaseModel):
    """One backtest; `report` is the document `backtest/v1` once it is done."""

    backtest: Backtest
    report: dict[str, Any] | None
    words: str | None
    as_of: datetime
    provenance: str
    source: str


class BacktestPage(BaseModel):
    """The report as one HTML file; it holds no script and loads nothing."""

    file: str
    html: str
