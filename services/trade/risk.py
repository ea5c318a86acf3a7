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
SIZES = ("gross", "group", "open_risk", "symbol")
"""Limits that one order can pass by its size alone."""
LOSSES = ("day_loss", "drawdown", "week_loss")
COUNTS = ("loss_streak", "positions", "trades_day")
LIMITS = tuple(sorted((*SIZES, *LOSSES, *COUNTS)))
SEVERITY: tuple[State, ...] = ("ok", "warn", "breach", "frozen")
WARN_AT, LEAVE_WARN = Decimal("0.8"), Decimal("0.75")
STALE_WARN_S, STALE_FROZEN_S = 300, 900
"""A price that is missing for longer than this in an open market: a warning, then no new risk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskPosition:
    """A position, or an unfilled opening order at its planned price; `fx` to account currency.

    `quantity` is unsigned; `stop` None means that nothing limits the loss. `group` is the sector
    or theme that the policy gives the symbol, empty without one.
    """

    symbol: str
    side: Side
    quantity: Decimal
    last: Decimal
    stop: Decimal | None
    multiplier: Decimal = ONE
    fx: Decimal = ONE
    group: str = ""

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

    `equity` is that at session open, `one_r` the account's R unit; P&L of today and of the week is
    signed. `drawdown` is the fraction lost from the peak. `losses` counts the losing trades in a
    row that still cool, `trades` those opened today. `price_age_s` is the age of the oldest price
    that stands in for a missing one while the market is open.
    """

    equity: Decimal
    one_r: Decimal
    realised_today: Decimal
    unrealised_today: Decimal
    frozen: str | None = None
    week_pnl: Decimal = ZERO
    drawdown: Decimal = ZERO
    losses: int = 0
    trades: int = 0
    price_age_s: int = 0


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
    """Return the risk of the positions against `limits`, each optional.

    Limits are fractions of equity, of the peak for `drawdown`, and whole numbers for the counts.
    ok while every utilisation is below 0.8, breach from 1 on, warn between; a freeze wins, and a
    drawdown at its limit is one. Compared before rounding. Flags `NO_STOP`, `PRICE_MISSING`.
    Raises `PARAM_INVALID`.
    Worked: 390 long at 101 with stop 98.94 and 20 short at 250 with stop 256, equity 50000, 1R
    500: open risk 923.40 = 1.8468R, gross 44390, net 34390.
    """
    require_above_zero(equity=account.equity, one_r=account.one_r)
    _require_limits(limits)
    used = _used(account, positions)
    utilisation = {
        name: used[name] / (limits[name] * (ONE if name in BARE else account.equity))
        for name in sorted(limits)
    }
    day_pnl = account.realised_today + account.unrealised_today
    flags = ("NO_STOP",) * any(one.stop is None for one in positions)
    return RiskState(
        open_risk=used["open_risk"],
        open_risk_r=used["open_risk"] / account.one_r,
        gross=used["gross"],
        net=sum((require_side(one.side) * one.notional for one in positions), ZERO),
        day_pnl=day_pnl,
        day_r=day_pnl / account.one_r,
        utilisation=utilisation,
        state=_state(account, utilisation),
        breaches=tuple(name for name, value in utilisation.items() if value >= 1),
        flags=flags + ("PRICE_MISSING",) * (account.price_age_s > STALE_WARN_S),
    )


BARE = frozenset({*COUNTS, "drawdown"})
"""What is measured without the equity."""


def _used(account: RiskAccount, positions: Sequence[RiskPosition]) -> dict[str, Decimal]:
    symbols: dict[str, Decimal] = {}
    groups: dict[str, Decimal] = {}
    for one in positions:
        symbols[one.symbol] = symbols.get(one.symbol, ZERO) + one.notional
        if one.group:
            groups[one.group] = groups.get(one.group, ZERO) + one.notional
    return {
        "day_loss": max(ZERO, -(account.realised_today + account.unrealised_today)),
        "drawdown": account.drawdown,
        "gross": sum(symbols.values(), ZERO),
        "group": max(groups.values(), default=ZERO),
        "loss_streak": Decimal(account.losses),
        "open_risk": sum((one.open_risk for one in positions), ZERO),
        "positions": Decimal(len(symbols)),
        "symbol": max(symbols.values(), default=ZERO),
        "trades_day": Decimal(account.trades),
        "week_loss": max(ZERO, -account.week_pnl),
    }


def _require_limits(limits: Mapping[str, Decimal]) -> None:
    for name, limit in limits.items():
        require(name in LIMITS, "limits", value=name, rule="must be one of " + ", ".join(LIMITS))
        require_above_zero(**{f"limits.{name}": limit})


def _state(account: RiskAccount, utilisation: Mapping[str, Decimal]) -> State:
    fallen = utilisation.get("drawdown", ZERO) >= 1
    if account.frozen or fallen or account.price_age_s > STALE_FROZEN_S:
        return "frozen"
    worst = max(utilisation.values(), default=ZERO)
    if worst >= 1:
        return "breach"
    return "warn" if worst >= WARN_AT or account.price_age_s > STALE_WARN_S else "ok"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskReading:
    """An account's book with its limits, what it came to, and the state to act on."""

    account: RiskAccount
    positions: tuple[RiskPosition, ...]
    limits: Mapping[str, Decimal]
    found: RiskState
    held: HeldState

    @property
    def state(self) -> State:
        """Return the state to act on."""
        return self.held.state

    @property
    def breaches(self) -> tuple[str, ...]:
        """Return the limits that are reached, a latched loss of the day among them."""
        latched = ("day_loss",) if self.held.day_loss_latched else ()
        return tuple(sorted({*self.found.breaches, *latched}))


def read_risk(
    account: RiskAccount,
    positions: Sequence[RiskPosition],
    *,
    limits: Mapping[str, Decimal],
    before: HeldState | None = None,
) -> RiskReading:
    """Return the reading of an account, given the state it was held in. Raises `PARAM_INVALID`."""
    found = risk_state(account, positions, limits=limits)
    return RiskReading(
        account=account,
        positions=tuple(positions),
        limits=limits,
        found=found,
        held=hold_state(found, before),
    )


@dataclass(frozen=True, slots=True)
class PreTrade:
    """What the rules say to an order that opens risk: `code` empty lets it pass.

    `limits` names what refuses it; `passed` names the limits of size that it would reach.
    """

    code: str = ""
    limits: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()


def judge_opening(now: RiskReading, order: RiskPosition, *, sizes_bind: bool) -> PreTrade:
    """Judge an order that opens or adds, on the book of now and on the book after it.

    `FROZEN` and `COOLDOWN` by the state of now, `RISK_BREACH` by any limit that is reached now.
    What the order itself would reach in size refuses it where `sizes_bind`, and is only named
    where not. The number of positions refuses another symbol alone. A refused order fits the
    same limits when it is small enough, unless a limit is reached already.
    Worked: equity 50000, open risk 2000 of 2500: an order that adds 500 reaches the limit.
    """
    if now.state == "frozen":
        return PreTrade("FROZEN")
    known = any(one.symbol == order.symbol for one in now.positions)
    reached = tuple(name for name in now.breaches if name != "positions" or not known)
    if "loss_streak" in reached:
        return PreTrade("COOLDOWN", ("loss_streak",))
    if reached:
        return PreTrade("RISK_BREACH", reached)
    after = risk_state(now.account, (*now.positions, order), limits=now.limits)
    passed = tuple(name for name in after.breaches if name in SIZES)
    if passed and sizes_bind:
        return PreTrade("RISK_BREACH", passed)
    return PreTrade("", (), passed)
