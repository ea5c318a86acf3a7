"""Owns the plan of one run: everything that will happen, drawn from one seed before it begins.

A step carries its own numbers and faults and picks its objects by a remainder, so any subset of the
steps is a valid run too. That is what makes a trace small.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

TWISTS = (
    "other_session",
    "stranger",
    "agent",
    "frame",
    "guess",
    "hash",
    "version",
    "replay",
    "double",
    "untyped",
    "keyed",
)
"""How a confirmation deviates from a person who presses the button once."""
POINTS = (
    "propose.before_commit",
    "confirm.before_token_commit",
    "confirm.before_commit",
    "confirm.after_commit",
    "execute.before_attempt_commit",
    "execute.after_attempt",
    "execute.after_submit",
    "execute.after_outcome",
    "execute.after_cancel",
    "settle.after_post",
    "settle.before_commit",
    "exits.before_commit",
    "ledger.before_batch",
    "ledger.after_entries",
    "ledger.after_snapshots",
)
FAULTS: Mapping[str, tuple[str, str]] = {
    "reject": ("submit", "reject"),
    "not_sent": ("submit", "not_sent"),
    "lost_request": ("submit", "lost_request"),
    "lost_response": ("submit", "lost_response"),
    "late": ("submit", "late"),
    "very_late": ("submit", "very_late"),
    "bounced": ("submit", "bounced"),
    "hidden": ("submit", "hidden"),
    "down": ("look", "down"),
    "cut": ("look", "cut"),
    "twice": ("look", "twice"),
    "old_view": ("look", "old"),
    "cancel_lost_request": ("cancel", "lost_request"),
    "cancel_lost_response": ("cancel", "lost_response"),
    "cancel_refused": ("cancel", "refuse"),
    "cancel_not_sent": ("cancel", "not_sent"),
    "busy": ("write", "before"),
    "rollback": ("write", "commit"),
    "commit_unknown": ("write", "after"),
    "slow": ("write", "slow"),
    "failpoint": ("point", ""),
    "death": ("death", ""),
}
"""Faults of the broker, the database and the process, each as channel and value."""
SPOILS = ("stale", "crossed", "zero", "wide", "future", "halted", "jump", "missing")
"""Faults of a symbol's data; every one of them must stop an order."""
ACTIONS: Mapping[str, int] = {
    "trade": 16,
    "propose": 2,
    "edit": 2,
    "open": 2,
    "confirm": 5,
    "hesitate": 3,
    "decline": 1,
    "cancel": 3,
    "cancel_card": 2,
    "work": 8,
    "fill": 9,
    "end": 1,
    "overfill": 1,
    "price": 2,
    "spoil": 1,
    "heal": 2,
    "halt": 1,
    "resume": 2,
    "restart": 1,
    "clock": 1,
    "outage": 1,
    "close": 0,
    "key": 1,
}
"""What may happen, and how often against each other; the swarm turns some off."""
_ALWAYS = frozenset({"trade", "work", "fill"})
_REACHES = frozenset(ACTIONS) - {"fill", "end", "overfill", "price", "spoil", "heal", "clock"}


@dataclass(frozen=True, slots=True)
class Options:
    """What kind of world a seed makes; `rates` are per cent per step, missing means never.

    `strict` accounts have the usual limits of risk, which stop most orders; the others have none.
    A `late` day begins minutes before the session's close. Where there are `brackets`, some buys
    come with their exits; where there are `changes`, the broker changes working orders in place.
    """

    dedupes: bool
    tenants: int
    symbols: tuple[str, ...]
    lag_s: int
    strict: bool
    late: bool
    brackets: bool
    changes: bool
    weights: Mapping[str, int]
    rates: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens. `faults` are channel, value and a number, used within this step."""

    action: str
    who: int
    pick: int
    amount: int
    twist: str
    pause_s: int
    faults: tuple[tuple[str, str, int], ...] = ()

    def words(self) -> str:
        """Return the step as one line of a trace."""
        faults = " ".join(f"{channel}={value or number}" for channel, value, number in self.faults)
        return (
            f"{self.action} who={self.who} pick={self.pick} amount={self.amount}"
            f" +{self.pause_s}s {self.twist} {faults}"
        ).rstrip()


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole run."""

    seed: int
    options: Options
    steps: tuple[Step, ...]

    def keep(self, steps: list[Step]) -> Plan:
        """Return the same world with fewer steps."""
        return replace(self, steps=tuple(steps))


def build_plan(seed: int, *, force: tuple[str, ...] = ()) -> Plan:
    """Return the plan of a seed.

    `force` names faults and actions that this run must have, `dedupes` or `posts once` for the kind
    of broker, and `brackets`, `changes` or `plain` for the orders.
    """
    draw = Random(f"cornerman:{seed}")
    options = _options(draw, force, seed=seed)
    count = draw.randint(8, 24)
    return Plan(seed, options, tuple(_step(draw, options) for _ in range(count)))


def _options(draw: Random, force: tuple[str, ...], *, seed: int) -> Options:
    symbols = ("AAPL", "MSFT", "IBM")[: draw.choice((1, 1, 2, 3))]
    weights = {
        name: usual * draw.choice((0, 1, 1, 2)) if name not in _ALWAYS else usual
        for name, usual in ACTIONS.items()
    }
    weights["close"] = draw.choice((0, 0, 0, 1))
    rates = {name: draw.choice((5, 15, 40)) for name in FAULTS if draw.random() < 0.3}
    for name in force:
        if name in FAULTS:
            rates[name] = 40
        elif name in ACTIONS:
            weights[name] = 6
    dedupes = draw.random() < 0.3
    return Options(
        dedupes=(dedupes or "dedupes" in force) and "posts once" not in force,
        tenants=draw.choice((1, 1, 2)),
        symbols=symbols,
        lag_s=draw.choice((0, 0, 3, 8)),
        strict=draw.random() < 0.15,
        late=seed % 5 == 3,
        changes=(seed % 4 == 2 or "changes" in force) and "plain" not in force,
        brackets=(seed % 3 == 0 or "brackets" in force) and "plain" not in force,
        weights=weights,
        rates=rates,
    )


def _step(draw: Random, options: Options) -> Step:
    names = list(options.weights)
    action = draw.choices(names, [options.weights[name] for name in names])[0]
    faults = []
    for name, (channel, value) in FAULTS.items():
        hit = draw.random() * 100 < options.rates.get(name, 0)
        number = draw.randrange(1, 1000)
        if hit and action in _REACHES:
            point = POINTS[number % len(POINTS)] if channel in ("point", "death") else value
            faults.append((channel, point, number))
    return Step(
        action=action,
        who=draw.randrange(1000),
        pick=draw.randrange(1000),
        amount=draw.randrange(1000),
        twist=draw.choice(TWISTS) if draw.random() < 0.6 else "",
        pause_s=draw.choice((0, 1, 5, 20, 40, 90)),
        faults=tuple(faults),
    )
