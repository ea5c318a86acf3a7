"""Owns the guards: pure functions over one frozen context, run at propose, confirm and claim."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from services.kit.errors import Refusal, refuse
from services.kit.money import decimal_text, rounded, tick_round
from services.kit.policy import OrderPolicy, RiskPolicy
from services.orders.order import Order, OrderType, Side, Tif

BPS = Decimal(10_000)
_REAL_TIME = "LIVE"
_UNREAL = frozenset({"REPLAY", "SIMULATED", "SNAPSHOT", "EOD"})


class Stage(StrEnum):
    """When the guards run."""

    PROPOSE = "propose"
    CONFIRM = "confirm"
    CLAIM = "claim"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardContext:
    """Everything the guards look at, gathered once; prices per unit, money in order currency.

    `held` is the signed position; `available_quantity` is what open sell orders have not
    reserved. `reference_mid` is the middle price the person saw, None at propose.
    """

    stage: Stage
    order: Order
    now: datetime
    expires_at: datetime
    switch_state: str
    switch_reason: str
    frozen_reason: str
    unready_reason: str
    account_mode: str
    allow_short: bool
    live_process: bool
    sandbox: bool
    day_trade_rule: str
    quote_provenance: str
    bid: Decimal
    ask: Decimal
    quote_age_s: Decimal
    dq_findings: tuple[str, ...]
    market_state: str
    next_open: str
    calendar: str
    tick: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    held: Decimal
    available_quantity: Decimal
    cash_available: Decimal
    unsettled_cash: Decimal
    commission: Decimal
    equity: Decimal
    open_equity: Decimal
    gross_value: Decimal
    day_pnl: Decimal
    day_loss_latched: bool
    day_trades: int
    in_doubt: int
    alike_recently: int
    reference_mid: Decimal | None
    policy: OrderPolicy
    risk: RiskPolicy

    @property
    def mid(self) -> Decimal:
        """Return the middle of bid and ask."""
        return (self.bid + self.ask) / 2

    @property
    def reduces(self) -> bool:
        """Return True when the order only makes the position smaller."""
        signed = self.order.quantity * self.order.sign
        return self.held * signed < 0 and abs(signed) <= abs(self.held)

    @property
    def cost(self) -> Decimal:
        """Return the most a buy may take from cash, or the commission of a sale."""
        if self.order.side is Side.SELL:
            return self.commission
        worst = tick_round(self.notional, Decimal("0.01"), "ceil")
        return worst + self.commission

    @property
    def notional(self) -> Decimal:
        """Return quantity times worst price."""
        return self.order.quantity * self.order.worst_price


@dataclass(frozen=True, slots=True)
class GuardResult:
    """One guard's verdict. `severity` is `ok`, `warn`, `typed` (type to confirm) or `block`."""

    guard: str
    severity: str = "ok"
    code: str = ""
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def refusal(self) -> Refusal:
        """Return the refusal of a blocking result."""
        facts = {"guard": self.guard, "reason": self.reason, **self.facts}
        if self.code == "GUARD_REFUSED":
            facts.setdefault("todo", "Change the order, or wait until it is allowed.")
        return refuse(self.code, **facts)


def _block(guard: str, code: str, reason: str, **facts: object) -> GuardResult:
    said = {
        name: decimal_text(value) if isinstance(value, Decimal) else str(value)
        for name, value in facts.items()
    }
    return GuardResult(guard, "block", code, reason, said)


def _ok(guard: str, **facts: Decimal | str | int) -> GuardResult:
    said = {
        name: decimal_text(value) if isinstance(value, Decimal) else str(value)
        for name, value in facts.items()
    }
    return GuardResult(guard, facts=said)


def kill_switch(seen: GuardContext) -> GuardResult:
    """Refuse while halted; under `REDUCE_ONLY` let only reducing orders pass."""
    if seen.switch_state == "HALTED":
        return _block("kill_switch", "KILL_SWITCH", seen.switch_reason)
    if seen.switch_state == "REDUCE_ONLY" and not seen.reduces:
        return _block("kill_switch", "REDUCE_ONLY", seen.switch_reason)
    return _ok("kill_switch", state=seen.switch_state)


def frozen(seen: GuardContext) -> GuardResult:
    """Refuse while the listing, the portfolio or everything is frozen."""
    if seen.frozen_reason:
        return _block("frozen", "FROZEN", seen.frozen_reason)
    return _ok("frozen")


