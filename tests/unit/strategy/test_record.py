"""A setup's record: how far its trades went, the targets from that, and the stated chance."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import InvariantBroken
from services.strategy.curve import IsotonicFit, PlattFit
from services.strategy.record import (
    Calibrator,
    RecordKey,
    SetupRecord,
    confidence_of,
    horizon_of,
    key_of,
)
from services.strategy.setup import Invalidation, Setup
from services.strategy.survival import survival_at, survival_grid, target_multiples

AT = datetime(2025, 11, 21, 21, 0, tzinfo=UTC)
SETUP = Setup(
    setup_id="ema_pullback",
    version=1,
    instrument_id="XNAS:AAPL",
    symbol="AAPL",
    side="long",
    timeframe="1d",
    trigger_ts=AT,
    trigger_price=D(100),
    entry_kind="stop",
    entry_lo=D(100),
    entry_hi=D("100.2"),
    structure=D(98),
    invalidation=Invalidation(rule="close_below", timeframe="1d", price=D(98), why="lost"),
    expires_at=AT + timedelta(days=14),
)
KEY = key_of(SETUP)
MFES = st.lists(st.integers(0, 80).map(lambda n: D(n) / 10), min_size=1, max_size=80)


def record_of(mfes, key=KEY):
    ranked = tuple(sorted(mfes))
    wins = sum(1 for one in ranked if one >= 1)
    return SetupRecord(
        key=key, n=len(ranked), wins=wins, mfe_free_r=ranked, give_back=None, labels_hash="sha256:a"
    )


def platt(**given):
    fields = {
        "key": KEY,
        "tier": "platt",
        "n": 240,
        "wins": 139,
        "curve": PlattFit(3.8196, -1.8014),
        "bins": ((6, 200, 124),),
        "accepted": True,
    }
    return Calibrator(**{**fields, **given})


FORTY = record_of([D("0.5")] * 18 + [D("1.5")] * 22)


def test_the_key_names_the_setup_its_side_and_its_holding_period():
    assert RecordKey("ema_pullback", 1, "long", "swing") == KEY
    assert KEY.text == "ema_pullback/1/long/swing"
    assert [horizon_of(name) for name in ("5m", "15m", "60m", "1w")] == [
        "intraday",
        "intraday",
        "hours",
        "swing",
    ]


def test_few_trades_shrink_to_the_driftless_chance():
    found = confidence_of(SETUP, D("0.8"), record=FORTY, calibrator=None, rr1=D("1.5"))
    assert (found.value, found.tier, found.n, found.wins) == (D("0.4667"), "prior", 40, 22)
    assert found.ci95 == (D("0.3983"), D("0.6929"))
    assert (found.p0, found.edge, found.calibrator_hash) == (D("0.4000"), D("0.0667"), None)


def test_without_a_net_reward_nothing_is_stated():
    for rr1 in (None, D(0), D("-0.4")):
        assert confidence_of(SETUP, D(1), record=FORTY, calibrator=None, rr1=rr1) is None


def test_without_a_record_the_chance_is_the_driftless_one():
    found = confidence_of(SETUP, None, record=None, calibrator=None, rr1=D(1))
    assert (found.value, found.n, found.ci95, found.edge) == (D("0.5000"), 0, None, D("0.0000"))


def test_an_accepted_curve_speaks_through_the_score():
    found = confidence_of(SETUP, D("0.6"), record=FORTY, calibrator=platt(), rr1=D("0.9688"))
    assert (found.value, found.tier, found.n, found.wins) == (D("0.6202"), "platt", 240, 139)
    assert found.calibrator_hash == platt().hash
    assert found.p_breakeven_tp1 == D("0.5079")
    assert found.edge == D("0.1123")


def test_platt_never_exceeds_the_upper_bound_of_its_bin():
    weak = platt(bins=((6, 60, 20),))
    found = confidence_of(SETUP, D("0.6"), record=FORTY, calibrator=weak, rr1=D(1))
    assert found.value == found.ci95[1] < D("0.6202")


def test_an_isotonic_curve_is_clamped_only_at_its_ends():
    steep = IsotonicFit((D("0.2"), D("0.8")), (D(0), D(1)))
    made = platt(tier="isotonic", curve=steep, bins=())
    values = [
        confidence_of(SETUP, D(score), record=FORTY, calibrator=made, rr1=D(1)).value
        for score in ("0.1", "0.5", "0.9")
    ]
    assert values == [D("0.0500"), D("0.5000"), D("0.9500")]


def test_a_rejected_curve_and_a_missing_score_fall_back_to_the_prior():
    rejected = platt(accepted=False)
    found = confidence_of(SETUP, D("0.6"), record=FORTY, calibrator=rejected, rr1=D("1.5"))
    assert (found.tier, found.flags) == ("prior", ("CALIBRATION_REJECTED", "UNCALIBRATED"))
    blind = confidence_of(SETUP, None, record=FORTY, calibrator=platt(), rr1=D("1.5"))
    assert (blind.tier, blind.flags, blind.value) == ("prior", ("UNCALIBRATED",), D("0.4667"))


def test_a_target_elsewhere_follows_the_shape_of_survival():
    record = record_of([D("0.5")] * 40 + [D("1.2")] * 20 + [D(3)] * 40)
    at_one, at_two = (
        confidence_of(SETUP, D("0.5"), record=record, calibrator=platt(bins=()), rr1=D(1), tp1_r=x)
        for x in (D(1), D(2))
    )
    assert at_two.value == (at_one.value * 2 / 3).quantize(D("0.0001"))
    plain = confidence_of(SETUP, None, record=record, calibrator=None, rr1=D(2), tp1_r=D(2))
    assert (plain.wins, plain.n) == (40, 100)


def test_anothers_history_is_a_defect():
    other = replace(SETUP, side="short")
    with pytest.raises(InvariantBroken):
        confidence_of(other, None, record=FORTY, calibrator=None, rr1=D(1))
    with pytest.raises(InvariantBroken):
        confidence_of(other, None, record=None, calibrator=platt(), rr1=D(1))


def test_the_documents_are_the_same_bytes_every_time():
    again = platt(metrics={"b": D("0.2"), "a": D("0.1")})
    assert again.hash == platt(metrics={"a": D("0.1"), "b": D("0.2")}).hash != platt().hash
    assert platt().body()["slope"] == D("3.8196")
    assert record_of([D(1), D(2)]).hash == record_of([D(2), D(1)]).hash


def test_survival_counts_what_was_reached():
    grid = survival_grid([D("0.5"), D("1.0"), D("1.2"), D("3.0")])
    assert (grid[D("1.0")], grid[D("1.1")], grid[D("3.0")]) == (D("0.75"), D("0.5"), D("0.25"))
    assert survival_at(grid, D("1.05")) == D("0.5")
    assert survival_at(grid, D(4)) == survival_at({}, D(1)) == 0


@given(MFES)
def test_survival_never_rises_and_equals_the_count(mfes):
    grid, record = survival_grid(mfes), record_of(mfes)
    values = [grid[x] for x in sorted(grid)]
    assert values == sorted(values, reverse=True)
    for x in grid:
        assert record.wins_at(x) == sum(1 for one in mfes if one >= x)
        assert grid[x] == D(record.wins_at(x)) / record.n


def test_targets_stand_where_enough_setups_went():
    shares = {"1.0": ".61", "1.1": ".59", "2.0": ".41", "2.1": ".39", "3.0": ".27", "3.1": ".24"}
    grid = {D(x): D(share) for x, share in shares.items()}
    assert target_multiples(grid, 60) == (D("1.0"), D("2.0"), D("3.0"))
    assert target_multiples(grid, 49) == (1, 2, 3)


@given(st.lists(st.integers(0, 80).map(lambda n: D(n) / 10), min_size=50, max_size=120))
def test_targets_ascend_within_their_bounds(mfes):
    one, two, three = target_multiples(survival_grid(mfes), len(mfes))
    assert D("0.8") <= one <= D("1.5") < two + 1
    assert one + D("0.5") <= two <= 3
    assert two + D("0.5") <= three <= 5
