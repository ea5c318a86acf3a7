"""What a day of the first round of the replay left behind does not bind in the second."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from services.ledger import portfolio, valuation
from services.ledger.portfolio import list_portfolios
from services.market.round import round_at, round_of, session_key
from services.orders.tables import day_loss_latches, fills

DAY = date(2027, 1, 12)


def test_a_session_key_names_the_round_from_the_second_on(desk, feed):
    assert desk.read(lambda ctx: session_key(ctx, DAY)) == "2027-01-12"
    feed.turn = 1
    assert desk.read(lambda ctx: session_key(ctx, DAY)) == "1:2027-01-12"
    assert [round_of(key) for key in ("2027-01-12", "1:2027-01-12", "12:2027-01-12")] == [0, 1, 12]


def test_a_time_after_the_markets_now_belongs_to_the_round_before(desk, feed):
    feed.turn = 2
    later = feed.time + timedelta(days=300)
    assert desk.read(lambda ctx: round_at(ctx, feed.time)) == 2
    assert desk.read(lambda ctx: round_at(ctx, later)) == 1
    feed.turn = 0
    assert desk.read(lambda ctx: round_at(ctx, later)) == 0


def test_a_latched_day_of_the_first_round_does_not_bind_in_the_second(desk, feed):
    desk.buy(quantity="500", protective_stop="189.00")
    desk.work()
    card = desk.propose("MSFT")
    feed.set("AAPL", "183.00", "183.10")
    assert desk.refused(lambda: desk.confirm(card.id)).code == "RISK_BREACH"
    feed.set("AAPL", "190.00", "190.10")
    assert desk.refused(lambda: desk.propose("MSFT", quantity="11")).code == "RISK_BREACH"
    feed.turn = 1
    card = desk.propose("MSFT", quantity="12")
    feed.set("AAPL", "183.00", "183.10")
    assert desk.refused(lambda: desk.confirm(card.id)).code == "RISK_BREACH"
    feed.set("AAPL", "190.00", "190.10")
    assert desk.refused(lambda: desk.propose("MSFT", quantity="13")).code == "RISK_BREACH"
    keys = [row.session_date for row in desk.rows(day_loss_latches)]
    assert sorted(keys) == ["1:2027-01-12", "2027-01-12"]


@pytest.mark.parametrize(
    ("rule", "code"), [("pdt_legacy", "PDT_LIMIT"), ("cash", "UNSETTLED_FUNDS")]
)
def test_day_trades_and_sales_of_the_first_round_do_not_count_in_the_second(desk, feed, rule, code):
    for symbol, better in (("AAPL", "191"), ("MSFT", "401"), ("GOOG", "151")):
        desk.buy(symbol, "buy", "100")
        desk.work()
        feed.set(symbol, better, f"{better}.10")
        desk.buy(symbol, "sell", "100")
        desk.work()
    desk.sql(f"UPDATE accounts SET day_trade_rule = '{rule}'")
    assert {row.round for row in desk.rows(fills)} == {0}
    size = {"pdt_legacy": "6", "cash": "160"}[rule]
    if rule == "pdt_legacy":
        desk.write(
            lambda ctx: portfolio.withdraw(
                ctx, list_portfolios(ctx)[0].id, Decimal(76_000), key="w1"
            )
        )
    assert desk.refused(lambda: desk.propose("IBM", quantity=size)).code == code
    feed.turn = 1
    assert desk.propose("IBM", quantity=size).status == "pending"


def test_the_days_profit_of_the_first_round_is_not_the_seconds(desk, feed):
    desk.buy(quantity="100")
    desk.work()
    mine = desk.read(list_portfolios)[0].id
    desk.write(lambda ctx: valuation.record(ctx, mine))
    feed.set("AAPL", "185.00", "185.10")
    desk.buy("AAPL", "sell", "100")
    desk.work()
    feed.advance(seconds=60)
    desk.write(lambda ctx: valuation.record(ctx, mine))
    first = desk.read(lambda ctx: valuation.value(ctx, mine))
    feed.turn = 1
    second = desk.read(lambda ctx: valuation.value(ctx, mine))
    assert first.day_pnl < -400
    assert (second.equity, second.day_pnl) == (first.equity, 0)