def execution_ready(seen: GuardContext) -> GuardResult:
    """Refuse while orders in flight are being looked up after a start."""
    if seen.unready_reason:
        return _block(
            "execution_ready",
            "GUARD_REFUSED",
            seen.unready_reason,
            todo="Wait until the orders in flight are known.",
        )
    return _ok("execution_ready")


def live_allowed(seen: GuardContext) -> GuardResult:
    """Refuse another mode than the account's; live needs the process flag too."""
    process = "live" if seen.live_process else "paper"
    wrong = seen.order.mode != seen.account_mode
    if wrong or (seen.order.mode == "live" and not seen.live_process):
        return _block(
            "live_allowed",
            "MODE_MISMATCH",
            "the modes differ",
            order_mode=seen.order.mode,
            mode=process,
        )
    return _ok("live_allowed", mode=seen.order.mode)


def provenance_tradable(seen: GuardContext) -> GuardResult:
    """Refuse replayed or simulated prices beyond paper, and delayed ones beyond a sandbox."""
    label, paper = seen.quote_provenance, seen.order.mode == "paper"
    if label == _REAL_TIME or (paper and (label in _UNREAL or label == "DELAYED")):
        same = seen.order.provenance == label
        if same:
            return _ok("provenance_tradable", provenance=label)
        return _block(
            "provenance_tradable",
            "GUARD_REFUSED",
            f"prices are {label} now and were {seen.order.provenance}",
        )
    if label == "DELAYED" and seen.sandbox:
        return _ok("provenance_tradable", provenance=label)
    return _block(
        "provenance_tradable",
        "GUARD_REFUSED",
        f"{label} prices can not trade a {seen.order.mode} account",
    )


def session_open(seen: GuardContext) -> GuardResult:
    """Refuse market and day orders outside the regular session; good till cancelled may wait."""
    if seen.market_state == "open":
        return _ok("session_open", state="open")
    waits = seen.order.tif is Tif.GTC and seen.order.type is not OrderType.MARKET
    if waits:
        return GuardResult(
            "session_open",
            "warn",
            "MARKET_CLOSED",
            f"the market is {seen.market_state}; the order waits for the open",
            {"next_open": seen.next_open},
        )
    return _block(
        "session_open",
        "MARKET_CLOSED",
        f"the market is {seen.market_state}",
        market=seen.calendar,
        state=seen.market_state,
        next_open=seen.next_open,
    )


def quote_fresh(seen: GuardContext) -> GuardResult:
    """Refuse on bad data, on an old quote in an open market, and on a wide spread at market."""
    if seen.dq_findings:
        return _block(
            "quote_fresh",
            "DQ_BLOCK",
            "data quality is not green",
            checks=", ".join(seen.dq_findings),
        )
    limit = _age_limit(seen)
    if seen.market_state == "open" and seen.quote_age_s > limit:
        return _block(
            "quote_fresh",
            "QUOTE_STALE",
            "the quote is old",
            what=f"quote of {seen.order.symbol}",
            age=f"{decimal_text(seen.quote_age_s)} s",
            limit=f"{limit} s",
        )
    spread = (seen.ask - seen.bid) / seen.mid
    if spread > seen.policy.max_spread_pct and seen.order.type is not OrderType.LIMIT:
        return _block(
            "quote_fresh",
            "GUARD_REFUSED",
            "the spread is too wide for this order",
            spread_pct=rounded(spread, 6),
            limit_pct=seen.policy.max_spread_pct,
            todo="Use a limit order.",
        )
    return _ok("quote_fresh", age_s=seen.quote_age_s, spread_pct=rounded(spread, 6))


def _age_limit(seen: GuardContext) -> int:
    if seen.stage is Stage.PROPOSE:
        return seen.policy.quote_age_advice_s
    if seen.order.mode == "live":
        return seen.policy.quote_age_live_confirm_s
    return seen.policy.quote_age_paper_confirm_s


def drift_bps(mid: Decimal, reference: Decimal) -> Decimal:
    """Return |mid - reference| / reference in basis points, 2 decimals half-even.

    Worked: 190.57 against 190.00 is 30 bps.
    """
    return rounded(abs(mid - reference) / reference * BPS, 2)


