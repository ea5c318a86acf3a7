"""Open risk, utilisation of limits, the state of an account and how long it is held."""

from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.kit.money import rounded
from services.trade.risk import (
    SEVERITY,
    HeldState,
    PreTrade,
    RiskAccount,
    RiskPosition,
    hold_state,
    judge_opening,
    read_risk,
    risk_state,
)

AAPL = RiskPosition(symbol="AAPL", side="long", quantity=D(390), last=D(101), stop=D("98.94"))
TSLA = RiskPosition(symbol="TSLA", side="short", quantity=D(20), last=D(250), stop=D(256))
ACCOUNT = RiskAccount(
    equity=D(50_000), one_r=D(500), realised_today=D(-350), unrealised_today=D(120)
)
LIMITS = {"day_loss": D("0.03"), "open_risk": D("0.05"), "gross": D(2), "symbol": D(1)}


def found(positions=(AAPL, TSLA), limits=None, **change):
    return risk_state(
        replace(ACCOUNT, **change), positions, limits=LIMITS if limits is None else limits
    )


def test_the_worked_account():
    got = found()
    assert (got.open_risk, got.open_risk_r) == (D("923.40"), D("1.8468"))
    assert (got.gross, got.net, got.day_pnl, got.day_r) == (44_390, 34_390, -230, D("-0.46"))
    assert {name: rounded(value, 4) for name, value in got.utilisation.items()} == {
        "day_loss": D("0.1533"),
        "gross": D("0.4439"),
        "open_risk": D("0.3694"),
        "symbol": D("0.7878"),
    }
    assert (got.state, got.breaches, got.flags) == ("ok", (), ())


@pytest.mark.parametrize(
    ("realised", "unrealised", "state", "breaches"),
    [
        ("-1400", "-10", "warn", ()),
        ("-1600", "-10", "breach", ("day_loss",)),
        ("-1199.99", "0", "ok", ()),
        ("-1200", "0", "warn", ()),
        ("-1499.99", "0", "warn", ()),
        ("-1500", "0", "breach", ("day_loss",)),
        ("-1600", "500", "ok", ()),
        ("5000", "0", "ok", ()),
    ],
)
def test_the_day_s_loss_moves_the_state(realised, unrealised, state, breaches):
    got = found(realised_today=D(realised), unrealised_today=D(unrealised))
    assert (got.state, got.breaches) == (state, breaches)


def test_without_a_stop_everything_is_at_risk():
    got = found([replace(AAPL, quantity=D(30), stop=None)])
    assert (got.open_risk, got.flags, got.breaches) == (D(3030), ("NO_STOP",), ("open_risk",))
    assert got.utilisation["open_risk"] == D("1.212")


def test_a_stop_in_profit_risks_what_is_given_back_and_never_less_than_nothing():
    assert replace(AAPL, last=D(98), stop=D("98.94")).open_risk == 0
    assert replace(TSLA, last=D(260), stop=D(256)).open_risk == 0
    scaled = replace(AAPL, multiplier=D(100), fx=D("0.8"))
    assert (scaled.open_risk, scaled.notional) == (D("803.40") * 80, D(39_390) * 80)


def test_positions_of_one_symbol_add_up():
    half = replace(AAPL, quantity=D(195))
    assert found([half, half]) == found([AAPL])


def test_a_freeze_wins_over_all_and_still_names_the_breaches():
    got = found(frozen="DQ_BLOCK", realised_today=D(-9000))
    assert (got.state, got.breaches) == ("frozen", ("day_loss",))


def test_only_limits_given_are_judged():
    got = found(limits={"gross": D("0.5")})
    assert (set(got.utilisation), got.breaches) == ({"gross"}, ("gross",))
    assert found(limits={}, realised_today=D(-49_000)).state == "ok"
    assert found([]).state == "ok"


@pytest.mark.parametrize(
    "call",
    [
        lambda: found(equity=D(0)),
        lambda: found(one_r=D(0)),
        lambda: found(limits={"gross": D(0)}),
        lambda: found(limits={"luck": D(1)}),
        lambda: replace(AAPL, last=D(0)),
        lambda: replace(AAPL, quantity=D(-1)),
        lambda: replace(AAPL, stop=D(0)),
        lambda: replace(AAPL, side="flat"),
        lambda: replace(AAPL, fx=D(0)),
    ],
)
def test_an_account_that_makes_no_sense_is_refused(call):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        call()


MONEY = st.decimals("-3000", "3000", places=2)


@given(MONEY, MONEY, st.decimals("0.01", "0.2", places=2))
def test_more_loss_is_never_a_better_state(one, other, limit):
    worse, better = sorted((one, other))
    limits = {"day_loss": limit}
    states = [found(limits=limits, realised_today=value).state for value in (worse, better)]
    assert SEVERITY.index(states[0]) >= SEVERITY.index(states[1])


