"""Owns the option alternatives of a plan: the best contract of each profile, or why none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from services.kit.errors import Refusal
from services.kit.money import rounded, tick_round
from services.market.chain import OptionContract
from services.market.osi import build_osi
from services.market.session import find_last_session
from services.market.tick_table import TICKS
from services.strategy.option_rank import AIMS, Ranked, rank
from services.strategy.option_screen import PROFILES, ScreenContract, ScreenProfile, screen
from services.trade.option_risk import OptionTrade, option_stop_estimate

if TYPE_CHECKING:
    from services.trade.idea import Idea
    from services.trade.plan_inputs import ChainFacts

OPTION_TICKS = TICKS["us_option"][0][1]
"""The wider class: a contract of the finer one is on these steps too."""
_FEES = Decimal("1.30")
"""Two commissions of a contract, 0.65 a side."""
YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Wanted:
    """A kind of alternative and the profile that screens for it."""

    kind: str
    profile: str
    limits: ScreenProfile


def wanted_of(side: str, style: str) -> tuple[Wanted, ...]:
    """Return the kinds for a plan: calls for a long, with LEAPS for swings; a put for a short."""
    name = "intraday_long" if style == "intraday" else "swing_long"
    if side == "short":
        return (Wanted("long_put", name, replace(PROFILES[name], right="put")),)
    leaps = Wanted("leaps_call", "leaps_call", PROFILES["leaps_call"])
    call = Wanted("long_call", name, PROFILES[name])
    match style:
        case "intraday":
            return (call,)
        case "leaps":
            return (leaps,)
        case _:
            return (call, leaps)


def choose_expiry(expiries: tuple[date, ...], wanted: Wanted, *, on: date) -> date | None:
    """Return the expiry nearest to the days that the profile aims at; None within its limits."""
    aim, limits = AIMS[wanted.profile], wanted.limits
    days = {one: (one - on).days for one in expiries}
    fits = [
        one
        for one, dte in days.items()
        if limits.dte_min <= dte and (limits.dte_max is None or dte <= limits.dte_max)
    ]
    return min(
        fits,
        key=lambda one: (max(aim.dte_low - days[one], days[one] - aim.dte_high, 0), one),
        default=None,
    )


def option_alternatives(
    idea: Idea, chain: ChainFacts, *, style: str, targets: tuple[Decimal, ...], until: datetime
) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Return the alternatives, and per kind the counts of rejected contracts by first failed rule.

    Filters are never relaxed. The limit price is the mid on tick, never more; values at target 1
    and at the stop are second-order estimates from delta and gamma.
    """
    if chain.absent_because or chain.spot is None:
        return [], {"reason": chain.absent_because or "the chain has no price of the underlying"}
    on = session_day(idea)
    found: list[dict[str, object]] = []
    rejects: dict[str, object] = {}
    for wanted in wanted_of(idea.setup.side, style):
        by_id = {one.symbol: one for one in chain.contracts}
        screened = [shown for one in chain.contracts if (shown := _screenable(one, on)) is not None]
        passed = screen(screened, wanted.limits, spot=chain.spot, tick=OPTION_TICKS[-1][1])
        kept = [one for one in screened if one.id in passed.accepted]
        counts = Counter(passed.rejects.values())
        rejects[wanted.kind] = {code: counts[code] for code in sorted(counts)}
        for best in rank(kept, wanted.limits, aim=AIMS[wanted.profile], spot=chain.spot)[:1]:
            facts = _alternative(idea, wanted, best, by_id[best.contract.id], targets, until)
            found.append(facts)
    return found, rejects


def session_day(idea: Idea) -> date:
    """Return the exchange date from which days to expiry count: that of the setup."""
    session = find_last_session(idea.context.calendar, idea.setup.trigger_ts)
    return idea.setup.trigger_ts.date() if session is None else session.date


def _screenable(one: OptionContract, on: date) -> ScreenContract | None:
    if (one.expiry - on).days < 1:
        return None
    sound = "GREEKS_MISSING" not in one.flags
    return ScreenContract(
        id=one.symbol,
        right=one.right,
        strike=one.strike,
        bid=one.bid or Decimal(0),
        ask=one.ask or Decimal(0),
        dte=(one.expiry - on).days,
        open_interest=int(one.open_interest or 0),
        volume=int(one.volume or 0),
        delta=one.delta if sound else None,
        theta=one.theta if sound else None,
    )


def _tick(price: Decimal) -> Decimal:
    return next(tick for at_least, tick in OPTION_TICKS if price >= at_least)


def _alternative(
    idea: Idea,
    wanted: Wanted,
    best: Ranked,
    contract: OptionContract,
    targets: tuple[Decimal, ...],
    until: datetime,
) -> dict[str, object]:
    one = best.contract
    limit = tick_round(one.mid, _tick(one.mid), "floor")
    sign = 1 if one.right == "call" else -1
    breakeven = one.strike + sign * one.mid
    held = max(1, (until.date() - session_day(idea)).days)
    why = (
        f"delta {rounded(abs(one.delta or Decimal(0)), 2)}, {one.dte} days, "
        f"{one.open_interest} open, spread {rounded(100 * one.spread_pct, 1)}%"
    )
    return {
        "kind": wanted.kind,
        "contract": _osi(contract),
        "why": why,
        "metrics": {
            "limit_price": limit,
            "bid": one.bid,
            "ask": one.ask,
            "strike": one.strike,
            "expiry": contract.expiry,
            "dte": one.dte,
            "delta": one.delta,
            "iv": contract.iv,
            "breakeven": rounded(breakeven, 6),
            "breakeven_atr": rounded(sign * (breakeven - idea.worst) / idea.atr, 4),
            "theta_cost": rounded(held * abs(one.theta or Decimal(0)), 6),
            "open_interest": one.open_interest,
            "volume": one.volume,
            "spread_pct": rounded(one.spread_pct, 6),
            "rank": rounded(best.score, 4),
            "greeks_source": "provider",
            **_estimates(idea, contract, one.mid, targets),
        },
    }


def _osi(contract: OptionContract) -> str:
    try:
        return build_osi(contract.underlying, contract.expiry, contract.right, contract.strike)
    except Refusal:
        return contract.symbol


def _estimates(
    idea: Idea, contract: OptionContract, mid: Decimal, targets: tuple[Decimal, ...]
) -> Mapping[str, object]:
    """Return what the contract would be worth at target 1 and at the stop, and what it risks."""
    if contract.delta is None or contract.gamma is None or contract.multiplier is None:
        return {}
    trade = OptionTrade(
        premium=mid,
        delta=contract.delta,
        gamma=contract.gamma,
        underlying_entry=idea.worst,
        underlying_stop=idea.stop.price,
        multiplier=contract.multiplier,
        fees_per_contract=_FEES,
        symbol=contract.symbol,
    )
    risk = option_stop_estimate(trade)
    move = targets[0] - idea.worst
    gain = mid + contract.delta * move + contract.gamma * move * move / 2
    return {
        "estimate_at_stop": risk.estimated_premium_at_stop,
        "estimate_at_tp1": rounded(max(gain, Decimal(0)), 6),
        "risk_per_contract": risk.risk_per_contract,
        "multiplier": contract.multiplier,
    }
