"""Owns the tool `backtest`: starts a backtest in the background, or reads one that was started."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.errors import refuse
from services.research import backtests
from services.research.report_words import words_of
from services.research.strategy_policy import named_config, strategy_names
from tools.registry import Args, Effect, Result, SymbolText, tool
from tools.wording.figures import Exact, Row


class BacktestArgs(Args):
    """A strategy and symbols to start one, or the id of one that was started."""

    strategy: str | None = Field(
        None, max_length=40, description="Name of the strategy, such as orb, ema_cross or setups."
    )
    symbols: list[SymbolText] | None = Field(
        None, max_length=5, description="Ticker symbols whose daily bars it runs on."
    )
    id: str | None = Field(
        None, max_length=40, description="Id of a backtest that was started, to read it."
    )


class BacktestRow(Row):
    """What became of one setup; no rate below 30 trades."""

    setup_id: str
    n: int
    enough: bool
    win_rate: Exact | None = None
    expectancy_r: Exact | None = None


class BacktestResult(Result):
    """Where a backtest stands, and its figures once it is done."""

    id: str
    status: Literal["queued", "running", "done", "failed"]
    trades: int | None = None
    expectancy_r: Exact | None = None
    win_rate: Exact | None = None
    by_setup: tuple[BacktestRow, ...] = ()
    run_hash: str | None = None


@tool(effect=Effect.NOTE)
def backtest(ctx: Context, args: BacktestArgs) -> BacktestResult:
    """Start a backtest of a strategy on daily bars and return its id, or read one by its id."""
    if args.id is not None:
        return _told(backtests.get_backtest(ctx, args.id))
    if not args.strategy or not args.symbols:
        rule = f"give symbols and one of {', '.join(strategy_names())}, or an id"
        raise refuse("PARAM_INVALID", field="strategy", name="strategy", value="", rule=rule)
    config = named_config(args.strategy, tuple(dict.fromkeys(args.symbols)), "1d")
    return _told(backtests.ask(ctx, config))


def _told(found: backtests.Backtest) -> BacktestResult:
    if found.summary is None:
        why = found.error or f"{found.done} of {found.total} symbols; ask for it by its id."
        said = f"Backtest {found.id} of {found.name} is {found.status}: {why}"
        return BacktestResult(id=found.id, status=found.status, summary=said)
    figures = {name: found.summary.get(name) for name in ("trades", "expectancy_r", "win_rate")}
    return BacktestResult(
        id=found.id,
        status=found.status,
        run_hash=found.run_hash,
        summary=words_of(found.name, found.summary),
        by_setup=tuple(BacktestRow.model_validate(row) for row in found.summary["by_setup"]),
        **figures,
    )