@pytest.mark.parametrize(
    ("loss", "before", "held", "latched"),
    [
        ("1000", None, "ok", False),
        ("1170", HeldState("ok", day_loss_latched=False), "ok", False),
        ("1170", HeldState("warn", day_loss_latched=False), "warn", False),
        ("1125", HeldState("warn", day_loss_latched=False), "warn", False),
        ("1124", HeldState("warn", day_loss_latched=False), "ok", False),
        ("1170", HeldState("breach", day_loss_latched=False), "warn", False),
        ("1500", None, "breach", True),
        ("0", HeldState("breach", day_loss_latched=True), "breach", True),
        ("0", None, "ok", False),
    ],
)
def test_leaving_a_warning_takes_more_and_a_lost_day_stays_lost(loss, before, held, latched):
    seen = found([], realised_today=-D(loss), unrealised_today=D(0))
    assert hold_state(seen, before) == HeldState(held, latched)


def test_a_freeze_outranks_a_latched_breach():
    seen = found(frozen="AUDIT_BROKEN")
    assert hold_state(seen, HeldState("breach", day_loss_latched=True)).state == "frozen"


WIDE = {**LIMITS, "week_loss": D("0.06"), "drawdown": D("0.10"), "group": D("0.5")}
COUNTED = {"positions": D(8), "trades_day": D(10), "loss_streak": D(3)}


@pytest.mark.parametrize(
    ("limits", "change", "name", "used"),
    [
        (WIDE, {"week_pnl": D(-3000)}, "week_loss", "1"),
        (WIDE, {"week_pnl": D(3000)}, "week_loss", "0"),
        (WIDE, {"drawdown": D("0.05")}, "drawdown", "0.5"),
        (COUNTED, {"trades": 9}, "trades_day", "0.9"),
        (COUNTED, {"losses": 3}, "loss_streak", "1"),
        (COUNTED, {}, "positions", "0.25"),
    ],
)
def test_losses_and_counts_use_their_own_limits(limits, change, name, used):
    assert found(limits=limits, **change).utilisation[name] == D(used)


def test_a_group_is_the_sum_of_its_symbols():
    tech = [replace(AAPL, group="tech"), replace(TSLA, group="tech")]
    assert found(tech, limits=WIDE).utilisation["group"] == D(44_390) / 25_000
    assert found(limits=WIDE).utilisation["group"] == 0


def test_a_drawdown_at_its_limit_freezes():
    assert found(limits=WIDE, drawdown=D("0.0999")).state == "warn"
    assert found(limits=WIDE, drawdown=D("0.10")).state == "frozen"


@pytest.mark.parametrize(
    ("age", "state", "flags"),
    [
        (300, "ok", ()),
        (301, "warn", ("PRICE_MISSING",)),
        (900, "warn", ("PRICE_MISSING",)),
        (901, "frozen", ("PRICE_MISSING",)),
    ],
)
def test_a_price_that_stays_away_warns_then_freezes(age, state, flags):
    got = found(price_age_s=age)
    assert (got.state, got.flags) == (state, flags)


ORDER = RiskPosition(symbol="IBM", side="long", quantity=D(100), last=D(180), stop=D(175))


def judged(order=ORDER, *, positions=(AAPL, TSLA), limits=None, bind=True, before=None, **change):
    account = replace(ACCOUNT, **change)
    reading = read_risk(account, positions, limits=limits or {**LIMITS, **COUNTED}, before=before)
    return judge_opening(reading, order, sizes_bind=bind)


def test_an_order_is_judged_on_the_book_after_it():
    assert judged() == PreTrade()
    wide = replace(ORDER, stop=D(100))
    assert judged(wide) == PreTrade("RISK_BREACH", ("open_risk",))
    assert judged(wide, bind=False) == PreTrade("", (), ("open_risk",))
    assert judged(replace(wide, quantity=D(10))) == PreTrade()


def test_a_limit_that_is_reached_now_refuses_every_opening_order():
    lost = {"realised_today": D(-1600), "unrealised_today": D(0)}
    assert judged(bind=False, **lost) == PreTrade("RISK_BREACH", ("day_loss",))
    latched = HeldState("breach", day_loss_latched=True)
    assert judged(before=latched) == PreTrade("RISK_BREACH", ("day_loss",))
    assert judged(trades=10) == PreTrade("RISK_BREACH", ("trades_day",))
    assert judged(losses=3) == PreTrade("COOLDOWN", ("loss_streak",))
    assert judged(frozen="AUDIT_BROKEN").code == "FROZEN"


def test_the_number_of_positions_refuses_another_symbol_only():
    full = [replace(AAPL, symbol=f"S{n}", quantity=D(1)) for n in range(8)]
    assert judged(positions=full) == PreTrade("RISK_BREACH", ("positions",))
    assert judged(replace(ORDER, symbol="S3"), positions=full) == PreTrade()


@given(st.integers(1, 2000), st.integers(1, 2000), st.decimals("60", "175", places=2))
def test_a_larger_order_is_never_judged_more_mildly(one, other, stop):
    small, large = sorted((one, other))
    codes = [judged(replace(ORDER, quantity=D(n), stop=stop)).code for n in (small, large)]
    assert codes[0] in ("", codes[1])
