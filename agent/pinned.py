"""Owns the facts that stand in every request: open cards and orders, limits, the turn's leave."""

from __future__ import annotations

from agent.intent import Intent
from agent.reality import Reality
from services.kit.context import Context
from services.kit.money import decimal_text

_ROWS_MAX = 10
_OPEN = frozenset(
    {"QUEUED", "SUBMITTING", "UNKNOWN", "WORKING", "ACCEPTED", "PARTIALLY_FILLED", "CANCEL_PENDING"}
)


def pinned(ctx: Context, reality: Reality, intent: Intent) -> str:
    """Return the pinned facts as Markdown; every value comes from rows and policy."""
    lines = ["## Now", _mode(ctx)]
    lines.append(
        "- This message asks for an order: a card may be prepared."
        if intent is Intent.ORDER
        else "- This message does not ask for an order: no card can be prepared for it."
    )
    sizing = ctx.policy.sizing
    lines.append(
        f"- Risk per trade: {decimal_text(sizing.risk_pct * 100)}% by default, at most "
        f"{decimal_text(sizing.max_risk_pct * 100)}%."
    )
    cards = [card for card in reality.cards if card.status == "pending"][-_ROWS_MAX:]
    lines += [
        f"- Open card {card.proposal_id}: {card.side} "
        f"{'' if card.quantity is None else decimal_text(card.quantity)} {card.symbol}."
        for card in cards
    ]
    working = [deal for deal in reality.deals if deal.state.upper() in _OPEN][-_ROWS_MAX:]
    lines += [
        f"- Order {deal.order_id}: {deal.side} {decimal_text(deal.quantity)} {deal.symbol}, "
        f"{deal.state.lower()}."
        for deal in working
    ]
    return "\n".join(lines)


def _mode(ctx: Context) -> str:
    """Return where orders go when nothing else is named, and whether real money moves."""
    settings = ctx.settings
    if settings.trading_broker == "paper":
        return "- Mode: paper. Orders go to the paper broker, after a confirmed card only."
    broker, account = settings.trading_broker, settings.trading_number
    envs = {"alpaca": settings.alpaca_env, "tradier": settings.tradier_env}
    env = envs.get(broker, "")
    mode = "live, real money" if env in ("live", "production") else "paper"
    mode = "paper (sandbox)" if env == "sandbox" else mode
    return (
        f"- Mode: {mode}. Orders go to account {account} at {broker.title()}, after a confirmed "
        "card only."
    )
