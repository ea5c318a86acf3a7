"""What an account risks: its stops, its limits, the state that is kept, and what is told of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - a desk of numbers reads better short

import pytest
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.db import Database
from services.kit.ids import CountedIds
from services.kit.outbox import due
from services.kit.work import Runtime
from services.ledger import portfolio, split, valuation
from services.ledger.holding import positions
from services.market.feed import Feed, Split
from services.market.freeze import clear_freeze, list_freezes
from services.market.last_good import keep_good
from services.orders import risk_engine
from services.orders.stop_cover import Cover, cover
from services.orders.tables import day_loss_latches
from services.trade.position_stop import keep_stop
from services.trade.risk_store import changes_after
from services.trade.risk_tables import risk_changes, risk_states
from tests.fakes.hand_feed import listed
from tests.fakes.order_desk import OrderDesk


def mine(desk):
    return desk.read(portfolio.list_portfolios)[0].id


def evaluate(desk):
    return desk.write(lambda ctx: risk_engine.evaluate_account(ctx, mine(desk)))


def view(desk):
    return desk.read(risk_engine.view_risk)


def alerts(desk):
    return [one.payload for one in desk.read(lambda ctx: due(ctx, 500)) if one.kind == "alert"]


def bought(desk, symbol="AAPL", quantity="20", **rest):
    order_id = desk.buy(symbol, quantity=quantity, **rest)
    desk.work(2)
    return order_id


@pytest.mark.parametrize(
    ("quantity", "stops", "buys", "found"),
    [
        ("100", [("60", "95")], [("100", "90")], [("60", "95"), ("40", "90")]),
        ("100", [], [("40", "90"), ("80", "85")], [("40", "90"), ("60", "85")]),
        ("100", [("150", "95")], [("100", "90")], [("100", "95")]),
        ("100", [("10", "95")], [("20", None)], [("10", "95"), ("20", None), ("70", None)]),
        ("100", [], [], [("100", None)]),
        ("0", [], [], []),
    ],
)
def test_stop_orders_cover_first_then_the_plans_of_the_newest_buys(quantity, stops, buys, found):
    def covers(rows):
        return [Cover(D(units), None if stop is None else D(stop)) for units, stop in rows]

    assert cover(D(quantity), covers(stops), covers(buys)) == covers(found)


def test_an_empty_account_is_ok_and_its_limits_are_those_of_the_policy(desk):
    bought(desk, quantity="1", protective_stop="189.00")
    found = view(desk)
    assert (found.state, found.text) == ("ok", "Risk is inside its limits.")
    limits = {one["name"]: one["limit"] for one in found.body["limits"]}
    assert limits == {
        "day_loss": D(3000),
        "drawdown": D("0.1"),
        "gross": D(200_000),
        "loss_streak": D(3),
        "open_risk": D(5000),
        "positions": D(8),
        "symbol": D(100_000),
        "trades_day": D(10),
        "week_loss": D(6000),
    }


def test_the_planned_stop_bounds_what_a_position_risks(desk, feed):
    bought(desk, quantity="100", protective_stop="187.05")
    feed.set("AAPL", "190.00", "190.10")
    (one,) = view(desk).body["positions"]
    assert (one["stop"], one["open_risk"], one["open_risk_r"]) == (D("187.05"), D(300), D("0.3"))


def test_without_a_stop_the_whole_position_counts_and_breaches(desk):
    bought(desk, quantity="27")
    found = view(desk)
    assert found.body["open_risk"] == D("5131.35")
    assert (found.state, found.body["breaches"], found.body["flags"]) == (
        "breach", ["open_risk"], ["NO_STOP"],
    )  # fmt: skip
    assert "open risk: 5,131.35 USD of 5,000.00 USD" in found.reason


def test_a_stop_order_that_works_ends_the_breach_and_orders_pass_again(desk):
    bought(desk, quantity="40")
    refused = desk.refused(lambda: desk.propose("MSFT", quantity="1"))
    assert (refused.code, refused.facts["guard"]) == ("RISK_BREACH", "account_risk")
    assert desk.propose("AAPL", "sell", "10").status == "pending"
    bought(desk, "AAPL", side="sell", quantity="40", type="stop", stop_price="185.00", tif="gtc")
    found = view(desk)
    assert (found.state, found.body["open_risk"]) == ("ok", D(202))
    assert desk.propose("MSFT", quantity="1").status == "pending"


def test_an_unfilled_order_counts_with_its_planned_risk(desk):
    plan = {"type": "limit", "limit_price": "180.00", "protective_stop": "170.00"}
    desk.buy(quantity="100", **plan)
    desk.work()
    found = view(desk)
    assert (found.body["open_risk"], found.body["gross"]) == (D(1000), D(18_000))


def test_on_paper_a_large_order_is_warned_about_and_not_refused(desk):
    made = desk.propose(quantity="40")
    (said,) = [one for one in made.guards if one["guard"] == "account_risk"]
    assert (said["severity"], said["facts"]["limits"]) == ("warn", "open_risk")
    assert "open risk" in desk.issue(made.id).card.text


def test_losses_in_a_row_cool_the_account(desk, feed):
    for symbol in ("AAPL", "MSFT", "GOOG"):
        bought(desk, symbol, quantity="5")
        bought(desk, symbol, side="sell", quantity="5")
    refused = desk.refused(lambda: desk.propose("IBM", quantity="1"))
    assert (refused.code, refused.facts["limits"]) == ("COOLDOWN", "loss_streak")
    assert view(desk).body["cools_until"] is not None
    feed.advance(seconds=30 * 60)
    assert desk.propose("IBM", quantity="1").status == "pending"
    assert view(desk).body["cools_until"] is None


def test_losses_of_an_earlier_round_of_a_replay_cool_nothing(desk, feed):
    for symbol in ("AAPL", "MSFT", "GOOG"):
        bought(desk, symbol, quantity="5")
        bought(desk, symbol, side="sell", quantity="5")
    desk.write(lambda ctx: valuation.record(ctx, mine(desk)))
    feed.advance(seconds=60)
    assert desk.refused(lambda: desk.propose("IBM", quantity="1")).code == "COOLDOWN"
    feed.turn = 1
    assert desk.propose("IBM", quantity="1").status == "pending"


def test_a_stop_that_the_person_gave_the_position_counts_before_the_planned_one(desk, feed):
    bought(desk, quantity="100", protective_stop="187.05")

    def keep(ctx):
        (held,) = positions(ctx, mine(desk))
        return keep_stop(ctx, mine(desk), held, stop=D("189.05"), before=D("187.05"))

    desk.write(keep)
    (one,) = view(desk).body["positions"]
    assert (one["stop"], one["open_risk"]) == (D("189.05"), D(100))
    bought(desk, side="sell", quantity="40", type="stop", stop_price="189.50", tif="gtc")
    found = [(one["quantity"], one["stop"]) for one in view(desk).body["positions"]]
    assert found == [(D(40), D("189.5")), (D(60), D("189.05"))]


def test_a_split_brings_planned_stops_to_the_units_of_now(desk, feed):
    bought(desk, quantity="100", protective_stop="189.00")
    feed.advance(seconds=60)
    feed.split_list = [Split(feed.time.date(), feed.time, 1, 2)]
    feed.advance(seconds=1)
    desk.write(split.apply_due_splits)
    feed.set("AAPL", "95.00", "95.10")
    (one,) = view(desk).body["positions"]
    assert (one["quantity"], one["stop"]) == (D(200), D("94.5"))


def test_ten_trades_a_day_are_enough(desk, feed):
    for _ in range(10):
        bought(desk, quantity="1", protective_stop="180.00")
        feed.advance(seconds=61)
        desk.runtime.clock.advance(seconds=61)
    refused = desk.refused(lambda: desk.propose("IBM", quantity="1"))
    assert (refused.code, refused.facts["limits"]) == ("RISK_BREACH", "trades_day")
    assert desk.propose("AAPL", "sell", "10").status == "pending"


def test_a_change_of_state_is_stored_numbered_audited_and_told_once(desk):
    bought(desk, quantity="1", protective_stop="189.00")
    assert evaluate(desk) == 0
    assert desk.count(risk_states) == 1
    bought(desk, "MSFT", quantity="20")
    assert evaluate(desk) == 1
    assert evaluate(desk) == 0
    (change,) = desk.read(lambda ctx: changes_after(ctx, mine(desk), 0))
    assert (change.number, change.before, change.after, change.limits) == (
        1, "ok", "breach", ("open_risk",),
    )  # fmt: skip
    (event,) = desk.audited("risk.state")
    assert (event["facts"]["before"], event["facts"]["after"]) == ("ok", "breach")
    (told,) = [one for one in alerts(desk) if one["topic"] == "risk"]
    assert (told["level"], told["code"]) == ("critical", "RISK_BREACH")
    assert "Open risk has reached its limit" in told["message"]


def test_a_breach_that_worsens_by_a_quarter_is_told_once_more(desk, feed):
    bought(desk, quantity="27")
    evaluate(desk)
    count = len(alerts(desk))
    feed.set("AAPL", "230.00", "230.10")
    evaluate(desk)
    assert len(alerts(desk)) == count
    feed.set("AAPL", "240.00", "240.10")
    evaluate(desk)
    evaluate(desk)
    assert len(alerts(desk)) == count + 1
    assert "has worsened" in alerts(desk)[-1]["message"]


def test_a_figure_that_moves_is_stored_at_most_every_five_seconds(desk, feed, clock):
    bought(desk, quantity="20", protective_stop="180.00")
    evaluate(desk)
    first = desk.rows(risk_states)[0].at
    feed.set("AAPL", "195.00", "195.10")
    evaluate(desk)
    assert desk.rows(risk_states)[0].at == first
    clock.advance(seconds=5)
    assert desk.read(lambda ctx: risk_engine.is_due(ctx, mine(desk)))
    evaluate(desk)
    assert desk.rows(risk_states)[0].at == first + timedelta(seconds=5)
    assert desk.count(risk_changes) == 0
    clock.advance(seconds=5)
    assert not desk.read(lambda ctx: risk_engine.is_due(ctx, mine(desk)))


@pytest.mark.fault("F055")
def test_the_engine_latches_a_lost_day_until_the_next_session(desk, feed):
    bought(desk, quantity="500", protective_stop="189.00")
    feed.set("AAPL", "183.00", "183.10")
    assert evaluate(desk) == 1
    assert desk.count(day_loss_latches) == 1
    feed.set("AAPL", "190.05", "190.15")
    evaluate(desk)
    found = view(desk)
    assert (found.state, found.body["breaches"]) == ("breach", ["day_loss"])
    assert "holds for the session" in found.reason
    assert desk.refused(lambda: desk.propose("MSFT", quantity="1")).code == "RISK_BREACH"
    desk.write(lambda ctx: valuation.record(ctx, mine(desk)))
    feed.advance(seconds=24 * 3600)
    feed.set("AAPL", "190.05", "190.15")
    assert "day_loss" not in view(desk).body["breaches"]


def test_a_fall_from_the_peak_freezes_until_a_person_lifts_it(desk, feed):
    bought(desk, quantity="500", protective_stop="189.00")
    desk.write(lambda ctx: valuation.record(ctx, mine(desk)))
    feed.set("AAPL", "168.00", "168.10")
    evaluate(desk)
    (standing,) = desk.read(lambda ctx: list_freezes(ctx, open_only=True))
    assert (standing.subject, standing.scope) == ("drawdown", f"portfolio:{mine(desk)}")
    assert view(desk).state == "frozen"
    assert desk.refused(lambda: desk.propose("MSFT", quantity="1")).code == "FROZEN"
    evaluate(desk)
    assert len(desk.read(lambda ctx: list_freezes(ctx, open_only=True))) == 1
    desk.runtime.clock.advance(seconds=60)
    desk.write(lambda ctx: clear_freeze(ctx, standing.id, "I looked at every position"))
    evaluate(desk)
    assert desk.read(lambda ctx: list_freezes(ctx, open_only=True)) == []
    assert view(desk).state == "breach"


@pytest.mark.parametrize(
    ("minutes", "state"), [(5, "ok"), (6, "warn"), (15, "warn"), (16, "frozen")]
)
def test_a_price_that_is_gone_warns_then_freezes_new_risk(desk, feed, minutes, state):
    bought(desk, quantity="20", protective_stop="189.95")
    desk.write(lambda ctx: keep_good(ctx, listed("AAPL"), feed.quotes["AAPL"]))
    gone = feed.quotes.pop("AAPL")
    feed.advance(minutes=minutes)
    found = view(desk)
    assert (found.state, found.body["gross"]) == (state, D(3801))
    assert ("PRICE_MISSING" in found.body["flags"]) == (state != "ok")
    if state == "frozen":
        assert desk.refused(lambda: desk.propose("MSFT", quantity="1")).code == "FROZEN"
    feed.quotes["AAPL"] = gone
    feed.advance(minutes=0)
    assert view(desk).state == "ok"


def test_two_books_are_judged_apart(desk):
    bought(desk, quantity="27")
    other = desk.write(lambda ctx: portfolio.open_portfolio(ctx, "Second", start_cash=D(50_000)))
    found = desk.read(lambda ctx: risk_engine.view_risk(ctx, other.id))
    assert (found.state, found.body["equity"]) == ("ok", D(50_000))
    assert view(desk).state == "breach"


@pytest.fixture
def any_desk(database_url, clock, settings, feed):
    """The same desk on both engines."""
    database = Database(database_url)
    ports = {Bus: MemoryBus(), Feed: feed}
    runtime = Runtime(database, clock, CountedIds(), settings, ports=ports)
    yield OrderDesk(runtime, feed)
    runtime.threads.shutdown(wait=True)
    database.close()


def test_both_engines_keep_tell_and_latch_alike(any_desk, feed):
    desk = any_desk
    bought(desk, quantity="27")
    assert evaluate(desk) == 1
    bought(desk, side="sell", quantity="27")
    assert evaluate(desk) == 1
    bought(desk, quantity="500", protective_stop="189.00")
    feed.set("AAPL", "183.00", "183.10")
    desk.write(lambda ctx: valuation.record(ctx, mine(desk)))
    assert evaluate(desk) == 1
    assert desk.count(day_loss_latches) == 1
    feed.turn = 1
    view(desk)
    feed.turn = 0
    changes = desk.read(lambda ctx: changes_after(ctx, mine(desk), 0))
    assert [(one.number, one.before, one.after) for one in changes] == [
        (1, "ok", "breach"), (2, "breach", "ok"), (3, "ok", "breach"),
    ]  # fmt: skip
    with pytest.raises(DBAPIError):
        desk.write(lambda ctx: ctx.db.change(update(risk_changes).values(reason="another")))
