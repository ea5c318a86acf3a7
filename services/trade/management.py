"""Owns how a plan is managed after its entry: stops that follow, the runner's trail, the end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from services.kit.money import rounded, tick_round
from services.kit.policy import PlanPolicy
from services.market.session import find_last_session, next_session
from services.strategy.record import horizon_of
from services.trade.idea import Idea, Style
from services.trade.target_choice import ChosenTarget

LOCK_R = Decimal("0.25")


@dataclass(frozen=True, slots=True)
class TimeStop:
    """When an open trade ends however it stands."""

    kind: Literal["session_end", "date"]
    value: datetime


def management_rules(
    idea: Idea,
    targets: tuple[ChosenTarget, ...],
    *,
    cost: Decimal,
    runner: Decimal,
    give_back: Decimal | None,
    policy: PlanPolicy,
) -> list[dict[str, object]]:
    """Return the rules in order; the stop only ever moves toward profit.

    After target 1 the stop goes to break-even (entry plus the round-trip cost), after target 2 to
    0.25 R before target 1; a runner trails 3 ATR behind the best price on bar close and leaves
    when it has given back the usual share of its best. All prices on tick, against ourselves.
    """
    sign, stop = idea.sign, idea.stop.price
    rules: list[dict[str, object]] = []
    moves = [("tp1_filled", idea.worst + sign * cost)]
    if len(targets) > 1:
        moves.append(("tp2_filled", targets[0].price - sign * LOCK_R * idea.stop.distance))
    for when, raw in moves if len(targets) > 1 or runner else ():
        price = tick_round(raw, idea.context.tick, "floor" if sign > 0 else "ceil")
        stop = max(stop, price) if sign > 0 else min(stop, price)
        rules.append({"when": when, "do": "stop_to", "price": stop})
    if runner:
        kept = 1 - (policy.giveback if give_back is None else give_back)
        rules += [
            {"when": "bar_close", "do": "trail_chandelier", "atr_mult": policy.chandelier_atr},
            {"when": "bar_close", "do": "exit_runner_below_share", "mfe_share": rounded(kept, 4)},
        ]
    rules.append({"when": "time_stop", "do": "exit"})
    return rules


def time_stop(idea: Idea, style: Style, policy: PlanPolicy) -> TimeStop:
    """Return the end of the trade: five minutes before the close, or the close sessions later.

    Sessions are counted from the setup's own, which is 0. Worked: a swing of ten sessions that
    triggered on Friday 2024-06-14 ends on 2024-07-01, Juneteenth left out.
    """
    calendar, trigger = idea.context.calendar, idea.setup.trigger_ts
    session = find_last_session(calendar, trigger)
    if session is None or idea.style == "intraday":
        end = trigger if session is None else session.close
        return TimeStop("session_end", end - timedelta(minutes=policy.flat_minutes))
    hours = horizon_of(idea.setup.timeframe) == "hours"
    count = policy.hours_sessions if hours else policy.swing_sessions
    for _ in range(policy.leaps_sessions if style == "leaps" else count):
        session = next_session(calendar, session.close)
    return TimeStop("date", session.close)


def invalidation_rules(idea: Idea) -> list[dict[str, object]]:
    """Return what ends the idea: its own close, and of a swing an open too far from the zone.

    An open more than 0.5 R beyond the worst entry, or beyond the stop, voids the plan
    (`invalidated_by_gap`); prices on tick, against ourselves.
    """
    long, given = idea.sign > 0, idea.setup.invalidation
    tick, mode = idea.context.tick, "floor" if long else "ceil"
    price = tick_round(given.price, tick, mode)  # type: ignore[arg-type]
    rules: list[dict[str, object]] = [
        {"rule": given.rule, "tf": given.timeframe, "price": price, "why": given.why}
    ]
    if idea.style == "swing":
        far = tick_round(idea.worst + idea.sign * idea.stop.distance / 2, tick, mode)  # type: ignore[arg-type]
        above, below = ("open_above", "open_below") if long else ("open_below", "open_above")
        late = "the next open is more than half R beyond the entry"
        through = "the next open is beyond the stop"
        rules += [
            {"rule": above, "tf": "1d", "price": far, "why": late, "then": "invalidated_by_gap"},
            {"rule": below, "tf": "1d", "price": idea.stop.price, "why": through,
             "then": "invalidated_by_gap"},
        ]  # fmt: skip
    return rules
