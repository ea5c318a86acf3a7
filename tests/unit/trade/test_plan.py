"""Plan validation: each rule by itself, its group, its message, defaults, figures and summary."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.trade.draft import MarketFacts, PlanConfidence, PlanDraft, complete_draft
from services.trade.plan import validate, validate_user_plan
from services.trade.plan_rule import RrLimits

LONG = PlanDraft(
    side="long",
    entry_lo=D("100.00"),
    entry_hi=D("100.20"),
    stop=D("98.94"),
    tick=D("0.01"),
    targets=(D("101.46"), D("102.72"), D("103.98")),
    atr=D("1.10"),
    symbol="XNAS:AAPL",
    fractions=(D("0.5"), D("0.3"), D("0.2")),
    cost_per_unit=D("0.02"),
    bid=D("100.05"),
    ask=D("100.07"),
)
SHORT = replace(
    LONG,
    side="short",
    entry_lo=D("50.00"),
    entry_hi=D("50.20"),
    stop=D("50.90"),
    targets=(D("48.90"), D("47.80")),
    fractions=(D("0.5"), D("0.5")),
    atr=D("0.80"),
    bid=D("49.99"),
    ask=D("50.00"),
)


def test_a_sound_long_has_no_finding():
    check = validate(LONG)
    assert (check.errors, check.warnings, check.ok) == ((), (), True)


def test_a_sound_short_has_no_finding():
    assert validate(SHORT).errors == ()


@pytest.mark.parametrize(
    ("draft", "changed", "codes"),
    [
        (LONG, {"entry_lo": D("100.30")}, ("ENTRY_ZONE_INVERTED",)),
        (LONG, {"stop": D("100.00")}, ("STOP_WRONG_SIDE",)),
        (LONG, {"stop": D("100.10")}, ("STOP_WRONG_SIDE",)),
        (SHORT, {"stop": D("50.20")}, ("STOP_WRONG_SIDE",)),
        (LONG, {"targets": (), "fractions": None}, ("NO_TARGET",)),
        (LONG, {"targets": (D("100.20"),), "fractions": None}, ("TARGET_WRONG_SIDE",)),
        (SHORT, {"targets": (D("50.10"),), "fractions": None}, ("TARGET_WRONG_SIDE",)),
        (LONG, {"targets": (D(102), D(102)), "fractions": None}, ("TARGETS_NOT_MONOTONE",)),
        (SHORT, {"targets": (D(47), D(48)), "fractions": None}, ("TARGETS_NOT_MONOTONE",)),
        (LONG, {"entry_hi": D("100.205")}, ("PRICE_OFF_TICK",)),
        (LONG, {"stop": D(0)}, ("PRICE_NON_POSITIVE",)),
        (LONG, {"stop": D("-1.005")}, ("PRICE_NON_POSITIVE", "PRICE_OFF_TICK")),
        (LONG, {"fractions": (D("0.5"), D("0.3"), D("0.3"))}, ("FRACTIONS_SUM",)),
        (LONG, {"fractions": (D("0.5"), D("0.5"), D(0))}, ("FRACTIONS_SUM",)),
        (
            LONG,
            {"stop": D(101), "targets": (D(100), D(99)), "fractions": None},
            ("STOP_WRONG_SIDE", "TARGETS_NOT_MONOTONE", "TARGET_WRONG_SIDE"),
        ),
        (LONG, {"entry_lo": D("99.64")}, ("ENTRY_ZONE_WIDE",)),
        (LONG, {"stop": D("99.66")}, ("STOP_TOO_TIGHT",)),
        (LONG, {"stop": D("96.89"), "fractions": None}, ("STOP_TOO_WIDE",)),
    ],
)
def test_each_rule_is_found_by_itself(draft, changed, codes):
    check = validate(replace(draft, **changed))
    assert check.errors == codes


@pytest.mark.parametrize("stop", ["99.65", "96.90"])
def test_both_ends_of_the_stop_distance_are_allowed(stop):
    assert validate(replace(LONG, stop=D(stop), fractions=None)).errors == ()


def test_distance_rules_wait_for_a_sound_structure():
    check = validate(replace(LONG, entry_lo=D(90), targets=(D(95),), fractions=None))
    assert "ENTRY_ZONE_WIDE" not in check.errors
    assert check.figures is None
    assert check.summary.endswith("not a sound plan yet.")


def test_an_accepted_stop_is_only_a_warning():
    check = validate(replace(LONG, stop=D("96.89"), fractions=None, accept_stop=True))
    assert (check.errors, check.warnings) == ((), ("STOP_TOO_WIDE",))


def test_a_low_rr_warns_and_is_an_error_when_strict():
    low = replace(LONG, targets=(D("100.50"), D(101), D("101.50")))
    assert validate(low).warnings == ("RR_BELOW_MIN",)
    assert validate(low, limits=RrLimits(strict=True)).errors == ("RR_BELOW_MIN",)


def test_a_first_target_too_near_warns_whatever_the_blend():
    near = replace(LONG, targets=(D("101.20"), D(104), D(110)))
    check = validate(near)
    assert check.figures.blended > D("1.5")
    assert check.warnings == ("RR_BELOW_MIN",)


def test_rr_is_not_judged_without_fractions():
    check = validate(replace(LONG, targets=(D("100.50"),), fractions=None))
    assert check.warnings == ()
    assert check.figures.blended is None


def test_a_wide_spread_warns():
    assert validate(replace(LONG, bid=D("99.80"), ask=D("100.00"))).warnings == ("SPREAD_WIDE",)
    assert validate(replace(LONG, bid=D("99.81"), ask=D("100.00"))).warnings == ()


NOW = datetime(2027, 1, 12, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("draft", "facts", "errors", "warnings"),
    [
        (LONG, {"data_age": "7 min", "data_limit": "3 min"}, ("DATA_STALE",), ()),
        (LONG, {"quality_checks": ("DQ_GAP",)}, ("DQ_BLOCK",), ()),
        (LONG, {"corporate_action": "split"}, ("CORPORATE_ACTION_PENDING",), ()),
        (LONG, {"earnings": "2027-01-14 amc"}, (), ("EARNINGS_IN_WINDOW",)),
        (LONG, {"earnings": "2027-01-14 amc", "block_earnings": True}, ("EARNINGS_IN_WINDOW",), ()),
        (LONG, {"last": D("100.52")}, (), ()),
        (LONG, {"last": D("100.53")}, ("ENTRY_MISSED",), ()),
        (SHORT, {"last": D("49.76")}, ("ENTRY_MISSED",), ()),
        (LONG, {"as_of": NOW, "expires_at": NOW}, (), ()),
        (LONG, {"as_of": NOW, "expires_at": NOW - timedelta(seconds=1)}, ("PLAN_EXPIRED",), ()),
        (SHORT, {"borrowable": False}, ("SHORT_NOT_BORROWABLE",), ()),
        (LONG, {"borrowable": False}, (), ()),
        (LONG, {"halted": True}, ("HALTED",), ()),
    ],
)
def test_market_rules(draft, facts, errors, warnings):
    check = validate(draft, market=MarketFacts(**facts))
    assert (check.errors, check.warnings) == (errors, warnings)


def test_market_rules_run_on_an_unsound_plan_too():
    check = validate(replace(LONG, stop=D(101)), market=MarketFacts(halted=True))
    assert check.errors == ("HALTED", "STOP_WRONG_SIDE")


def test_an_off_tick_price_names_the_two_nearest():
    found = validate(replace(LONG, stop=D("98.805"))).findings[0]
    assert found.message == "stop=98.805 is not on tick 0.01; nearest 98.8 / 98.81"


def test_figures_of_the_worked_plan():
    figures = validate(LONG).figures
    assert (figures.worst, figures.stop_distance, figures.atr_multiple) == (
        D("100.20"),
        D("1.26"),
        D("1.1455"),
    )
    assert (figures.risk_per_unit, figures.stop_distance_pct) == (D("1.28"), D("0.012575"))
    assert [(x.r, x.rr) for x in figures.targets] == [
        (D(1), D("0.9688")),
        (D(2), D("1.9531")),
        (D(3), D("2.9375")),
    ]
    assert (figures.blended, figures.band, figures.p_breakeven_tp1) == (
        D("1.6578"),
        "acceptable",
        D("0.5079"),
    )


def test_the_summary_is_made_of_the_result():
    assert validate(LONG).summary == (
        "long XNAS:AAPL limit 100-100.2, stop 98.94 (1.26 = 1.1455x ATR), targets 101.46 (1R), "
        "102.72 (2R), 103.98 (3R), RR 1.6578 (acceptable), confidence uncalibrated."
    )


def test_the_summary_quotes_the_confidence_with_its_tier():
    confidence = PlanConfidence(value=D("0.5800"), tier="platt", n=240)
    check = validate(replace(LONG, confidence=confidence))
    assert check.summary.endswith("confidence 0.5800 (platt, n=240).")


def test_a_plan_without_targets_gets_one_two_and_three_r():
    bare = replace(LONG, targets=(), fractions=None)
    draft, check = validate_user_plan(bare)
    assert draft.targets == (D("101.46"), D("102.72"), D("103.98"))
    assert (draft.style, draft.timeframe) == ("swing", "1d")
    assert draft.fractions == (D("0.4615"), D("0.3077"), D("0.2308"))
    assert (check.errors, check.flags) == ((), ("TARGETS_DEFAULT",))


def test_given_targets_stay_and_are_not_flagged():
    draft = complete_draft(LONG)
    assert (draft.targets, draft.flags) == (LONG.targets, ())


@pytest.mark.parametrize("stop", ["101", "100.20", "0"])
def test_a_stop_that_makes_no_sense_gets_no_targets(stop):
    _, check = validate_user_plan(replace(LONG, stop=D(stop), targets=(), fractions=None))
    assert "NO_TARGET" in check.errors
    assert set(check.errors) & {"STOP_WRONG_SIDE", "PRICE_NON_POSITIVE"}


def test_default_targets_of_a_short_never_reach_zero():
    wide = replace(SHORT, entry_lo=D(2), entry_hi=D(2), stop=D(3), targets=(), fractions=None)
    assert validate_user_plan(wide)[1].errors[0] == "NO_TARGET"


@pytest.mark.parametrize(
    "changed",
    [
        {"tick": D(0)},
        {"atr": D(0)},
        {"cost_per_unit": D(-1)},
        {"bid": D(0)},
        {"side": "up"},
        {"fractions": (D(1),)},
    ],
)
def test_malformed_arguments_are_refused(changed):
    with pytest.raises(Refusal) as caught:
        validate(replace(LONG, **changed))
    assert caught.value.code == "PARAM_INVALID"


@given(
    side=st.sampled_from(["long", "short"]),
    entry=st.integers(1000, 9000),
    distance=st.integers(1, 300),
)
def test_default_plans_are_ordered_from_stop_to_last_target(side, entry, distance):
    sign = 1 if side == "long" else -1
    entry, stop = D(entry) / 100, D(entry - sign * distance) / 100
    draft, check = validate_user_plan(
        PlanDraft(side=side, entry_lo=entry, entry_hi=entry, stop=stop, tick=D("0.01"))
    )
    ladder = [sign * price for price in (stop, entry, *draft.targets)]
    assert check.errors == ()
    assert ladder == sorted(set(ladder))
