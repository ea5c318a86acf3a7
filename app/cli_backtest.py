"""Owns the verb `backtest`: run a config over history and write its report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from services.market.bar import Bar
    from services.research.config import BacktestConfig
    from services.research.report import Report


_TERMS = ("train_months", "test_months", "embargo_days")


def backtest(
    *,
    config: Annotated[
        str, typer.Option(help="A JSON file of what to run, or the name of a strategy.")
    ] = "setups",
    symbol: Annotated[list[str] | None, typer.Option(help="May be given again.")] = None,
    folder: Annotated[
        Path | None, typer.Option(help="A folder of daily and hour files; else the bundled days.")
    ] = None,
    tried: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            "--folds",
            help="A JSON file of values to sweep by parameter; or a walk-forward by months of "
            "train and test and days between, such as 24/6/40. Both may be given.",
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report's page here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print data as JSON.")] = False,
) -> None:
    """Run a strategy over history. Example: cornerman backtest --config ema_cross --html r.html.

    With --folds, later test windows are told apart from what was fitted before them, with --grid
    the best of a grid. Progress goes to the error stream. The same config on the same bars gives
    the same bytes.
    """
    from services.research.strategy_policy import (
        named_config,
        parse_config,
        strategy_names,
        with_folds,
    )

    bars = _bars(folder)
    if config in strategy_names():
        asked = named_config(config, tuple(symbol or sorted(bars)), "1d")
    else:
        asked = parse_config(_read(Path(config)))
    folds, grid = _tried(tried or [])
    asked = with_folds(asked, folds)
    if grid is not None and asked.folds is None:
        _sweep(asked, bars, grid, as_json=as_json)
        return
    if grid is not None:
        asked = replace(asked, grid={name: tuple(row) for name, row in grid.items()})
    report = _run(asked, bars)
    if html is not None:
        _write_page(report, html)
    _say(report, as_json=as_json)


def _tried(values: Sequence[str]) -> tuple[dict[str, int | None], dict[str, Any] | None]:
    """Return the terms of folds, empty without them, and the grid of a file.

    Worked: `24/6/45` fits on 24 months and tests the 6 that begin 45 days later.
    """
    folds: dict[str, int | None] = {}
    grid = None
    for value in values:
        parts = value.split("/")
        if len(parts) == len(_TERMS) and all(one.isascii() and one.isdecimal() for one in parts):
            folds = dict(zip(_TERMS, map(int, parts), strict=True))
        else:
            grid = _read(Path(value))
    return folds, grid


def _read(path: Path) -> dict[str, Any]:
    from services.kit.errors import refuse

    try:
        body = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise refuse(
            "PARAM_INVALID", name="file", value=str(path), rule=str(error)[:200]
        ) from error
    if not isinstance(body, dict):
        raise refuse("PARAM_INVALID", name="file", value=str(path), rule="must hold one object")
    return body


def _bars(folder: Path | None) -> dict[str, dict[str, Sequence[Bar]]]:
    """Return bars by symbol and timeframe, split-adjusted to their end."""
    from services.research import raw_bars

    found = raw_bars.bundled() if folder is None else raw_bars.folder(folder)
    return {one.symbol: dict(one.bars) for one in found}


def _run(config: BacktestConfig, bars: dict[str, dict[str, Sequence[Bar]]]) -> Report:
    from services.research.dry_run import dry_run
    from services.research.engine import Extras
    from services.research.known_then import shipped_then

    def told(done: int, total: int, symbol: str) -> None:
        typer.echo(f"{done} of {total}: {symbol}", err=True)

    chosen = {name: rows.get(config.timeframe, ()) for name, rows in bars.items()}
    minutes = {
        name: rows["1m"] for name, rows in bars.items() if "1m" in rows and config.timeframe != "1m"
    }
    extras = Extras(minutes=minutes, progress=told, known=shipped_then())
    return dry_run(config, chosen, extras=extras)


def _sweep(
    config: BacktestConfig,
    bars: dict[str, dict[str, Sequence[Bar]]],
    grid: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    from services.kit.canonical import canonical
    from services.research.series import Series
    from services.research.sweep import sweep

    series = {
        name: Series(name, config.timeframe, bars.get(name, {}).get(config.timeframe, ()))
        for name in config.symbols
    }

    def told(done: int, total: int, name: str) -> None:
        typer.echo(f"{done} of {total}: {name}", err=True)

    found = sweep(config, series, grid=grid, progress=told)
    if as_json:
        typer.echo(canonical(found).decode())
        return
    for row in found.rows[:20]:
        typer.echo(f"{row.expectancy_r} R  {row.n:5} trades  {row.name}")
    typer.echo(f"{found.trials} sets were tried: the best of many looks better than it is.")


def _write_page(report: Report, path: Path) -> None:
    from services.research.report_page import page_of

    path.write_text(page_of(json.loads(report.bytes)), encoding="utf-8")
    typer.echo(f"The report is in {path}.", err=True)


def _say(report: Report, *, as_json: bool) -> None:
    from services.research.report_words import fold_lines, summary_of, words_of

    if as_json:
        typer.echo(report.bytes.decode())
        return
    typer.echo(words_of(report.config.name, summary_of(report)))
    for row in report.by_setup:
        rate = f"{row.expectancy_r} R, won {row.win_rate}" if row.enough else "not enough data"
        typer.echo(f"  {row.setup_id}: {row.n} trades, {rate}")
    for line in fold_lines(report):
        typer.echo(line)
    for reason, count in report.left_out.items():
        typer.echo(f"  no trade, {reason}: {count}")
    typer.echo(f"Run {report.run_hash}")
