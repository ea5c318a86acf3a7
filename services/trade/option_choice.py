"""Owns the option alternatives of a plan: the best contract of each profile, or why none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from services.kit.errors import Refusal
from services.kit.money import from_float, rounded, tick_round
from services.kit.policy import OptionPolicy
from services.market.chain import OptionContract
from services.market.osi import build_osi
from services.market.session import find_last_session
from services.market.tick_table import TICKS
from services.strategy.option_greeks import Greeks, PricedAt, greeks_of
from services.strategy.option_rank import AIMS, Ranked, rank
from services.strategy.option_screen import PROFILES, ScreenContract, ScreenProfile, screen
from services.trade.option_risk import OptionTrade, option_stop_estimate

if TYPE_CHECKING:
    from services.trade.idea import Idea
    from services.trade.plan_inputs import ChainFacts, PlanInputs

OPTION_TICKS = TICKS["us_option"][0][1]
"""The wider class: a contract of the finer one is on these steps too."""
FEES = Decimal("1.30")
"""Two commissions of a contract, 0.65 a side."""
LEAPS = "leaps_call"
_THESIS_WEEKS = 30


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
    leaps = Wanted(LEAPS, LEAPS, PROFILES[LEAPS])
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


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an alternative is measured against: the idea, its targets, its end, the policy."""

    idea: Idea
    targets: tuple[Decimal, ...]
    until: datetime
    policy: OptionPolicy


@dataclass(frozen=True, slots=True)
class _Seen:
    """A contract with the Greeks that it is reckoned with."""

    contract: OptionContract
    greeks: Greeks


def option_alternatives(
    inputs: PlanInputs, *, targets: tuple[Decimal, ...], until: datetime
) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Return the alternatives, and per kind the counts of rejected contracts by first failed rule.

    Filters are never relaxed. Greeks are the provider's while fresh, else the model's, and
    `greeks_source` says which. The limit price is the mid on tick, never more; values at target 1
    and at the stop are second-order estimates from delta and gamma.
    """
    idea, chain = inputs.idea, inputs.chain
    if chain.absent_because or chain.spot is None:
        return [], {"reason": chain.absent_because or "the chain has no price of the underlying"}
    on = session_day(idea)
    seen = _seen(idea, chain, chain.spot, policy=inputs.policy.options)
    plan = _Plan(idea, targets, until, inputs.policy.options)
    found: list[dict[str, object]] = []
    rejects: dict[str, object] = {}
    for wanted in wanted_of(idea.setup.side, inputs.style):
        screened = [shown for one in seen.values() if (shown := _screenable(one, on)) is not None]
        passed = screen(screened, wanted.limits, spot=chain.spot, tick=OPTION_TICKS[-1][1])
        kept = [one for one in screened if one.id in passed.accepted]
        counts = Counter(passed.rejects.values())
        rejects[wanted.kind] = {code: counts[code] for code in sorted(counts)}
        best = rank(kept, wanted.limits, aim=AIMS[wanted.profile], spot=chain.spot)[:1]
        found += [_alternative(plan, wanted, one, seen[one.contract.id]) for one in best]
    return found, rejects


def _seen(
    idea: Idea, chain: ChainFacts, spot: Decimal, *, policy: OptionPolicy
) -> dict[str, _Seen]:
    """Return every contract with its Greeks, as of the chain's newest quote."""
    newest = max((one.quote_ts for one in chain.contracts if one.quote_ts), default=None)
    at = PricedAt(
        spot=spot,
        as_of=newest or idea.setup.trigger_ts,
        newest=newest,
        tick=OPTION_TICKS[-1][1],
        policy=policy,
    )
    return {one.symbol: _Seen(one, greeks_of(one, at)) for one in chain.contracts}


def session_day(idea: Idea) -> date:
    """Return the exchange date from which days to expiry count: that of the setup."""
    session = find_last_session(idea.context.calendar, idea.setup.trigger_ts)
    return idea.setup.trigger_ts.date() if session is None else session.date


def _screenable(seen: _Seen, on: date) -> ScreenContract | None:
    one = seen.contract
    if (one.expiry - on).days < 1:
        return None
    return ScreenContract(
        id=one.symbol,
        right=one.right,
        strike=one.strike,
        bid=one.bid or Decimal(0),
        ask=one.ask or Decimal(0),
        dte=(one.expiry - on).days,
        open_interest=int(one.open_interest or 0),
        volume=int(one.volume or 0),
        delta=seen.greeks.delta,
        theta=seen.greeks.theta,
    )


