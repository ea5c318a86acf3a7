"""Owns the table of golden functions: each name with the adapter that calls our code for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from services.kit.canonical import bytes_hash
from services.kit.clock import instant_text
from services.kit.money import decimal_text, tick_round
from services.ledger.average_cost import MarkEvent, TradeEvent, run_account
from services.ledger.performance_math import return_stats, win_rate
from services.market.bar import Bar, resample
from services.market.grid import MINUTES, Window, build_buckets
from services.market.session import sessions_between
from services.orders.fill import market_fill
from services.trade.confidence_tie import Confidence, kelly
from services.trade.draft import PlanDraft
from services.trade.option_risk import OptionTrade, option_stop_estimate
from services.trade.plan import validate
from services.trade.plan_document import canonical_text, hashed_plan
from services.trade.rr import rr
from services.trade.sizing import CapInputs, Levels, RiskTaken, size
from services.trade.stop import DEFAULT_BOUNDS, METHODS, StopInputs, build_stop
from services.trade.target import (
    Survival,
    runner_extension,
    scale_targets,
    split_quantity,
    target_price,
)
from tests import golden_market, golden_options, golden_research, golden_rules
from tests.case_args import Args, as_decimal, fixed, invalid

Output = dict[str, Any]
ZERO, ONE = Decimal(0), Decimal(1)


def _side(args: Args) -> Any:
    return args.word("side", "long", "short")


def golden_validate_plan(given: Any) -> Output:
    """3.6."""
    args = Args(given)
    check = validate(
        PlanDraft(
            side=_side(args),
            entry_lo=args.dec("entry_lo"),
            entry_hi=args.dec("entry_hi"),
            stop=args.dec("stop"),
            targets=args.decs("targets"),
            tick=args.dec("tick"),
            atr=args.dec("atr", None),
            fractions=args.decs("fractions", None),
            runner_fraction=args.dec("runner_fraction", ZERO),
            cost_per_unit=args.dec("cost_per_unit", None),
            bid=args.dec("bid", None),
            ask=args.dec("ask", None),
        )
    )
    return {"errors": list(check.errors), "warnings": list(check.warnings)}


def golden_tick_round(given: Any) -> Output:
    """0.4."""
    args = Args(given)
    mode = args.word("mode", "floor", "ceil", "nearest")
    return {"price": decimal_text(tick_round(args.dec("price"), args.dec("tick"), mode))}


def golden_build_stop(given: Any) -> Output:
    """3.2."""
    args = Args(given)
    side = _side(args)
    bounds = args.decs("stop_atr_bounds", DEFAULT_BOUNDS)
    if len(bounds) != 2:
        raise invalid("stop_atr_bounds", bounds, "must be two numbers")
    stop = build_stop(
        side,
        StopInputs(
            entry_worst=args.dec("entry_worst"),
            atr=args.dec("atr"),
            ema20=args.dec("ema20"),
            k_atr=args.dec("k_atr"),
            tick=args.dec("tick"),
            structure=args.dec("structure_low" if side == "long" else "structure_high"),
        ),
        method=args.word("method", *METHODS),
        bounds=bounds,
    )
    return {
        "candidates": {key: fixed(value, 6) for key, value in stop.candidates.items()},
        "stop": decimal_text(stop.price),
        "stop_distance": fixed(stop.distance, 6),
        "atr_multiple": fixed(stop.atr_multiple, 4),
        "flags": list(stop.flags),
    }


def golden_scale_targets(given: Any) -> Output:
    """3.3, 3.4."""
    args = Args(given)
    points = Args(args.raw("survival"), "survival").given
    grid = {as_decimal("survival", x): as_decimal("survival", s) for x, s in points.items()}
    scaling = scale_targets(
        args.decs("tp_r"),
        Survival(grid=grid, n=args.integer("n")),
        runner=(args.dec("runner_threshold"), args.dec("runner_fraction")),
        confidence=args.dec("confidence", None),
        cost_r=args.dec("cost_r", ZERO),
    )
    out: Output = {
        "p": [fixed(item, 4) for item in scaling.p],
        "runner_conditional": fixed(scaling.runner_conditional, 4),
        "runner_fraction": fixed(scaling.runner_fraction, 4),
        "fractions": [fixed(item, 4) for item in scaling.fractions],
        "ev_r": fixed(scaling.ev_r, 4),
        "flags": list(scaling.flags),
    }
    quantity, lot = args.dec("quantity", None), args.dec("lot", ONE)
    if quantity is not None:
        legs = split_quantity(quantity, scaling, lot=lot)
        out["quantities"] = [decimal_text(item) for item in legs.quantities]
        out["runner_quantity"] = decimal_text(legs.runner)
    return out


def golden_runner_extension(given: Any) -> Output:
    """3.4."""
    args = Args(given)
    x = runner_extension(
        args.decs("mfe_r"),
        last_tp_r=args.dec("last_tp_r"),
        quantile=args.dec("quantile", Decimal("0.75")),
    )
    price = target_price(
        _side(args),
        args.dec("entry"),
        stop_distance=args.dec("stop_distance"),
        x=x,
        tick=args.dec("tick"),
    )
    return {"x_ext": fixed(x, 4), "price": decimal_text(price)}


def golden_rr(given: Any) -> Output:
    """3.5."""
    args = Args(given)
    found = rr(
        _side(args),
        args.dec("entry"),
        levels=(args.dec("stop"), args.decs("targets")),
        cost_per_unit=args.dec("cost_per_unit"),
        fractions=args.decs("fractions"),
        runner_fraction=args.dec("runner_fraction", ZERO),
    )
    return {
        "risk_per_unit": fixed(found.risk_per_unit, 6),
        "rr": [fixed(item, 4) for item in found.per_target],
        "rr_blended": fixed(found.blended, 4),
        "band": found.band,
        "p_breakeven_tp1": fixed(found.p_breakeven_tp1, 4),
    }


def golden_bar_hash(given: Any) -> Output:
    """0.6."""
    args = Args(given)
    document = {
        "symbol": args.text("symbol"),
        "timeframe": args.text("timeframe"),
        "bars": args.raw("bars"),
    }
    text = canonical_text(document)
    return {"hash": bytes_hash("bars/v1", text), "canonical": text.decode()}


def golden_plan_hash(given: Any) -> Output:
    """0.6, 3.7."""
    plan = Args(Args(given).raw("plan"), "plan").given
    text = canonical_text(hashed_plan(plan))
    return {"hash": bytes_hash("plan/v1", text), "canonical": text.decode()}


def golden_dstr(given: Any) -> Output:
    """0.2, 0.6."""
    values = [decimal_text(value) for value in Args(given).decs("values")]
    return {"values": values, "canonical": canonical_text(values).decode()}


def _find_confidence(args: Args) -> Confidence | None:
    value = args.dec("confidence", None)
    tier = args.word("confidence_tier", "prior", "platt", "isotonic", default=None)
    rr_tp1 = args.dec("rr_tp1", None)
    ignored = args.flag("ignore_confidence", default=False)
    if value is None:
        return None
    if tier is None or rr_tp1 is None:
        raise invalid("confidence", value, "needs confidence_tier and rr_tp1")
    return Confidence(value=value, tier=tier, rr_tp1=rr_tp1, ignored=ignored)


def golden_size(given: Any) -> Output:
    """4.1, 4.2."""
    args = Args(given)
    levels = Levels(
        side=_side(args),
        entry=args.dec("entry"),
        stop=args.dec("stop"),
        lot=args.dec("lot", ONE),
        slippage_per_unit=args.dec("slippage_per_unit", ZERO),
        commission_per_unit=args.dec("commission_per_unit", ZERO),
        multiplier=args.dec("multiplier", ONE),
        fx_to_account=args.dec("fx_to_account", ONE),
    )
    risk = RiskTaken(
        equity=args.dec("equity"),
        risk_pct=args.dec("risk_pct"),
        max_risk_pct=args.dec("max_risk_pct", Decimal("0.02")),
        confidence=_find_confidence(args),
    )
    money = (
        "day_risk_left",
        "portfolio_risk_left",
        "max_notional_pct",
        "buying_power",
        "adv_units",
        "max_units",
    )
    caps = CapInputs(
        **{name: args.dec(name, None) for name in money},
        symbol_notional=args.dec("symbol_notional", ZERO),
        max_adv_pct=args.dec("max_adv_pct", Decimal("0.01")),
    )
    found = size(levels, risk, caps=caps)
    return {
        "qty": decimal_text(found.quantity),
        "binding": found.binding,
        "size_multiplier": fixed(found.multiplier, 4),
        "risk_per_unit": fixed(found.risk_per_unit, 6),
        "ru": fixed(found.ru, 6),
        "one_r": fixed(found.one_r, 2),
        "notional": fixed(found.notional, 2),
        "risk_pct_used": fixed(found.risk_pct_used, 6),
        "caps": {key: fixed(cap, 4) for key, cap in found.caps.items()},
        "notes": list(found.notes),
    }


def golden_option_stop_estimate(given: Any) -> Output:
    """4.4."""
    args = Args(given)
    risk = option_stop_estimate(
        OptionTrade(
            premium=args.dec("premium"),
            delta=args.dec("delta"),
            gamma=args.dec("gamma"),
            underlying_entry=args.dec("underlying_entry"),
            multiplier=args.dec("multiplier", None),
            underlying_stop=args.dec("underlying_stop"),
            fees_per_contract=args.dec("fees_per_contract", ZERO),
        )
    )
    return {
        "estimated_premium_at_stop": fixed(risk.estimated_premium_at_stop, 6),
        "risk_per_contract": fixed(risk.risk_per_contract, 2),
    }


def golden_kelly(given: Any) -> Output:
    """4.2."""
    args = Args(given)
    full = kelly(args.dec("p"), args.dec("b"))
    return {"full": fixed(full, 6), "quarter": fixed(full / 4, 6)}


def golden_fill(given: Any) -> Output:
    """8.2."""
    args = Args(given)
    args.word("type", "market")
    fill = market_fill(
        args.word("side", "buy", "sell"),
        args.dec("bid"),
        ask=args.dec("ask"),
        slippage_bps=args.dec("slippage_bps"),
        tick=args.dec("tick"),
    )
    return {"price": decimal_text(fill.price), "flags": list(fill.flags)}


def _account_event(args: Args) -> TradeEvent | MarkEvent:
    if args.word("type", "trade", "mark") == "mark":
        marks = Args(args.raw("marks"), "marks").given
        return MarkEvent({str(key): as_decimal("marks", value) for key, value in marks.items()})
    return TradeEvent(
        symbol=args.text("symbol"),
        side=args.word("side", "buy", "sell"),
        quantity=args.dec("qty"),
        price=args.dec("price"),
    )


def golden_paper(given: Any) -> Output:
    """8.3."""
    args = Args(given)
    report = run_account(
        args.dec("starting_cash"),
        args.dec("fee_per_order"),
        events=[_account_event(item) for item in args.items("events")],
    )
    return {
        "cash": fixed(report.cash, 2),
        "trades": [
            {"symbol": x.symbol, "qty": decimal_text(x.quantity), "pnl": fixed(x.pnl, 2)}
            for x in report.trades
        ],
        "rejects": [{"symbol": x.symbol, "reason": x.reason} for x in report.rejects],
        "equity": [fixed(value, 2) for value in report.equity],
        "total_return": fixed(report.total_return, 6),
        "max_drawdown": fixed(report.max_drawdown, 6),
        "win_rate": fixed(report.stats.win_rate, 6),
        "profit_factor": fixed(report.stats.profit_factor, 6),
        "flags": list(report.stats.flags),
    }


def golden_perf(given: Any) -> Output:
    """8.4."""
    args = Args(given)
    found = return_stats(
        args.floats("returns"),
        rf=float(args.dec("rf", ZERO)),
        periods_per_year=args.integer("periods_per_year", 252),
    )
    names = ("total_return", "max_drawdown", "sharpe", "sortino", "annual_volatility")
    out: Output = {name: fixed(getattr(found, name), 6) for name in names}
    return out | {"flags": list(found.flags)}


def golden_win_rate(given: Any) -> Output:
    """8.4."""
    return {"win_rate": fixed(win_rate(Args(given).decs("pnl")), 6)}


def golden_session_grid(given: Any) -> Output:
    """1.2."""
    args = Args(given)
    day, minutes = args.day("session"), args.integer("minutes")
    found = [item for item in sessions_between(args.text("calendar"), day, day) if item.date == day]
    if not found:
        raise invalid("session", day, "is no session of this calendar")
    buckets = build_buckets(Window(found[0].open, found[0].close), minutes)
    return {
        "open": instant_text(found[0].open),
        "close": instant_text(found[0].close),
        "buckets_utc": [[f"{x.opens:%H:%M}", f"{x.closes:%H:%M}"] for x in buckets],
    }


def golden_resample(given: Any) -> Output:
    """1.2."""
    args = Args(given)
    calendar, from_tf, to_tf = (args.text(name) for name in ("calendar", "from_tf", "to_tf"))
    step = timedelta(minutes=MINUTES.get(from_tf, 1))
    bars = [
        Bar(
            t_open=row.instant("t_open"),
            t_close=row.instant("t_open") + step,
            o=row.dec("o"),
            h=row.dec("h"),
            l=row.dec("l"),
            c=row.dec("c"),
            v=row.dec("v"),
        )
        for row in args.items("bars")
    ]
    built = resample(bars, calendar=calendar, from_tf=from_tf, to_tf=to_tf)
    return {
        "bars": [
            {"t_open": instant_text(bar.t_open), "t_close": instant_text(bar.t_close)}
            | {name: decimal_text(getattr(bar, name)) for name in "ohlcv"}
            for bar in built
        ]
    }


FUNCTIONS: dict[str, Callable[[Any], Output]] = {
    name.removeprefix("golden_"): function
    for module in (golden_market, golden_options, golden_research, golden_rules)
    for name, function in sorted(vars(module).items())
    if name.startswith("golden_") and callable(function)
} | {
    name.removeprefix("golden_"): function
    for name, function in sorted(globals().items())
    if name.startswith("golden_") and callable(function)
}
"""Every function we answer, by its golden name; a name that is missing is a failed case."""
