"""Owns the routes of backtests: asking for one, how far it is, and its report."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from app.http.label import label
from app.http.unit import ACCEPTED, read, write
from app.http.wire import Body, Symbol, Word
from services.kit.context import Context
from services.kit.errors import refuse
from services.market.quote import Provenance
from services.research import backtests
from services.research.config import DAYS_MAX, MONTHS_MAX
from services.research.report_page import page_of
from services.research.report_words import words_of
from services.research.strategy_policy import (
    approved_hash,
    dry_run_config,
    named_config,
    parse_config,
    strategy_names,
    with_folds,
)

router = APIRouter(prefix="/api/v1/backtests")


class FoldBody(Body):
    """Walk-forward: months of train and test, days left out between; a step is a test long."""

    train_months: Annotated[int, Field(ge=1, le=MONTHS_MAX)] = 12
    test_months: Annotated[int, Field(ge=1, le=MONTHS_MAX)] = 3
    embargo_days: Annotated[int, Field(ge=0, le=DAYS_MAX)] = 30


class BacktestBody(Body):
    """What to run: a strategy by name, a stored one by its hash, or a whole config; by folds."""

    strategy: Word | None = None
    symbols: list[Symbol] = Field(default_factory=list, max_length=backtests.SYMBOLS_MAX)
    timeframe: Word = "1d"
    config: dict[str, Any] | None = None
    folds: FoldBody | None = None


@router.get("")
async def list_backtests(
    request: Request, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Response:
    """List the newest backtests without their reports, and the strategies there are."""

    def act(ctx: Context) -> dict[str, Any]:
        names = strategy_names()
        approved = {name: digest for name in names if (digest := approved_hash(ctx, name))}
        found = backtests.list_backtests(ctx, limit)
        return {"items": found, "strategies": names, "approved": approved}

    return await read(request, act)


@router.post("", status_code=ACCEPTED)
async def ask_backtest(request: Request, body: BacktestBody) -> Response:
    """Queue a backtest; it runs in the background and its report comes with its id."""

    def act(ctx: Context) -> backtests.Backtest:
        symbols = tuple(dict.fromkeys(body.symbols))
        if body.config is not None:
            config = parse_config(body.config)
        elif body.strategy is None:
            rule = f"give a config, a hash, or one of {', '.join(strategy_names())}"
            raise refuse("PARAM_INVALID", field="strategy", name="strategy", value="", rule=rule)
        elif body.strategy.startswith("sha256:"):
            config = dry_run_config(ctx, body.strategy, symbols=symbols, timeframe=body.timeframe)
        else:
            config = named_config(body.strategy, symbols, body.timeframe)
        asked = {} if body.folds is None else body.folds.model_dump()
        return backtests.ask(ctx, with_folds(config, asked))

    return await write(request, act, status=ACCEPTED)


@router.get("/{id}")
async def show_backtest(request: Request, id: Word) -> Response:  # noqa: A002
    """Return one backtest, its report once it is done, and words; its trades are simulated."""

    def act(ctx: Context) -> dict[str, Any]:
        found = backtests.get_backtest(ctx, id)
        words = None if found.summary is None else words_of(found.name, found.summary)
        report = backtests.find_report(ctx, id)
        at = found.data_until or found.created_at
        return {
            "backtest": found,
            "report": report,
            "words": words,
            **label(at, Provenance.SIMULATED, "backtest"),
        }

    return await read(request, act)


@router.get("/{id}/page")
async def show_page(request: Request, id: Word) -> Response:  # noqa: A002
    """Return the report as one HTML file that opens without a network, and a name for it."""

    def act(ctx: Context) -> dict[str, str]:
        found = backtests.get_backtest(ctx, id)
        report = backtests.find_report(ctx, id)
        if report is None:
            raise refuse("BACKTEST_UNKNOWN", id=id)
        return {"file": f"{found.id}.html", "html": page_of(report)}

    return await read(request, act)
