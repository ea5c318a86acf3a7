"""Owns the tool `data_health`: how far the data of some symbols can be trusted right now."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.kit.context import Context
from services.market.feed import Feed
from services.market.quality import Look, look
from tools.registry import Args, Effect, Result, SymbolText, tool
from tools.wording.figures import Row
from tools.wording.health import GoodValue, Level, age_s_of, health_words, level_of
from tools.wording.market import cite_page

_ALL_MAX = 20


class DataHealthArgs(Args):
    """Which symbols; without any the first twenty that are known."""

    symbols: Annotated[list[SymbolText], Field(max_length=_ALL_MAX)] | None = Field(
        None, description="Up to twenty ticker symbols; the first twenty known when left out."
    )


class HealthFinding(Row):
    """One thing that is wrong."""

    code: str
    severity: Literal["INFO", "WARN", "CRIT"]
    detail: str


class HealthRow(Row):
    """The data of one symbol; `age_s` is the age of its quote in market time."""

    symbol: str
    level: Level
    age_s: int | None
    findings: tuple[HealthFinding, ...]
    last_good: GoodValue | None
    freeze: str | None
    unfreezes: str | None


class DataHealthResult(Result):
    """One row per symbol, by symbol."""

    rows: tuple[HealthRow, ...]


@tool(effect=Effect.READ)
def data_health(ctx: Context, args: DataHealthArgs) -> DataHealthResult:
    """Return findings, the last good value and freezes of each symbol's data, and their level."""
    feed = ctx.port(Feed)
    known = args.symbols or [one.symbol for one in feed.instruments(ctx)][:_ALL_MAX]
    seen, as_of = look(ctx, list(dict.fromkeys(known))) if known else (), feed.as_of(ctx)
    rows = tuple(_row(one, age_s_of(one, as_of)) for one in seen)
    source = cite_page("data quality", feed.name, feed.provenance, as_of)
    return DataHealthResult(rows=rows, summary=health_words(seen, as_of), source=source)


def _row(seen: Look, age_s: int | None) -> HealthRow:
    good = seen.last_good
    standing = seen.frozen[0] if seen.frozen else None
    return HealthRow(
        symbol=seen.instrument.symbol,
        level=level_of(seen),
        age_s=age_s,
        findings=tuple(HealthFinding.model_validate(one) for one in seen.findings),
        last_good=None if good is None else GoodValue.model_validate(good),
        freeze=standing.id if standing else None,
        unfreezes=standing.unfreezes if standing else None,
    )
