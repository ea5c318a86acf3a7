"""Laws of plans, sizes and risk: the order of prices, monotone sizes, states (12.5: 4, 5, 13)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short
from itertools import pairwise

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.trade.compose import compose
from services.trade.position_size import CapInputs, Levels, RiskTaken, size
from services.trade.risk import SEVERITY, RiskAccount, RiskPosition, risk_state
from tests.unit.trade.plan_desk import ideas, inputs_of, record_for

REFUSED = {"RR_BELOW_MIN", "ENTRY_MISSED", "NO_TARGET", "TARGETS_NOT_MONOTONE"}
MFES = st.lists(st.integers(0, 90).map(lambda tenth: f"{D(tenth) / 10}"), min_size=50, max_size=90)


def chosen(at: int):
    known = [idea for idea, _ in ideas(0)]
    return known[at % len(known)]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 60), MFES)
def test_stop_entry_and_targets_keep_their_order_whatever_the_record(at, mfes):
    """Property 4: stop < lo <= hi < T1 < T2 for a long, mirrored for a short; fractions are 1."""
    idea = chosen(at)
    record = record_for(idea, mfes, wins=sum(D(one) >= 1 for one in mfes))
    try:
        body = compose(inputs_of(idea, record=record)).body
    except Refusal as refusal:
        assert refusal.code in REFUSED, refusal.code  # noqa: PT017
        return
    sign = idea.sign
    zone = [D(body["entry"]["lo"]), D(body["entry"]["hi"])][::sign]
    line = [sign * D(body["stop"]["price"]), *(sign * one for one in zone)]
    line += [sign * D(one["price"]) for one in body["targets"]]
    assert line[0] < line[1] <= line[2]
    assert all(a < b for a, b in pairwise(line[2:]))
    assert sum(D(one["fraction"]) for one in body["targets"]) == 1
    reached = [D(one["p_reach"]) for one in body["targets"] if one["kind"] == "tp"]
    assert reached == sorted(reached, reverse=True)


MONEY = st.decimals("1", "200000", places=2)
CAPS = st.fixed_dictionaries(
    {
        "day_risk_left": MONEY,
        "portfolio_risk_left": MONEY,
        "max_notional_pct": st.decimals("0.01", "2", places=2),
        "symbol_notional": MONEY,
        "buying_power": MONEY,
        "leaps_left": MONEY,
        "adv_units": st.integers(0, 10**7).map(D),
        "max_units": st.integers(0, 10**5).map(D),
    }
)
RISK = RiskTaken(equity=D(100_000), risk_pct=D("0.01"))


def quantity(levels: Levels, risk: RiskTaken, caps: CapInputs) -> D:
    try:
        return size(levels, risk, caps=caps).quantity
    except Refusal as refusal:
        assert refusal.code == "SIZE_BELOW_MIN_LOT"  # noqa: PT017
        return D(0)


@given(CAPS, st.sampled_from(sorted(CapInputs.__dataclass_fields__)), MONEY)
def test_less_room_under_any_cap_never_buys_more_and_none_buys_nothing(caps, name, less):
    """Property 5: monotone in every used risk; one_r within the budget; zero on any zero cap."""
    levels = Levels(side="long", entry=D(50), stop=D(49), commission_per_unit=D("0.005"))
    room = CapInputs(**caps)
    base = quantity(levels, RISK, room)
    risk = base * D("1.01")
    assert risk <= min(RISK.equity * RISK.risk_pct, room.day_risk_left, room.portfolio_risk_left)
    if name == "max_adv_pct":
        return
    before = getattr(room, name)
    tighter = before + less if name == "symbol_notional" else max(D(0), before - less)
    assert quantity(levels, RISK, replace(room, **{name: tighter})) <= base
    nothing = RISK.equity * room.max_notional_pct if name == "symbol_notional" else D(0)
    assert quantity(levels, RISK, replace(room, **{name: nothing})) == 0


LIMITS = {"day_loss": D("0.03"), "gross": D(2), "open_risk": D("0.05"), "symbol": D(1)}
ACCOUNT = RiskAccount(equity=D(50_000), one_r=D(500), realised_today=D(0), unrealised_today=D(0))


@given(
    st.sampled_from(sorted(LIMITS)),
    st.decimals("-3000", "3000", places=2),
    st.integers(0, 900).map(D),
    st.decimals("0.01", "1", places=2),
)
def test_a_state_never_improves_as_any_limit_is_used_more(name, pnl, units, less):
    """Property 13: severity is monotone in each utilisation, and a freeze wins over all."""
    held = RiskPosition(symbol="X", side="long", quantity=units, last=D(100), stop=D(96))
    account = replace(ACCOUNT, realised_today=pnl)
    loose = risk_state(account, [held], limits=LIMITS)
    tight = risk_state(account, [held], limits={**LIMITS, name: LIMITS[name] * less})
    assert tight.utilisation[name] >= loose.utilisation[name]
    assert SEVERITY.index(tight.state) >= SEVERITY.index(loose.state)
    frozen = risk_state(replace(account, frozen="by a person"), [held], limits=LIMITS)
    assert frozen.state == "frozen"


@given(st.integers(1, 5000).map(D), st.integers(0, 600).map(D), st.decimals("0.1", "20", places=2))
def test_an_order_that_breaches_open_risk_is_sized_smaller_under_the_same_limit(
    wanted, held, distance
):
    """Property 13: what the account's state forbids, sizing under the same limit reduces."""
    stop = D(100) - distance
    open_now = RiskPosition(symbol="A", side="long", quantity=held, last=D(100), stop=stop)
    order = replace(open_now, symbol="B", quantity=wanted)
    limits = {"open_risk": LIMITS["open_risk"]}
    after = risk_state(ACCOUNT, [open_now, order], limits=limits)
    assume("open_risk" in after.breaches)
    left = limits["open_risk"] * ACCOUNT.equity - open_now.open_risk
    levels = Levels(side="long", entry=D(100), stop=stop, commission_per_unit=D("0.005"))
    risk = replace(RISK, equity=ACCOUNT.equity, risk_pct=D("0.02"))
    assert quantity(levels, risk, CapInputs(portfolio_risk_left=left)) < wanted