def price_collar(seen: GuardContext) -> GuardResult:
    """Refuse a price that ran away since the proposal, and a limit that crosses the market too far.

    The collar binds on the costly side only: a buy limit far below the market simply waits.
    """
    if seen.reference_mid is not None and seen.stage is Stage.CONFIRM:
        moved = drift_bps(seen.mid, seen.reference_mid)
        if moved > seen.policy.max_drift_bps:
            return _block(
                "price_collar",
                "PRICE_DRIFT",
                f"price moved {moved} bps",
                drift_bps=moved,
                limit_bps=seen.policy.max_drift_bps,
            )
    limit = seen.order.limit_price
    if limit is not None:
        beyond = (limit - seen.mid) / seen.mid * seen.order.sign
        if beyond > seen.policy.collar_pct:
            return _block(
                "price_collar",
                "GUARD_REFUSED",
                "the limit is too far past the market",
                limit=limit,
                mid=seen.mid,
                beyond_pct=rounded(beyond, 6),
                collar_pct=seen.policy.collar_pct,
                todo="Use a limit nearer the market.",
            )
    return _ok("price_collar", mid=seen.mid)


def order_bounds(seen: GuardContext) -> GuardResult:
    """Refuse a quantity off the lot or out of bounds, and a price off the tick."""
    quantity = seen.order.quantity
    rule = _quantity_rule(seen)
    if rule:
        return _block("order_bounds", "QTY_INVALID", rule, qty=quantity, rule=rule)
    for name in ("limit_price", "stop_price"):
        price: Decimal | None = getattr(seen.order, name)
        if price is None:
            continue
        if price <= 0:
            return _block("order_bounds", "PRICE_NON_POSITIVE", "not above 0", field=name, px=price)
        if price % seen.tick:
            return _block(
                "order_bounds",
                "PRICE_OFF_TICK",
                "off the tick",
                field=name,
                px=price,
                tick=seen.tick,
                lo=tick_round(price, seen.tick, "floor"),
                hi=tick_round(price, seen.tick, "ceil"),
            )
    return _ok("order_bounds", quantity=quantity, tick=seen.tick)


def _quantity_rule(seen: GuardContext) -> str:
    quantity = seen.order.quantity
    if quantity <= 0:
        return "must be above 0"
    if quantity % seen.lot_step:
        return f"must be a multiple of {decimal_text(seen.lot_step)}"
    if quantity < seen.min_quantity:
        return f"must be at least {decimal_text(seen.min_quantity)}"
    if quantity > seen.policy.max_quantity:
        return f"must be at most {decimal_text(seen.policy.max_quantity)}"
    return ""


def order_notional(seen: GuardContext) -> GuardResult:
    """Refuse a live order above the policy's size; the paper broker has no cap."""
    cap = min(
        seen.policy.live_max_order_notional,
        seen.policy.live_max_order_pct * max(seen.equity, Decimal(0)),
    )
    if seen.order.mode == "live" and not seen.reduces and seen.notional > cap:
        return _block(
            "order_notional",
            "GUARD_REFUSED",
            "the order is too large",
            notional=rounded(seen.notional, 2),
            limit=rounded(cap, 2),
        )
    return _ok("order_notional", notional=rounded(seen.notional, 2))


def position_limit(seen: GuardContext) -> GuardResult:
    """Refuse a live position above the policy's share of equity; none on paper."""
    after = abs(seen.held + seen.order.quantity * seen.order.sign) * seen.mid
    cap = seen.policy.live_max_position_pct * max(seen.equity, Decimal(0))
    if seen.order.mode == "live" and not seen.reduces and after > cap:
        return _block(
            "position_limit",
            "GUARD_REFUSED",
            "the position would be too large",
            position=rounded(after, 2),
            limit=rounded(cap, 2),
        )
    return _ok("position_limit", position=rounded(after, 2))


def day_loss(seen: GuardContext) -> GuardResult:
    """Refuse new risk once the day's loss has reached its limit; latched until next session."""
    limit = seen.risk.day_loss * max(seen.open_equity, Decimal(0))
    reached = seen.day_loss_latched or (limit > 0 and -seen.day_pnl >= limit)
    if reached and not seen.reduces:
        return _block(
            "day_loss",
            "RISK_BREACH",
            f"the day's loss reached its limit of {rounded(limit, 2)}",
            day_pnl=rounded(seen.day_pnl, 2),
            limit=rounded(limit, 2),
        )
    return _ok("day_loss", day_pnl=rounded(seen.day_pnl, 2), limit=rounded(limit, 2))


