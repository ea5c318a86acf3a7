"""Owns the next best action after an alert: a table of rules, the first that fits counts; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from services.kit.money import decimal_text, rounded
from services.market.session import local_text
from services.trade.wording import pct_words, price_words

NEAR_R = Decimal("0.25")
EARNINGS_SESSIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldFacts:
    """An open position with its plan: `one_r` is the planned risk of a unit, in price.

    `targets` in the order of the plan; `fractions` say how much leaves at each. `trail_to` is the
    next stop of a runner, None while nothing runs.
    """

    quantity: Decimal
    stop: Decimal | None = None
    one_r: Decimal | None = None
    targets: tuple[Decimal, ...] = ()
    fractions: tuple[Decimal, ...] = ()
    trail_to: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFacts:
    """The newest checked plan of a symbol; `ref` finds it again."""

    ref: str
    side: str
    entry_lo: Decimal
    entry_hi: Decimal
    stop: Decimal
    expired: bool
    setup: str = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the table looks at. `blocked` says why no new risk is allowed; empty when it is."""

    symbol: str
    level: Decimal
    price: Decimal
    blocked: str = ""
    held: HeldFacts | None = None
    plan: PlanFacts | None = None
    one_r_money: str = ""
    market_open: bool = True
    next_open: datetime | None = None
    calendar: str = "XNYS"
    earnings_on: date | None = None
    earnings_sessions: int | None = None


@dataclass(frozen=True, slots=True)
class NextAction:
    """A suggestion. `tool` and `arguments` prefill a call that a person still has to make."""

    rule: str
    text: str
    tool: str | None = None
    arguments: Mapping[str, str] | None = None

    def document(self) -> dict[str, object]:
        """Return it as it is stored and sent."""
        arguments = None if self.arguments is None else dict(self.arguments)
        return {"text": self.text, "tool": self.tool, "arguments": arguments}


def next_action(now: Situation) -> NextAction | None:
    """Return what to do next: the first rule of the table that fits; None when none does.

    Earnings within two sessions add a line. Worked: without a position and without a plan on AAPL
    it is `Build a plan for AAPL`.
    """
    found = next((made for rule in RULES if (made := rule(now)) is not None), None)
    sessions = now.earnings_sessions
    if found is None or now.earnings_on is None or sessions is None:
        return found
    if sessions > EARNINGS_SESSIONS:
        return found
    text = f"{found.text} Earnings {now.earnings_on.isoformat()}."
    return NextAction(found.rule, text, found.tool, found.arguments)


def _blocked(now: Situation) -> NextAction | None:
    return NextAction("blocked", f"No new risk: {now.blocked}.") if now.blocked else None


def _near_target(now: Situation) -> NextAction | None:
    held = now.held
    if held is None or not held.one_r:
        return None
    for at, target in enumerate(held.targets):
        if abs(now.level - target) <= NEAR_R * held.one_r:
            share = held.fractions[at] if at < len(held.fractions) else Decimal(1)
            units = rounded(abs(held.quantity) * share, 0)
            text = f"Trim {pct_words(share)} of {now.symbol}: target {at + 1} is near."
            return NextAction("near_target", text, *_sale(now, units, limit=target))
    return None


def _near_stop(now: Situation) -> NextAction | None:
    held = now.held
    if held is None or held.stop is None or not held.one_r:
        return None
    if abs(now.price - held.stop) > NEAR_R * held.one_r:
        return None
    text = f"{now.symbol} is near its stop: keep it, or exit now."
    return NextAction("near_stop", text, *_sale(now, abs(held.quantity)))


def _runner(now: Situation) -> NextAction | None:
    held = now.held
    if held is None or held.trail_to is None:
        return None
    side = "sell" if held.quantity > 0 else "buy"
    arguments = {
        "symbol": now.symbol,
        "side": side,
        "quantity": decimal_text(abs(held.quantity)),
        "type": "stop",
        "stop_price": decimal_text(held.trail_to),
        "tif": "gtc",
    }
    text = f"Trail the runner of {now.symbol} to {price_words(held.trail_to)}."
    return NextAction("runner", text, "propose_order", arguments)


def _take_plan(now: Situation) -> NextAction | None:
    plan = now.plan
    if now.held is not None or plan is None or plan.expired:
        return None
    if not plan.entry_lo <= now.price <= plan.entry_hi:
        return None
    risk = f" ({now.one_r_money} risk = 1R)" if now.one_r_money else ""
    arguments = {
        "symbol": now.symbol,
        "side": plan.side,
        "entry": decimal_text(plan.entry_hi if plan.side == "long" else plan.entry_lo),
        "stop": decimal_text(plan.stop),
    }
    return NextAction("take_plan", f"Take the {now.symbol} {plan.setup}{risk}?", "size", arguments)


def _build_plan(now: Situation) -> NextAction | None:
    if now.held is not None or (now.plan is not None and not now.plan.expired):
        return None
    arguments = {"symbol": now.symbol, "entry": decimal_text(now.price)}
    return NextAction("build_plan", f"Build a plan for {now.symbol}.", "plan_check", arguments)


def _closed(now: Situation) -> NextAction | None:
    if now.market_open or now.next_open is None:
        return None
    kind = "price_above" if now.price >= now.level else "price_below"
    arguments = {
        "symbol": now.symbol,
        "kind": kind,
        "level": decimal_text(now.level),
        "fires": "at_level",
    }
    opens = local_text(now.calendar, now.next_open)
    text = f"Queue {now.symbol} for review at the open, {opens}."
    return NextAction("closed", text, "alert_set", arguments)


def _sale(
    now: Situation, units: Decimal, *, limit: Decimal | None = None
) -> tuple[str, dict[str, str]]:
    short = now.held is not None and now.held.quantity < 0
    arguments = {
        "symbol": now.symbol,
        "side": "buy" if short else "sell",
        "quantity": decimal_text(units),
        "type": "market" if limit is None else "limit",
        "tif": "day",
    }
    if limit is not None:
        arguments["limit_price"] = decimal_text(limit)
    return "propose_order", arguments


RULES: tuple[Callable[[Situation], NextAction | None], ...] = (
    _blocked,
    _near_target,
    _near_stop,
    _runner,
    _take_plan,
    _build_plan,
    _closed,
)
"""In the order of precedence. No suggestion acts: each call is confirmed by a person first."""
