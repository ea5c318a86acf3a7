"""Owns how an account's risk is said: limits and states in calm words, with their figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from services.kit.money import decimal_text, rounded
from services.trade.risk import BARE, RiskReading, State
from services.trade.risk_facts import limit_amount

LIMIT_WORDS: Mapping[str, str] = {
    "day_loss": "the day's loss",
    "drawdown": "the fall from the peak",
    "gross": "gross exposure",
    "group": "the largest group",
    "loss_streak": "losing trades in a row",
    "open_risk": "open risk",
    "positions": "the number of positions",
    "symbol": "the largest position",
    "trades_day": "trades opened today",
    "week_loss": "the week's loss",
}
_STATES: Mapping[State, str] = {
    "ok": "Risk is inside its limits.",
    "warn": "Risk is near a limit",
    "breach": "Risk has reached a limit: only orders that reduce it may go out",
    "frozen": "New risk is frozen",
}


def amount_words(name: str, value: Decimal, currency: str) -> str:
    """Return a value of a limit with its unit. Worked: `open_risk` 1234.5 is `1,234.50 USD`."""
    if name == "drawdown":
        return f"{decimal_text(rounded(100 * value, 2))}%"
    if name in BARE:
        return decimal_text(value)
    return f"{rounded(value, 2):,.2f} {currency}"


def limit_words(reading: RiskReading, name: str, currency: str) -> str:
    """Return one limit with what is used of it.

    Worked: `open risk is 7,604.00 USD of 5,000.00 USD`.
    """
    limit = limit_amount(name, reading.limits[name], reading.account.equity)
    used = amount_words(name, reading.found.utilisation[name] * limit, currency)
    return f"{LIMIT_WORDS[name]}: {used} of {amount_words(name, limit, currency)}"


def reason_words(reading: RiskReading, currency: str) -> str:
    """Return why the account is in its state, without an end stop; empty while it is ok."""
    if reading.state == "ok":
        return ""
    said: list[str] = []
    if reading.account.frozen:
        said.append(reading.account.frozen)
    if "PRICE_MISSING" in reading.found.flags:
        minutes = reading.account.price_age_s // 60
        said.append(f"a price of what is held has been missing for {minutes} min")
    near = [name for name in reading.limits if _counts(reading, name)]
    said += [limit_words(reading, name, currency) for name in sorted(near)]
    if reading.held.day_loss_latched and reading.found.utilisation["day_loss"] < 1:
        said.append("the day's loss reached its limit earlier; that holds for the session")
    return "; ".join(said) or "it was, and is not far enough from its limits yet"


def _counts(reading: RiskReading, name: str) -> bool:
    used = reading.found.utilisation[name]
    return used >= 1 if reading.breaches else used >= Decimal("0.75")


def state_words(state: State, reason: str) -> str:
    """Return a state and its reason in one sentence.

    Worked: `Risk is near a limit: open risk: 4,100.00 USD of 5,000.00 USD.`
    """
    if state == "ok":
        return _STATES["ok"]
    joint = ". Why: " if ":" in _STATES[state] else ": "
    return f"{_STATES[state]}{joint}{reason}."


def limits_in_words(names: Iterable[str]) -> str:
    """Return limits by name. Worked: `open risk and the day's loss`."""
    said = [LIMIT_WORDS[name] for name in names]
    return " and ".join(filter(None, [", ".join(said[:-1]), said[-1]])) if said else ""