def buying_power(seen: GuardContext) -> GuardResult:
    """Refuse what the book can not pay for, and a sale of more than is held."""
    if seen.order.side is Side.SELL:
        have = seen.available_quantity
        if seen.order.quantity > have and not seen.allow_short:
            return _block(
                "buying_power",
                "INSUFFICIENT_POSITION",
                "more than is held and free",
                need=seen.order.quantity,
                have=have,
            )
        return _ok("buying_power", available=have)
    if seen.cost > seen.cash_available:
        return _block(
            "buying_power",
            "INSUFFICIENT_CASH",
            "more than the free cash",
            need=rounded(seen.cost, 2),
            have=rounded(seen.cash_available, 2),
        )
    return _ok("buying_power", cost=rounded(seen.cost, 2))


def day_trade_check(seen: GuardContext) -> GuardResult:
    """Apply the account's day-trade or settlement rule to an opening order (`domain.md` 4.5)."""
    if seen.reduces or seen.day_trade_rule == "none":
        return _ok("day_trade_check", rule=seen.day_trade_rule)
    if seen.day_trade_rule == "cash" and seen.cost > seen.cash_available - seen.unsettled_cash:
        return _day_trade(
            "UNSETTLED_FUNDS",
            "cash",
            f"needs {rounded(seen.cost, 2)}, settled "
            f"{rounded(seen.cash_available - seen.unsettled_cash, 2)}",
        )
    if seen.day_trade_rule == "pdt_legacy" and seen.equity < 25_000 and seen.day_trades >= 3:
        return _day_trade("PDT_LIMIT", "pdt_legacy", f"{seen.day_trades} day trades in 5 sessions")
    after = seen.equity - (seen.gross_value + seen.notional) / 4
    if seen.day_trade_rule == "intraday_margin" and after < 0:
        return _day_trade(
            "INTRADAY_MARGIN_DEFICIT", "intraday_margin", f"excess would be {rounded(after, 2)}"
        )
    return _ok("day_trade_check", rule=seen.day_trade_rule, day_trades=seen.day_trades)


def _day_trade(code: str, rule: str, numbers: str) -> GuardResult:
    return _block("day_trade_check", code, numbers, rule=rule, numbers=numbers)


def in_doubt(seen: GuardContext) -> GuardResult:
    """Refuse another order on a symbol while one on it is in doubt."""
    if seen.in_doubt:
        return _block(
            "in_doubt", "ORDER_IN_DOUBT", "an order is in doubt", symbol=seen.order.symbol
        )
    return _ok("in_doubt")


def duplicate_like(seen: GuardContext) -> GuardResult:
    """Ask for a typed confirmation when the same symbol, side and quantity was just ordered."""
    if seen.alike_recently and seen.stage is not Stage.CLAIM:
        return GuardResult(
            "duplicate_like",
            "typed",
            "CONFIRM_TYPED_MISMATCH",
            f"the same order was confirmed less than {seen.policy.duplicate_like_s} s ago",
            {"count": str(seen.alike_recently)},
        )
    return _ok("duplicate_like")


def proposal_ttl(seen: GuardContext) -> GuardResult:
    """Refuse once the confirmation's time is over; the end itself is too late."""
    if seen.now >= seen.expires_at:
        return _block(
            "proposal_ttl",
            "GUARD_REFUSED",
            "the time to act on this card is over",
            todo="Make a new proposal.",
        )
    return _ok("proposal_ttl")


GUARDS: tuple[Callable[[GuardContext], GuardResult], ...] = (
    kill_switch,
    frozen,
    execution_ready,
    live_allowed,
    provenance_tradable,
    session_open,
    quote_fresh,
    price_collar,
    order_bounds,
    order_notional,
    position_limit,
    day_loss,
    buying_power,
    day_trade_check,
    in_doubt,
    duplicate_like,
    proposal_ttl,
)
"""The first set of `safety.md` 1.6, in the order in which a refusal is reported."""

_HELD_BY_ORDER = frozenset({"buying_power", "day_trade_check"})
"""At claim the order's own reservation already holds what these two ask for."""


def evaluate(seen: GuardContext) -> list[GuardResult]:
    """Return every guard's verdict, in order; pure."""
    return [
        guard(seen)
        for guard in GUARDS
        if not (seen.stage is Stage.CLAIM and guard.__name__ in _HELD_BY_ORDER)
    ]


def first_block(results: list[GuardResult]) -> GuardResult | None:
    """Return the first blocking verdict, or None."""
    return next((result for result in results if result.severity == "block"), None)


def needs_typing(results: list[GuardResult]) -> bool:
    """Return True when a guard asks the person to type the order."""
    return any(result.severity == "typed" for result in results)
