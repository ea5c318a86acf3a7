"""Owns the guards of size and money: bounds, limits, the account's risk, cash and day trades."""

from __future__ import annotations

from decimal import Decimal

from services.kit.errors import Kind, Refusal
from services.kit.money import decimal_text, rounded, tick_round
from services.kit.policy import RiskPolicy
from services.orders.guard_context import GuardContext, GuardResult, block, ok
from services.orders.order import Side
from services.trade.day_trade import DayTradeAccount, PatternLimits, require_day_trade
from services.trade.risk import PreTrade, RiskAccount, RiskReading, judge_opening, risk_state
from services.trade.risk_words import limit_words, limits_in_words, reason_words

ZERO = Decimal(0)
"""A quantity out of bounds is `order_bounds`' to refuse; the other guards read it as nothing."""


def order_bounds(seen: GuardContext) -> GuardResult:
    """Refuse a quantity off the lot or out of bounds, and a price off the tick."""
    quantity = seen.order.quantity
    rule = _quantity_rule(seen)
    if rule:
        return block("order_bounds", "QTY_INVALID", rule, qty=quantity, rule=rule)
    for name in ("limit_price", "stop_price", "take_profit", "stop_loss"):
        price: Decimal | None = getattr(seen.order, name)
        if price is None:
            continue
        if price <= 0:
            return block("order_bounds", "PRICE_NON_POSITIVE", "not above 0", field=name, px=price)
        if price % seen.tick:
            return block(
                "order_bounds",
                "PRICE_OFF_TICK",
                "off the tick",
                field=name,
                px=price,
                tick=seen.tick,
                lo=tick_round(price, seen.tick, "floor"),
                hi=tick_round(price, seen.tick, "ceil"),
            )
    return ok("order_bounds", quantity=quantity, tick=seen.tick)


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
        return block(
            "order_notional",
            "GUARD_REFUSED",
            "the order is too large",
            notional=rounded(seen.notional, 2),
            limit=rounded(cap, 2),
        )
    return ok("order_notional", notional=rounded(seen.notional, 2))


def position_limit(seen: GuardContext) -> GuardResult:
    """Refuse a live position above the policy's share of equity; none on paper."""
    after = abs(seen.held + seen.order.quantity * seen.order.sign) * seen.mid
    cap = seen.policy.live_max_position_pct * max(seen.equity, Decimal(0))
    if seen.order.mode == "live" and not seen.reduces and after > cap:
        return block(
            "position_limit",
            "GUARD_REFUSED",
            "the position would be too large",
            position=rounded(after, 2),
            limit=rounded(cap, 2),
        )
    return ok("position_limit", position=rounded(after, 2))


def day_loss(seen: GuardContext) -> GuardResult:
    """Refuse new risk once the day's loss has reached its limit; latched until next session.

    The rule is that of the risk engine (`services.trade.risk`), on the same limit.
    """
    limit = seen.risk.day_loss * max(seen.open_equity, ZERO)
    if seen.account_risk is not None:
        reached = "day_loss" in seen.account_risk.breaches
    else:
        reached = seen.day_loss_latched or is_day_lost(seen.open_equity, seen.day_pnl, seen.risk)
    if reached and not seen.reduces:
        return block(
            "day_loss",
            "RISK_BREACH",
            f"the day's loss reached its limit of {rounded(limit, 2)}",
            day_pnl=rounded(seen.day_pnl, 2),
            limit=rounded(limit, 2),
        )
    return ok("day_loss", day_pnl=rounded(seen.day_pnl, 2), limit=rounded(limit, 2))


def is_day_lost(open_equity: Decimal, day_pnl: Decimal, policy: RiskPolicy) -> bool:
    """Return whether a day's result reaches its limit, by the rule of the risk engine."""
    if open_equity <= 0:
        return False
    account = RiskAccount(
        equity=open_equity, one_r=open_equity, realised_today=ZERO, unrealised_today=day_pnl
    )
    return bool(risk_state(account, (), limits={"day_loss": policy.day_loss}).breaches)


def account_risk(seen: GuardContext) -> GuardResult:
    """Refuse an order that opens risk while a limit of the account is reached, or would be.

    What the order itself would reach in size refuses it on a live account. The paper broker has no
    order-size cap, so there the card only says it; once such a limit is reached, new risk waits.
    """
    now = seen.account_risk
    if now is None or seen.opening is None or seen.reduces:
        return ok("account_risk")
    verdict = judge_opening(now, seen.opening, sizes_bind=seen.order.mode == "live")
    names = ", ".join(verdict.limits or verdict.passed)
    if verdict.code == "COOLDOWN":
        reason = (
            f"{now.account.losses} losing trades in a row; new risk waits until "
            f"{seen.risk.cooldown_min} minutes after the last one"
        )
        return block("account_risk", "COOLDOWN", reason, limits=names)
    if verdict.code == "FROZEN":
        reason = reason_words(now, seen.order.currency)
        return block("account_risk", "FROZEN", reason, limits=names)
    if verdict.code:
        return block("account_risk", verdict.code, _reached(seen, now, verdict), limits=names)
    if verdict.passed:
        said = f"after this order {limits_in_words(verdict.passed)} would be past the limit"
        return GuardResult("account_risk", "warn", "RISK_BREACH", said, {"limits": names})
    return ok("account_risk", state=now.state)


def _reached(seen: GuardContext, now: RiskReading, verdict: PreTrade) -> str:
    if not set(verdict.limits) <= set(now.breaches):
        return f"after this order {limits_in_words(verdict.limits)} would be past the limit"
    said = [limit_words(now, name, seen.order.currency) for name in verdict.limits]
    return f"a limit of the account is reached ({'; '.join(said)})"


def buying_power(seen: GuardContext) -> GuardResult:
    """Refuse what the book can not pay for, and a sale of more than is held."""
    if seen.order.side is Side.SELL:
        have = seen.available_quantity
        if seen.order.quantity > have and not seen.allow_short:
            return block(
                "buying_power",
                "INSUFFICIENT_POSITION",
                "more than is held and free",
                need=seen.order.quantity,
                have=have,
            )
        return ok("buying_power", available=have)
    if seen.cost > seen.cash_available:
        return block(
            "buying_power",
            "INSUFFICIENT_CASH",
            "more than the free cash",
            need=rounded(seen.cost, 2),
            have=rounded(seen.cash_available, 2),
        )
    return ok("buying_power", cost=rounded(seen.cost, 2))


def day_trade_check(seen: GuardContext) -> GuardResult:
    """Apply the account's day-trade or settlement rule to an opening order (`domain.md` 4.5)."""
    if seen.reduces:
        return ok("day_trade_check", rule=seen.day_trade_rule)
    account = DayTradeAccount(
        rule=seen.day_trade_rule,
        equity=seen.equity,
        day_trades=seen.day_trades,
        maintenance=max(ZERO, seen.gross_value + seen.notional) * seen.policy.maintenance_pct,
        settled_cash=seen.cash_available - seen.unsettled_cash,
        cost=max(ZERO, seen.cost),
    )
    limits = PatternLimits(
        min_equity=seen.policy.pattern_min_equity, max_day_trades=seen.policy.pattern_day_trades
    )
    try:
        require_day_trade(account, limits=limits)
    except Refusal as refusal:
        if refusal.kind is not Kind.RISK:
            raise
        numbers = str(refusal.facts["numbers"])
        rule = str(refusal.facts["rule"])
        return block("day_trade_check", refusal.code, numbers, rule=rule, numbers=numbers)
    return ok("day_trade_check", rule=seen.day_trade_rule, day_trades=seen.day_trades)
