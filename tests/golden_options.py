"""Owns the golden functions of options: each with the adapter to our code."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from services.kit.errors import refuse
from services.kit.money import decimal_text, from_float
from services.market.osi import build_osi
from services.strategy.option_move import expected_move, straddle_move
from services.strategy.option_price import OptionTerms, bsm, implied_volatility, touch_probability
from services.strategy.option_screen import PROFILES, ScreenContract, leaps_metrics, screen
from tests.case_args import Args, fixed

Output = dict[str, Any]
RIGHTS = {"C": "call", "P": "put"}


def _right(args: Args) -> Any:
    return RIGHTS[args.word("right", "C", "P")]


def _terms(args: Args, right: Any, strike: float) -> OptionTerms:
    return OptionTerms(
        right=right,
        spot=args.real("S"),
        strike=strike,
        years=args.real("T"),
        rate=args.real("r"),
        dividend=args.real("q"),
    )


def golden_bsm(given: Any) -> Output:
    """10.5."""
    args = Args(given)
    terms = _terms(args, _right(args), args.real("K"))
    found = bsm(terms, args.real("sigma"))
    solved = implied_volatility(terms, found.price)
    names = ("price", "delta", "gamma", "theta_per_day", "vega_per_point", "breakeven")
    return {name: fixed(from_float(getattr(found, name), 6), 6) for name in names} | {
        "extrinsic": fixed(from_float(found.extrinsic, 6), 6),
        "p_itm": fixed(from_float(found.p_itm, 6), 6),
        "implied_vol": fixed(from_float(solved, 6), 6),
    }


def golden_touch_probability(given: Any) -> Output:
    """10.7."""
    args = Args(given)
    barrier, sigma = args.real("B"), args.real("sigma")
    above = barrier >= args.real("S")
    if args.real("T") <= 0 and sigma > 0:
        return {"p": "1.000000" if barrier == args.real("S") else "0.000000", "two_p_itm": None}
    terms = _terms(args, "call" if above else "put", barrier)
    p = touch_probability(terms, barrier, sigma)
    return {
        "p": fixed(from_float(p, 6), 6),
        "two_p_itm": fixed(from_float(2 * bsm(terms, sigma).p_itm, 6), 6),
    }


def golden_expected_move(given: Any) -> Output:
    """10.6."""
    args = Args(given)
    moved = expected_move(args.dec("S"), args.dec("iv"), dte=args.integer("dte"))
    return {"one_sigma": fixed(moved, 4)}


def golden_expected_move_straddle(given: Any) -> Output:
    """10.6."""
    args = Args(given)
    found = straddle_move(
        args.dec("call_mid", None),
        args.dec("put_mid", None),
        spot=args.dec("S"),
        iv=args.dec("iv"),
        dte=args.integer("dte"),
    )
    names = ("straddle", "em_085", "one_sigma", "straddle_over_sigma")
    return {name: fixed(getattr(found, name), 4) for name in names}


def golden_occ_symbol(given: Any) -> Output:
    """10.1."""
    args = Args(given)
    day = date.fromisoformat(args.text("expiry"))
    osi = build_osi(args.text("root"), day, _right(args), args.dec("strike"))
    return {"osi": osi, "polygon": "O:" + osi.replace(" ", "")}


def golden_leaps_filter(given: Any) -> Output:
    """10.2."""
    args = Args(given)
    name = args.text("profile")
    if name not in PROFILES:
        raise refuse("PARAM_INVALID", name="profile", value=name[:40], rule="must be a profile")
    found = screen(
        [_contract(row, row.text("id")) for row in args.items("chain")],
        PROFILES[name],
        spot=args.dec("S"),
        tick=args.dec("tick"),
    )
    return {"accepted": list(found.accepted), "rejects": dict(found.rejects)}


def _contract(row: Args, name: str) -> ScreenContract:
    return ScreenContract(
        id=name,
        right=_right(row),
        strike=row.dec("strike"),
        bid=row.dec("bid"),
        ask=row.dec("ask"),
        dte=row.integer("dte"),
        open_interest=row.integer("oi", 0),
        volume=row.integer("volume", 0),
        delta=row.dec("delta", None),
    )


def golden_leaps_metrics(given: Any) -> Output:
    """10.4."""
    args = Args(given)
    found = leaps_metrics(
        _contract(args, "contract"), args.dec("S"), multiplier=args.dec("multiplier", Decimal(100))
    )
    plain = ("mid", "breakeven", "intrinsic", "extrinsic")
    shares = ("extrinsic_pct", "carry_annualised", "leverage", "capital_saved", "spread_pct")
    return (
        {name: decimal_text(getattr(found, name)) for name in plain}
        | {name: fixed(getattr(found, name), 6) for name in shares}
        | {"cost_per_contract": fixed(found.cost_per_contract, 2)}
    )
