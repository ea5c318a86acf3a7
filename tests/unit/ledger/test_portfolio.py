"""Portfolios open once with their account and cash, and are found, listed and renamed."""

from decimal import Decimal as D  # noqa: N817 - a column of numbers reads better short

import pytest

from services.kit.context import system_principal
from services.kit.errors import Refusal
from services.ledger.book import cash
from services.ledger.portfolio import (
    account_of,
    get_portfolio,
    list_portfolios,
    open_portfolio,
    rename,
)


def act(runtime, owner, function, *args, **named):
    return runtime.write(owner, lambda ctx: function(ctx, *args, **named))


def test_the_default_portfolio_opens_itself_with_the_policys_cash(any_runtime, owner):
    first = act(any_runtime, owner, get_portfolio)
    assert act(any_runtime, owner, get_portfolio) == first
    assert (first.name, first.base_currency, first.cost_method) == ("Paper", "USD", "average")
    money = act(any_runtime, owner, cash, first.id)
    assert (money.posted.amount, money.available.amount) == (100_000, 100_000)
    account = act(any_runtime, owner, account_of, first.id)
    assert (account.mode, account.currency, account.allow_short) == ("paper", "USD", False)


def test_the_first_portfolio_is_the_default_and_all_are_listed_by_name(plain_runtime, owner, clock):
    mine = act(plain_runtime, owner, open_portfolio, "Zoo", currency="GBP", start_cash=D("5.50"))
    clock.advance(seconds=1)
    act(plain_runtime, owner, open_portfolio, "Ark", cost_method="fifo")
    assert act(plain_runtime, owner, get_portfolio) == mine
    assert [one.name for one in act(plain_runtime, owner, list_portfolios)] == ["Ark", "Zoo"]
    assert str(act(plain_runtime, owner, cash, mine.id).posted) == "5.50 GBP"


def test_a_portfolio_is_renamed_to_a_free_name_only(plain_runtime, owner):
    one = act(plain_runtime, owner, open_portfolio, "One")
    act(plain_runtime, owner, open_portfolio, "Two")
    assert act(plain_runtime, owner, rename, one.id, " Uno ").name == "Uno"
    assert act(plain_runtime, owner, rename, one.id, "Uno").name == "Uno"
    with pytest.raises(Refusal, match="PORTFOLIO_EXISTS"):
        act(plain_runtime, owner, rename, one.id, "Two")


def test_another_tenants_portfolio_is_unknown(plain_runtime, owner):
    mine = act(plain_runtime, owner, open_portfolio, "One")
    other = system_principal("t_other")
    for function in (get_portfolio, account_of, cash):
        with pytest.raises(Refusal, match="PORTFOLIO_UNKNOWN"):
            act(plain_runtime, other, function, mine.id)
    with pytest.raises(Refusal, match="PORTFOLIO_UNKNOWN"):
        act(plain_runtime, other, rename, mine.id, "Theirs")


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"name": ""}, "PARAM_INVALID"),
        ({"name": "x" * 61}, "PARAM_INVALID"),
        ({"name": "a\nb"}, "PARAM_INVALID"),
        ({"currency": "usd"}, "PARAM_INVALID"),
        ({"currency": "\uff35\uff33\uff24"}, "PARAM_INVALID"),
        ({"cost_method": "lifo"}, "PARAM_INVALID"),
        ({"start_cash": D(-1)}, "START_CASH_INVALID"),
        ({"start_cash": D("0.001")}, "AMOUNT_INEXACT"),
        ({"start_cash": D("1e12")}, "AMOUNT_RANGE"),
    ],
)
def test_terms_out_of_range_are_refused(plain_runtime, owner, terms, code):
    with pytest.raises(Refusal, match=code):
        act(plain_runtime, owner, open_portfolio, **{"name": "P", **terms})
    assert act(plain_runtime, owner, list_portfolios) == []


def test_the_same_name_with_another_cost_method_is_refused(plain_runtime, owner):
    act(plain_runtime, owner, open_portfolio, "One")
    with pytest.raises(Refusal, match="PORTFOLIO_EXISTS"):
        act(plain_runtime, owner, open_portfolio, "One", cost_method="fifo")