def _tick(price: Decimal) -> Decimal:
    return next(tick for at_least, tick in OPTION_TICKS if price >= at_least)


def _alternative(plan: _Plan, wanted: Wanted, best: Ranked, seen: _Seen) -> dict[str, object]:
    one, idea = best.contract, plan.idea
    sign = 1 if one.right == "call" else -1
    breakeven = one.strike + sign * one.mid
    held = max(1, (plan.until.date() - session_day(idea)).days)
    why = (
        f"delta {rounded(abs(one.delta or Decimal(0)), 2)}, {one.dte} days, "
        f"{one.open_interest} open, spread {rounded(100 * one.spread_pct, 1)}%"
    )
    return {
        "kind": wanted.kind,
        "contract": _osi(seen.contract),
        "why": why,
        "metrics": {
            "limit_price": tick_round(one.mid, _tick(one.mid), "floor"),
            "bid": one.bid,
            "ask": one.ask,
            "strike": one.strike,
            "expiry": seen.contract.expiry,
            "dte": one.dte,
            "delta": one.delta,
            "iv": seen.greeks.iv,
            "breakeven": rounded(breakeven, 6),
            "breakeven_atr": rounded(sign * (breakeven - idea.worst) / idea.atr, 4),
            "theta_cost": rounded(held * abs(one.theta or Decimal(0)), 6),
            "open_interest": one.open_interest,
            "volume": one.volume,
            "spread_pct": rounded(one.spread_pct, 6),
            "rank": rounded(best.score, 4),
            "greeks_source": seen.greeks.source,
            "provider_delta": seen.greeks.provider_delta,
            "model_delta": seen.greeks.model_delta,
            "greeks_flags": list(seen.greeks.flags),
            **_estimates(plan, wanted, seen, one.mid),
        },
        "exits": leaps_exits(idea, one.mid, policy=plan.policy) if wanted.kind == LEAPS else [],
    }


def leaps_exits(idea: Idea, premium: Decimal, *, policy: OptionPolicy) -> list[dict[str, object]]:
    """Return how a LEAPS call is left: rolled, or sold when its thesis is gone.

    It has no stop on its premium, which is all it can lose. The thesis ends at a weekly close
    below the 30-week average, or below the setup's structure; prices on tick, against ourselves.
    """
    rules: list[dict[str, object]] = [
        {"when": "dte_at_most", "value": policy.leaps_roll_dte, "do": "roll"},
        {"when": "delta_above", "value": policy.leaps_roll_delta, "do": "roll"},
    ]
    weeks = idea.scene.views.get("1w")
    average = weeks.read.ema(_THESIS_WEEKS) if weeks is not None and len(weeks) else None
    lines = [("weekly close below the structure", idea.setup.structure)]
    if average is not None:
        lines.insert(0, ("weekly close below the 30-week average", from_float(average, 6)))
    tick = idea.context.tick
    for why, price in lines:
        at = tick_round(price, tick, "floor")
        rules.append({"when": "weekly_close_below", "value": at, "do": "exit", "why": why})
    return [*rules, {"when": "max_loss", "value": premium, "do": "none", "why": "the premium"}]


def _osi(contract: OptionContract) -> str:
    try:
        return build_osi(contract.underlying, contract.expiry, contract.right, contract.strike)
    except Refusal:
        return contract.symbol


def _estimates(plan: _Plan, wanted: Wanted, seen: _Seen, mid: Decimal) -> Mapping[str, object]:
    """Return what the contract would be worth at target 1 and at the stop, and what it risks.

    Of a LEAPS call the whole premium is at risk.
    """
    contract, greeks, idea = seen.contract, seen.greeks, plan.idea
    if greeks.delta is None or greeks.gamma is None or contract.multiplier is None:
        return {}
    trade = OptionTrade(
        premium=mid,
        delta=greeks.delta,
        gamma=greeks.gamma,
        underlying_entry=idea.worst,
        underlying_stop=idea.stop.price,
        multiplier=contract.multiplier,
        fees_per_contract=FEES,
        symbol=contract.symbol,
    )
    risk = option_stop_estimate(trade)
    move = plan.targets[0] - idea.worst
    gain = mid + greeks.delta * move + greeks.gamma * move * move / 2
    whole = rounded(mid * contract.multiplier + FEES, 2)
    return {
        "estimate_at_stop": risk.estimated_premium_at_stop,
        "estimate_at_tp1": rounded(max(gain, Decimal(0)), 6),
        "risk_per_contract": whole if wanted.kind == LEAPS else risk.risk_per_contract,
        "multiplier": contract.multiplier,
    }
