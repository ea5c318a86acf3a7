"""Day-trade rules: chosen by the account, with numbers that are given, never built in."""

from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.errors import Refusal
from services.trade.day_trade import DayTradeAccount, PatternLimits, require_day_trade

LIMITS = PatternLimits(min_equity=D(25000), max_day_trades=3)


def account(rule, **changed):
    return DayTradeAccount(rule=rule, **({"equity": D("24999.99")} | changed))


@pytest.mark.parametrize(
    ("blocked", "allowed", "code"),
    [
        (
            account("pdt_legacy", day_trades=3),
            account("pdt_legacy", day_trades=3, equity=D(25000)),
            "PDT_LIMIT",
        ),
        (account("pdt_legacy", day_trades=3), account("pdt_legacy", day_trades=2), "PDT_LIMIT"),
        (
            account("intraday_margin", maintenance=D(25000)),
            account("intraday_margin", maintenance=D("24999.99")),
            "INTRADAY_MARGIN_DEFICIT",
        ),
        (
            account("cash", settled_cash=D(99), cost=D(100)),
            account("cash", settled_cash=D(100), cost=D(100)),
            "UNSETTLED_FUNDS",
        ),
    ],
)
def test_each_rule_blocks_only_beyond_its_limit(blocked, allowed, code):
    with pytest.raises(Refusal) as caught:
        require_day_trade(blocked, limits=LIMITS)
    assert caught.value.code == code
    assert require_day_trade(allowed, limits=LIMITS) == ()


def test_an_account_without_the_rule_is_not_limited():
    assert require_day_trade(account("none", day_trades=99), limits=LIMITS) == ()


def test_the_limits_are_those_given():
    lower = PatternLimits(min_equity=D(2000), max_day_trades=3)
    assert require_day_trade(account("pdt_legacy", day_trades=9), limits=lower) == ()


def test_an_unknown_rule_is_the_strict_one_and_flagged():
    flags = require_day_trade(account(None), limits=LIMITS)
    assert flags == ("DAY_TRADE_RULE_ASSUMED",)
    with pytest.raises(Refusal):
        require_day_trade(account(None, day_trades=3), limits=LIMITS)


def test_a_rule_that_does_not_exist_is_refused():
    with pytest.raises(Refusal) as caught:
        require_day_trade(account("hope"), limits=LIMITS)
    assert caught.value.code == "PARAM_INVALID"
