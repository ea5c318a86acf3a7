"""Owns the moments of a stored plan: what one bar means for a plan that is watched; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from services.kit.canonical import canonical
from services.kit.clock import parse_instant
from services.market.bar import Bar
from services.market.session import Session, find_last_session, next_session

MOMENTS = ("entry", "target", "stop", "invalidation", "time_stop")
"""What may be told of a plan, in the order in which they are named."""
WAITING, ENTERED = "waiting", "entered"
_MINUTES = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "60m": 60}
Memory = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRule:
    """What ends an idea: `rule` is close_below, close_above, open_below or open_above."""

    rule: str
    timeframe: str
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """What an alert took from a plan when it was set; prices per unit, as the plan has them.

    `opens_until` is the end of the time to enter, `time_stop` the end of the trade.
    """

    plan_id: str
    side: str
    setup: str
    lo: Decimal
    hi: Decimal
    stop: Decimal
    targets: tuple[Decimal, ...]
    rules: tuple[CloseRule, ...]
    opens_until: datetime
    time_stop: datetime
    moments: tuple[str, ...] = MOMENTS

    @property
    def sign(self) -> int:
        """Return 1 for a long plan, -1 for a short one."""
        return 1 if self.side == "long" else -1


@dataclass(frozen=True, slots=True)
class PlanStep:
    """What one bar did: the moment reached (empty for none), at `price`; `over` ends the plan."""

    memory: Memory
    moment: str = ""
    price: Decimal = Decimal(0)
    gap: bool = False
    over: bool = False


def terms_of(document: Mapping[str, Any], moments: Sequence[str]) -> PlanTerms:
    """Return the terms of a `plan/v1` document; all moments when none are named."""
    entry = document["entry"]
    return PlanTerms(
        plan_id=document["plan_id"],
        side=document["side"],
        setup=document["setup"]["id"],
        lo=Decimal(entry["lo"]),
        hi=Decimal(entry["hi"]),
        stop=Decimal(document["stop"]["price"]),
        targets=tuple(Decimal(one["price"]) for one in document["targets"]),
        rules=tuple(
            CloseRule(rule=one["rule"], timeframe=one["tf"], price=Decimal(one["price"]))
            for one in document["invalidation"]
        ),
        opens_until=parse_instant(document["expires_at"]),
        time_stop=parse_instant(document["time_stop"]["value"]),
        moments=tuple(one for one in MOMENTS if not moments or one in moments),
    )


def terms_text(terms: PlanTerms) -> str:
    """Return terms as they are stored."""
    return canonical(terms).decode()


@lru_cache(maxsize=512)
def read_terms(text: str) -> PlanTerms:
    """Return the terms of stored text."""
    body: dict[str, Any] = json.loads(text)
    prices = {name: Decimal(body[name]) for name in ("lo", "hi", "stop")}
    return PlanTerms(
        **{
            **body,
            **prices,
            "targets": tuple(Decimal(one) for one in body["targets"]),
            "rules": tuple(
                CloseRule(rule=one["rule"], timeframe=one["timeframe"], price=Decimal(one["price"]))
                for one in body["rules"]
            ),
            "opens_until": parse_instant(body["opens_until"]),
            "time_stop": parse_instant(body["time_stop"]),
            "moments": tuple(body["moments"]),
        }
    )


def step_plan(terms: PlanTerms, memory: Memory, bar: Bar, *, calendar: str) -> PlanStep:
    """Return what one complete minute bar means for a plan; at most one moment a bar.

    The stop comes first, since the order inside a bar is unknown; then what ends the idea, the
    targets (the farthest one reached), the entry zone and the time stop. A plan that is not
    entered in its time is over without a word. Worked: a long plan with zone 100 to 100.2, stop 98
    and target 103: bars that reach 100.1, 103.2 are `entry` at 100.1 and `target` 1 at 103.
    """
    stopped = _stopped(terms, bar)
    if stopped is not None:
        return PlanStep(memory, "stop", *stopped, over=True)
    entered = memory.get("phase") == ENTERED
    broken = _broken(terms, bar, calendar, entered=entered)
    if broken is not None:
        return PlanStep(memory, "invalidation", broken, over=True)
    return _inside(terms, memory, bar) if entered else _outside(terms, memory, bar)


def _outside(terms: PlanTerms, memory: Memory, bar: Bar) -> PlanStep:
    if bar.t_close > terms.opens_until:
        return PlanStep(memory, over=True)
    if bar.l > terms.hi or bar.h < terms.lo:
        return PlanStep(memory)
    price = min(max(bar.o, terms.lo), terms.hi)
    return PlanStep({**memory, "phase": ENTERED}, "entry", price)


def _inside(terms: PlanTerms, memory: Memory, bar: Bar) -> PlanStep:
    reached = int(memory.get("target", "0"))
    best = bar.h if terms.sign > 0 else bar.l
    hit = [n for n, one in enumerate(terms.targets, 1) if terms.sign * (best - one) >= 0]
    if hit and hit[-1] > reached:
        level = terms.targets[hit[-1] - 1]
        gap = terms.sign * (bar.o - level) > 0
        kept = {**memory, "target": str(hit[-1])}
        price = bar.o if gap else level
        return PlanStep(kept, "target", price, gap, over=hit[-1] == len(terms.targets))
    if bar.t_close >= terms.time_stop:
        return PlanStep(memory, "time_stop", bar.c, over=True)
    return PlanStep(memory)


def _stopped(terms: PlanTerms, bar: Bar) -> tuple[Decimal, bool] | None:
    worst = bar.l if terms.sign > 0 else bar.h
    if terms.sign * (worst - terms.stop) > 0:
        return None
    gap = terms.sign * (bar.o - terms.stop) < 0
    return (bar.o if gap else terms.stop), gap


def _broken(terms: PlanTerms, bar: Bar, calendar: str, *, entered: bool) -> Decimal | None:
    """Return the price at which a rule ends the idea, or None; a rule of the open ends no trade."""
    session = find_last_session(calendar, bar.t_open)
    if session is None:
        return None
    for one in terms.rules:
        at_open = one.rule.startswith("open_")
        if at_open and (entered or bar.t_open != session.open):
            continue
        if not at_open and not _closes(one.timeframe, bar, session, calendar):
            continue
        price = bar.o if at_open else bar.c
        if price < one.price if one.rule.endswith("below") else price > one.price:
            return price
    return None


def _closes(timeframe: str, bar: Bar, session: Session, calendar: str) -> bool:
    """Return whether a minute bar is the last one of a bar of `timeframe`."""
    last = bar.t_close >= session.close
    if timeframe in _MINUTES:
        span = timedelta(minutes=_MINUTES[timeframe])
        return last or not (bar.t_close - session.open) % span
    if timeframe == "1w":
        coming = next_session(calendar, session.open)
        return last and coming.date.isocalendar()[1] != session.date.isocalendar()[1]
    return last


def scaled(terms: PlanTerms, factor: Decimal) -> PlanTerms:
    """Return the terms in the units after a split: every price times `factor`, 4 decimals."""

    def price(value: Decimal) -> Decimal:
        return (value * factor).quantize(Decimal("0.0001")) + 0

    return PlanTerms(
        plan_id=terms.plan_id,
        side=terms.side,
        setup=terms.setup,
        lo=price(terms.lo),
        hi=price(terms.hi),
        stop=price(terms.stop),
        targets=tuple(price(one) for one in terms.targets),
        rules=tuple(
            CloseRule(rule=one.rule, timeframe=one.timeframe, price=price(one.price))
            for one in terms.rules
        ),
        opens_until=terms.opens_until,
        time_stop=terms.time_stop,
        moments=terms.moments,
    )
