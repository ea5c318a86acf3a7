"""Owns how an account's risk is told in a tool's summary: the state, then what stands behind it."""

from __future__ import annotations

from services.kit.money import decimal_text, rounded
from services.orders.risk_engine import RiskView


def risk_sentence(found: RiskView) -> str:
    """Return the state of the risk and its main figures in plain English."""
    if "open_risk" not in found.body:
        return "The account has no equity yet, so there is no risk to measure."
    body, money = found.body, found.now.currency
    risked = f"{body['open_risk']:.2f} {money} ({_r(body['open_risk_r'])})"
    today = f"{body['day_pnl']:+.2f} {money} ({_r(body['day_r'])})"
    bare = sorted({one["symbol"] for one in body["positions"] if one["stop"] is None})
    said = f" No stop is known for {', '.join(bare)}: all of it counts." if bare else ""
    return (
        f"{found.text} Open risk is {risked}, today {today}, this week "
        f"{body['week_pnl']:+.2f} {money}; 1 R is {body['one_r']:.2f} {money}.{said}"
    )


def _r(value: object) -> str:
    return f"{decimal_text(rounded(value, 2))} R"  # type: ignore[arg-type]
