"""Where the Greeks of a contract come from: the provider, the model, or nobody."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.money import rounded
from services.kit.policy import OptionPolicy
from services.market.chain import OptionContract
from services.strategy.option_greeks import PricedAt, greeks_of, years_to

AS_OF = datetime(2027, 1, 4, 21, 0, tzinfo=UTC)
CALL = OptionContract(
    symbol="AAPL270218C00105000",
    underlying="AAPL",
    expiry=date(2027, 2, 18),
    right="call",
    strike=D(105),
    style="american",
    multiplier=D(100),
    bid=D("2.43"),
    ask=D("2.45"),
    last=D("2.44"),
    bid_size=D(10),
    ask_size=D(10),
    volume=D(100),
    open_interest=D(1000),
    iv=D("0.30"),
    delta=D("0.36"),
    gamma=D("0.0355"),
    theta=D("-0.048"),
    vega=D("0.131"),
    quote_ts=AS_OF,
    greeks_ts=AS_OF,
)
AT = PricedAt(
    spot=D(100),
    as_of=AS_OF,
    newest=AS_OF,
    tick=D("0.05"),
    policy=OptionPolicy(rate=D("0.045"), rate_date="2027-01-04"),
)
UNRATED = replace(AT, policy=OptionPolicy())
BARE = replace(CALL, iv=None, delta=None, gamma=None, theta=None, vega=None)


def test_the_years_run_to_four_in_new_york_and_never_end_before_a_minute():
    assert years_to(date(2027, 1, 5), AS_OF) == 1440 / 525_600
    assert years_to(date(2027, 1, 4), AS_OF + timedelta(hours=5)) == 1 / 525_600


def test_fresh_greeks_of_the_provider_count_and_the_models_delta_stands_beside():
    found = greeks_of(CALL, AT)
    assert (found.source, found.delta, found.flags) == ("provider", D("0.36"), ())
    assert found.provider_delta == D("0.36")
    assert abs(found.model_delta - D("0.36023")) < D("0.0005")


def test_missing_greeks_are_computed_from_the_mid_and_equal_the_worked_row():
    found = greeks_of(BARE, AT)
    assert found.source == "model"
    assert rounded(found.iv, 3) == D("0.3")
    assert abs(found.delta - D("0.360230")) < D("0.0005")
    assert abs(found.theta - D("-0.047937")) < D("0.0005")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bid": D("2.00"), "ask": D("2.60")}, "SPREAD_WIDE"),
        ({"bid": None}, "QUOTE_UNUSABLE"),
        ({"strike": D(90), "bid": D("10.00"), "ask": D("10.40")}, "IV_INVALID"),
    ],
)
def test_without_a_sound_mid_there_are_no_greeks_and_none_is_guessed(changes, reason):
    found = greeks_of(replace(BARE, **changes), AT)
    assert (found.source, found.delta, found.reason) == (None, None, reason)


def test_without_a_rate_nothing_is_computed_and_the_provider_still_counts():
    found = greeks_of(BARE, UNRATED)
    assert (found.source, found.reason) == (None, "RATE_MISSING")
    assert greeks_of(CALL, UNRATED).source == "provider"


def test_greeks_on_a_quote_older_than_five_minutes_give_way_to_the_model():
    old = replace(CALL, quote_ts=AS_OF - timedelta(minutes=5, seconds=1))
    assert greeks_of(replace(old, quote_ts=AS_OF - timedelta(minutes=5)), AT).source == "provider"
    found = greeks_of(old, AT)
    assert (found.source, found.provider_delta) == ("model", D("0.36"))
    assert greeks_of(old, UNRATED).source is None


def test_deltas_that_disagree_are_flagged_and_the_models_counts():
    found = greeks_of(replace(CALL, delta=D("0.47")), AT)
    assert (found.source, found.flags) == ("model", ("GREEKS_DISAGREE",))
    assert found.provider_delta == D("0.47")
    assert found.delta == found.model_delta


def test_a_put_of_the_model_says_that_it_is_an_approximation():
    put = replace(BARE, right="put", strike=D(95), bid=D("2.10"), ask=D("2.20"))
    assert greeks_of(put, AT).flags == ("AMERICAN_APPROX",)
