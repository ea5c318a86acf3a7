"""Owns the risk of an account: what is open, how much of each limit is used, and the state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from services.trade.param import (
    ONE,
    ZERO,
    Side,
    require,
    require_above_zero,
    require_not_negative,
    require_side,
)

State = Literal["ok", "warn", "breach", "frozen"]
LIMITS = ("day_loss", "gross", "open_risk", "symbol")
SEVERITY: tuple[State, ...] = ("ok", "warn", "breach", "frozen")
WARN_AT, LEAVE_WARN = Decimal("0.8"), Decimal("0.75")


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPosition:
    """A position, or an unfilled opening order at its planned price; `fx` to account currency.

    `quantity` is unsigned; `stop` None means that nothing limits the loss.
    """

    symbol: str
    side: Side
    quantity: Decimal
    last: Decimal
    stop: Decimal | None
    multiplier: Decimal = ONE
    fx: Decimal = ONE

    def __post_init__(self) -> None:
        require_side(self.side)
        require_not_negative(quantity=self.quantity)
        require_above_zero(last=self.last, stop=self.stop, multiplier=self.multiplier, fx=self.fx)

    @property
    def notional(self) -> Decimal:
        """Return the unsigned value at the last price."""
        return self.quantity * self.last * self.multiplier * self.fx

    @property
    def open_risk(self) -> Decimal:
        """Return what is given back from the last price to the stop; all of it without a stop."""
        if self.stop is None:
            return self.notional
        distance = require_side(self.side) * (self.last - self.stop)
        return max(ZERO, distance) * self.quantity * self.multiplier * self.fx


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAccount:
    """The account behind the positions, in its currency.

    `equity` is that at session open, `one_r` the account's R unit; P&L of today is signed.
    """

    equity: Decimal
    one_r: Decimal
    realised_today: Decimal
    unrealised_today: Decimal
    frozen: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskState:
    """Risk in money and in R, unrounded; `utilisation` per limit given, 1 is the limit."""

    open_risk: Decimal
    open_risk_r: Decimal
    gross: Decimal
    net: Decimal
    day_pnl: Decimal
    day_r: Decimal
    utilisation: Mapping[str, Decimal]
    state: State
    breaches: tuple[str, ...]
    flags: tuple[str, ...]


def risk_state(
    account: RiskAccount, positions: Sequence[RiskPosition], *, limits: Mapping[str, Decimal]
) -> RiskState:
    """Return the risk of the positions against `limits` (fractions of equity, each optional).

    ok while every utilisation is below 0.8, breach from 1 on, warn between; a freeze wins.
    Compared before rounding. Flag `NO_STOP`. Raises `PARAM_INVALID`.
    Worked: 390 long at 101 with stop 98.94 and 20 short at 250 with stop 256, equity 50000, 1R
    500: open risk 923.40 = 1.8468R, gross 44390, net 34390.
    """
    require_above_zero(equity=account.equity, one_r=account.one_r)
    _require_limits(limits)
    notional: dict[str, Decimal] = {}
    for position in positions:
        notional[position.symbol] = notional.get(position.symbol, ZERO) + position.notional
    open_risk = sum((one.open_risk for one in positions), ZERO)
    gross = sum(notional.values(), ZERO)
    day_pnl = account.realised_today + account.unrealised_today
    used = {
        "day_loss": max(ZERO, -day_pnl),
        "gross": gross,
        "open_risk": open_risk,
        "symbol": max(notional.values(), default=ZERO),
    }
    utilisation = {name: used[name] / (limits[name] * account.equity) for name in sorted(limits)}
    return RiskState(
        open_risk=open_risk,
        open_risk_r=open_risk / account.one_r,
        gross=gross,
        net=sum((require_side(one.side) * one.notional for one in positions), ZERO),
        day_pnl=day_pnl,
        day_r=day_pnl / account.one_r,
        utilisation=utilisation,
        state="frozen" if account.frozen else _state(utilisation),
        breaches=tuple(name for name, value in utilisation.items() if value >= 1),
        flags=("NO_STOP",) * any(one.stop is None for one in positions),
    )


def _require_limits(limits: Mapping[str, Decimal]) -> None:
    for name, limit in limits.items():
        require(name in LIMITS, "limits", value=name, rule="must be one of " + ", ".join(LIMITS))
        require_above_zero(**{f"limits.{name}": limit})


def _state(utilisation: Mapping[str, Decimal]) -> State:
    worst = max(utilisation.values(), default=ZERO)
    if worst >= 1:
        return "breach"
    return "warn" if worst >= WARN_AT else "ok"


@dataclass(frozen=True, slots=True)
class HeldState:
    """The state an account is kept in; `day_loss_latched` lasts until the next session."""

    state: State
    day_loss_latched: bool


def hold_state(found: RiskState, before: HeldState | None = None) -> HeldState:
    """Return the state to act on after `found`, given the one before in the same session.

    A warning, or worse, ends in ok only once every utilisation is below 0.75, and a breach of
    the day's loss stays a breach for the session. A freeze is lifted by a person alone, so it
    comes and goes with `found`. `before` is None at the start of a session.
    """
    latched = "day_loss" in found.breaches or (before is not None and before.day_loss_latched)
    state = found.state
    worst = max(found.utilisation.values(), default=ZERO)
    if state == "ok" and before is not None and before.state != "ok" and worst >= LEAVE_WARN:
        state = "warn"
    if latched:
        state = max(state, "breach", key=SEVERITY.index)
    return HeldState(state, latched)
