"""Earnings dates: two calendars that are bought apart, one date out of them, and what is unknown."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.earnings import (
    EarningsEvent,
    EarningsFeed,
    build_row,
    find_capability,
    read_earnings,
    settle_reports,
)
from services.market.feed import Feed
from tests.fakes.massive_server import Fault, MassiveServer
from tests.unit.market.massive_account import NOW, open_account

TODAY = date(2027, 1, 12)
BENZINGA, TMX = "/benzinga/v1/earnings", "/tmx/v1/corporate-events"


def event(day, provider="a", time="unknown", *, confirmed=False):
    return EarningsEvent(
        symbol="AAPL",
        date=date.fromisoformat(day),
        time=time,
        confirmed=confirmed,
        provider=provider,
        as_of=NOW,
    )


@pytest.fixture
def server():
    with MassiveServer() as running:
        for symbol in ("AAPL", "MSFT", "SPY"):
            running.list_ticker(symbol, type="ETF" if symbol == "SPY" else "CS")
        running.earnings = [
            {
                "ticker": "AAPL",
                "date": "2027-01-28",
                "time": "16:30:00",
                "date_status": "confirmed",
            },
            {
                "ticker": "AAPL",
                "date": "2026-10-29",
                "time": "16:30:00",
                "date_status": "confirmed",
            },
        ]
        yield running


@pytest.fixture
def account(server, owner):
    made = open_account(server, owner)
    yield made
    made.feed.close()


def test_the_next_and_the_last_report_come_from_the_calendar(account):
    (row,) = read_earnings(account(), ["aapl"]).rows
    assert (row.next.date, row.next.time, row.next.confirmed) == (date(2027, 1, 28), "amc", True)
    assert (row.next.sessions_until, row.last.date) == (11, date(2026, 10, 29))
    assert row.next.providers == ("massive/benzinga",)


def test_dates_are_asked_once_an_hour(server, account):
    for _ in range(3):
        read_earnings(account(), ["AAPL"])
        account.clock.advance(minutes=20)
    assert server.count(BENZINGA) == 1
    read_earnings(account(), ["AAPL"])
    assert server.count(BENZINGA) == 1
    account.clock.advance(seconds=1)
    read_earnings(account(), ["AAPL"])
    assert server.count(BENZINGA) == 2


def test_many_symbols_are_asked_of_each_calendar_at_once_and_read_whole(server, account):
    server.earnings = [
        {"ticker": symbol, "date": f"2027-01-{day}"}
        for symbol, day in (("AAPL", 20), ("MSFT", 21), ("AAPL", 25), ("MSFT", 26), ("SPY", 27))
    ]
    rows = read_earnings(account(), ["MSFT", "AAPL"]).rows
    assert [(row.symbol, row.next.date.day) for row in rows] == [("MSFT", 21), ("AAPL", 20)]
    assert (server.count(f"{TMX}?"), server.count(f"{BENZINGA}?")) == (1, 2)
    assert server.count(f"{BENZINGA}?cursor") == 1


def test_sources_that_disagree_by_more_than_a_day_give_the_earlier_date_and_a_flag(server, account):
    server.corporate_events = [
        {"ticker": "AAPL", "date": "2027-01-26", "type": "earnings_announcement", "status": "x"},
        {"ticker": "AAPL", "date": "2027-01-27", "type": "dividend", "status": "confirmed"},
    ]
    (row,) = read_earnings(account(), ["AAPL"]).rows
    assert (row.next.date, row.next.confirmed) == (date(2027, 1, 26), False)
    assert row.next.flags == ("EARNINGS_SOURCES_DISAGREE",)
    assert row.next.providers == ("massive/benzinga", "massive/tmx")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([event("2027-01-28")], ("2027-01-28", "unknown", False, ())),
        (
            [event("2027-01-28"), event("2027-01-29", "b", "bmo", confirmed=True)],
            ("2027-01-29", "bmo", True, ()),
        ),
        (
            [event("2027-01-28"), event("2027-01-30", "b", confirmed=True)],
            ("2027-01-28", "unknown", False, ("EARNINGS_SOURCES_DISAGREE",)),
        ),
        (
            [event("2027-01-28"), event("2027-01-28", "b", "amc", confirmed=True)],
            ("2027-01-28", "amc", True, ()),
        ),
        (
            [event("2027-01-28", "a", "bmo"), event("2027-01-28", "b", "amc")],
            ("2027-01-28", "unknown", False, ()),
        ),
    ],
)
def test_several_dates_of_one_report_become_one(events, expected):
    (report,) = settle_reports(events)
    assert (report.date.isoformat(), report.time, report.confirmed, report.flags) == expected


@given(st.permutations([event("2027-01-28"), event("2027-01-30", "b"), event("2027-04-28", "b")]))
def test_the_order_of_the_sources_never_matters(events):
    assert [one.date.isoformat() for one in settle_reports(events)] == ["2027-01-28", "2027-04-28"]


@pytest.mark.parametrize(
    ("days_ago", "flags"), [(75, ()), (76, ("EARNINGS_UNKNOWN",)), (None, ("EARNINGS_UNKNOWN",))]
)
def test_an_unknown_date_is_said_when_the_last_report_is_more_than_75_days_ago(
    account, days_ago, flags
):
    listed = account.feed.instrument(account(), "AAPL")
    past = () if days_ago is None else (TODAY - timedelta(days=days_ago),)
    events = [event(day.isoformat()) for day in past]
    assert build_row(listed, events, TODAY, days=30).flags == flags


def test_a_report_of_today_is_still_to_come_and_no_session_away(account):
    listed = account.feed.instrument(account(), "AAPL")
    row = build_row(listed, [event("2027-01-12", time="amc")], TODAY, days=30)
    assert (row.next.date, row.next.sessions_until) == (TODAY, 0)


def test_a_fund_reports_nothing_and_lacks_nothing(account):
    (row,) = read_earnings(account(), ["SPY"]).rows
    assert (row.next, row.last, row.flags) == (None, None, ())


def test_a_calendar_that_was_not_bought_is_remembered_and_the_other_used(server, account):
    server.fault(TMX, Fault.DENIED_403)
    for symbol in ("AAPL", "MSFT"):
        (row,) = read_earnings(account(), [symbol]).rows
        assert symbol != "AAPL" or row.next.date == date(2027, 1, 28)
        account.clock.advance(minutes=20)
    assert (server.count(TMX), server.count(BENZINGA)) == (1, 2)
    assert find_capability(account()).on


def test_without_any_calendar_there_are_no_dates_and_prices_go_on(server, account):
    server.fault(TMX, Fault.DENIED_403)
    server.fault(BENZINGA, Fault.DENIED_403)
    for _ in range(2):
        page = read_earnings(account(), ["AAPL"])
        assert (page.rows, page.absence.reason) == ((), "not_entitled")
        account.clock.advance(minutes=20)
    assert (server.count(TMX), server.count(BENZINGA)) == (1, 1)
    assert not find_capability(account()).on
    assert account.ports[Feed].capability().on


def test_without_a_provider_no_date_is_made_up(account):
    account.ports.pop(EarningsFeed)
    page = read_earnings(account(), ["AAPL"])
    assert (page.rows, page.absence.reason) == ((), "provider_disabled")


def test_half_an_answer_is_a_refusal_and_no_date(server, account):
    server.fault(BENZINGA, Fault.HALF_BODY)
    with pytest.raises(Refusal) as caught:
        read_earnings(account(), ["AAPL"])
    assert caught.value.code == "PROVIDER_BODY_INVALID"
