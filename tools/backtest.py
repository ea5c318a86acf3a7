"""Owns the tool `backtest`: starts a backtest in the background, or reads one that was started."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.errors import refuse
from services.research import backtests
from services.research.report_words import words_of
from services.research.strategy_policy import named_config, strategy_names, with_folds
from tools.registry import Args, Effect, SymbolText, tool
from tools.wording.backtests import BacktestFigures, FoldDays, FoldMonths, backtest_rows


class BacktestArgs(Args):
    """A strategy and symbols to start one, or the id of one that was started."""

    strategy: str | None = Field(
        None, max_length=40, description="Name of a strategy, such as orb, ema_cross or setups."
    )
    symbols: list[SymbolText] | None = Field(
        None, max_length=5, description="Ticker symbols whose daily bars it runs on."
    )
    train_months: FoldMonths | None = Field(
        None, description="Walk-forward: fit on so many months, then test on later ones."
    )
    test_months: FoldMonths | None = Field(None, description="Months of each test; else 3.")
    embargo_days: FoldDays | None = Field(None, description="Days between train and test.")
    id: str | None = Field(None, max_length=40, description="Id of a started one, to read it.")


class BacktestResult(BacktestFigures):
    """Where a backtest stands, and its figures once it is done."""

    id: str
    status: Literal["queued", "running", "done", "failed"]
    run_hash: str | None = None


@tool(effect=Effect.NOTE)
def backtest(ctx: Context, args: BacktestArgs) -> BacktestResult:
    """Start a backtest of a strategy on daily bars and return its id, or read one by its id.

    With months of train or test it is a walk-forward: judge by `out_of_sample` alone then.
    """
    if args.id is not None:
        return _told(backtests.get_backtest(ctx, args.id))
    if not args.strategy or not args.symbols:
        rule = f"give symbols and one of {', '.join(strategy_names())}, or an id"
        raise refuse("PARAM_INVALID", field="strategy", name="strategy", value="", rule=rule)
    config = named_config(args.strategy, tuple(dict.fromkeys(args.symbols)), "1d")
    asked = args.model_dump(include={"train_months", "test_months", "embargo_days"})
    return _told(backtests.ask(ctx, with_folds(config, asked)))


def _told(found: backtests.Backtest) -> BacktestResult:
    if found.summary is None:
        why = found.error or f"{found.done} of {found.total} steps; ask for it by its id."
        said = f"Backtest {found.id} of {found.name} is {found.status}: {why}"
        return BacktestResult(id=found.id, status=found.status, summary=said)
    return BacktestResult(
        id=found.id,
        status=found.status,
        run_hash=found.run_hash,
        summary=words_of(found.name, found.summary),
        **backtest_rows(found.summary),
    )
