"""Jobs: due by the market's time, part by part, one row per tick, given up after three failures."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from app import background, jobs
from services import task_run
from services.job import JOBS, followed_names, followed_symbols, needed_pairs
from services.kit.errors import Refusal, refuse
from services.kit.outbox import due as waiting
from services.market.feed import Split
from services.market.freeze import active_freezes
from services.market.last_good import find_last_good
from services.market.listing import find_listing
from services.market.store import last_price
from services.market.store_bars import stored_bars
from services.market.store_trades import stored_trades
from services.task_run import ATTEMPTS_MAX, LEASE, Due
from tests.fakes.hand_feed import OPEN_TIME, HandFeed
from tests.fakes.job_desk import WHO, JobDesk

HOUR = timedelta(hours=1)


@pytest.fixture
def desk(database_url, tmp_path):
    desk = JobDesk(database_url, tmp_path, OPEN_TIME, INGEST_TRADES="true")
    yield desk
    desk.close()


def runs(desk, job=None):
    found = desk.do(lambda ctx: task_run.list_runs(ctx, 100))
    return [one for one in found if job in (None, one.job)]


def tick(desk):
    return jobs.run_due_jobs(desk.product)


def test_prices_bars_trades_and_the_last_good_quote_of_what_is_followed_are_stored(desk):
    desk.follow("AAPL")
    desk.hold("MSFT", "400")
    desk.feed.minute_volume = Decimal(100)
    desk.feed.trade("AAPL", "190.04", "25")
    desk.clock.advance(seconds=1)
    tick(desk)
    [run] = runs(desk, "ingest_intraday")
    assert (run.status, run.attempts, run.missed, run.origin) == ("ok", 1, 0, "schedule")
    assert run.summary["prices"] == 2
    assert run.summary["bars"] == 2
    assert run.summary["trades"] == 1
    stored = desk.do(lambda ctx: last_price(ctx, "XNAS:AAPL"))
    assert (stored.price, stored.currency, stored.kind) == (Decimal("190.04"), "USD", "intraday")
    assert desk.do(lambda ctx: find_last_good(ctx, "XNAS:MSFT")).provenance == "SNAPSHOT"
    minutes = desk.do(
        lambda ctx: stored_bars(ctx, "XNAS:AAPL", "1m", OPEN_TIME - HOUR, OPEN_TIME + HOUR)
    )
    assert [bar.c for bar in minutes] == [Decimal("190.04")]
    assert [one.size for one in desk.do(lambda ctx: stored_trades(ctx, "XNAS:AAPL", 9))] == [25]


def test_a_tick_runs_once_however_often_it_is_asked_for(desk):
    desk.follow("AAPL")
    first = tick(desk)
    assert first > 0
    assert tick(desk) == 0
    desk.pass_time(seconds=30)
    assert tick(desk) == 0
    desk.pass_time(seconds=31)
    assert tick(desk) == 1
    assert len(runs(desk, "ingest_intraday")) == 2


def test_nothing_followed_or_held_leaves_no_row_of_a_schedule(desk):
    tick(desk)
    assert {one.job for one in runs(desk)} == {"instruments"}


def test_without_embedded_jobs_nothing_runs_here(database_url, tmp_path):
    desk = JobDesk(database_url, tmp_path, OPEN_TIME, JOBS_EMBEDDED="false")
    desk.follow("AAPL")
    assert tick(desk) == 0
    assert runs(desk) == []
    desk.close()


@pytest.mark.fault("F130")
def test_three_days_asleep_are_one_catch_up_run_per_job(desk):
    desk.follow("AAPL")
    tick(desk)
    before = Counter(one.job for one in runs(desk))
    desk.pass_time(days=3)
    tick(desk)
    after = Counter(one.job for one in runs(desk))
    once = {**dict.fromkeys(after, 1), "weekend_plan": 0}
    assert {job: after[job] - before[job] for job in after} == once
    newest = {one.job: one for one in reversed(runs(desk))}
    assert newest["ingest_eod"].missed == 2
    assert newest["ingest_intraday"].missed == 3 * 390 - 1


@pytest.mark.fault("F131")
def test_a_job_that_always_fails_is_given_up_and_told_once(desk, monkeypatch):
    def poison(_ctx, _part):
        raise ValueError("broken")

    desk.follow("AAPL")
    monkeypatch.setitem(JOBS, "ingest_eod", replace(JOBS["ingest_eod"], act=poison))
    for _ in range(ATTEMPTS_MAX + 3):
        tick(desk)
        desk.clock.advance(seconds=30)
    [run] = runs(desk, "ingest_eod")
    assert (run.status, run.attempts, run.error) == ("dead", 3, "defect: ValueError")
    told = [one.payload for one in desk.do(waiting) if one.kind == "alert"]
    assert [one["code"] for one in told] == ["JOB_DEAD"]
    assert "ingest_eod failed 3 times" in told[0]["message"]
    assert [one.status for one in runs(desk, "ingest_intraday")] == ["ok"]


@pytest.mark.fault("F131")
def test_a_run_whose_process_died_is_taken_up_again_and_given_up_after_three(desk):
    due = Due("ingest_eod", OPEN_TIME)

    def claim():
        return desk.do(lambda ctx: task_run.claim(ctx, due))

    for attempt in (1, 2, 3):
        assert claim().attempts == attempt
        assert claim() is None
        desk.clock.advance(seconds=LEASE.total_seconds())
    assert claim() is None
    assert runs(desk)[0].status == "dead"


def test_who_was_overtaken_can_not_end_the_run_of_the_later_attempt(desk):
    due = Due("ingest_eod", OPEN_TIME)
    first = desk.do(lambda ctx: task_run.claim(ctx, due))
    desk.clock.advance(seconds=LEASE.total_seconds())
    second = desk.do(lambda ctx: task_run.claim(ctx, due))
    desk.do(lambda ctx: task_run.finish(ctx, first, "ok", {"late": 1}))
    assert runs(desk)[0].status == "running"
    ended = desk.do(lambda ctx: task_run.finish(ctx, second, "ok", {"prices": 1}))
    assert (ended.status, ended.summary) == ("ok", {"prices": 1})


def test_a_symbol_that_is_refused_does_not_stop_the_others(desk, monkeypatch):
    desk.follow("AAPL", "MSFT")
    usual = HandFeed.quote

    def quote(self, ctx, symbol):
        if symbol == "AAPL":
            raise refuse("PROVIDER_UNAVAILABLE", provider="hand")
        return usual(self, ctx, symbol)

    monkeypatch.setattr(HandFeed, "quote", quote)
    tick(desk)
    [run] = runs(desk, "ingest_intraday")
    assert run.status == "ok"
    assert run.summary["prices"] == 1
    assert run.summary["refused:PROVIDER_UNAVAILABLE"] == 1


def test_a_bad_price_is_never_stored_as_one(desk):
    desk.follow("AAPL")
    tick(desk)
    desk.pass_time(minutes=1)
    desk.feed.set("AAPL", "19000", "19010")
    tick(desk)
    assert runs(desk, "ingest_intraday")[0].summary["rejected:DQ_SCALE_SUSPECT"] == 1
    assert desk.do(lambda ctx: last_price(ctx, "XNAS:AAPL")).price == Decimal("190.05")
    assert desk.do(lambda ctx: find_last_good(ctx, "XNAS:AAPL")).last == Decimal("190.05")


@pytest.mark.fault("F032")
def test_the_last_good_quote_outlives_a_weekend_with_its_own_time(desk):
    desk.follow("AAPL")
    tick(desk)
    desk.clock.advance(days=4)
    desk.feed.time = datetime(2027, 1, 16, 15, 0, tzinfo=UTC)
    tick(desk)
    kept = desk.do(lambda ctx: find_last_good(ctx, "XNAS:AAPL"))
    assert (kept.ts, kept.provenance, kept.last) == (OPEN_TIME, "SNAPSHOT", Decimal("190.05"))


@pytest.mark.fault("F035")
def test_a_held_listing_that_is_listed_no_more_is_frozen_and_ends(desk):
    desk.hold("IBM", "180")
    tick(desk)
    assert desk.do(lambda ctx: find_listing(ctx, "XNAS:IBM")).symbol == "IBM"
    del desk.feed.quotes["IBM"]
    desk.pass_time(days=1)
    tick(desk)
    assert runs(desk, "instruments")[0].summary["unmapped"] == 1
    assert desk.do(lambda ctx: find_listing(ctx, "XNAS:IBM")) is None
    [freeze] = desk.do(lambda ctx: active_freezes(ctx, ["listing:XNAS:IBM"]))
    assert "not listed any more" in freeze.reason


def test_a_recent_split_is_flagged_on_its_listing(desk):
    desk.follow("AAPL")
    desk.feed.split_list = [Split(date(2027, 1, 11), OPEN_TIME - timedelta(days=1), 1, 4)]
    tick(desk)
    assert desk.do(lambda ctx: find_listing(ctx, "AAPL")).flags == ("SPLIT 2027-01-11 1:4",)
    desk.pass_time(days=120)
    tick(desk)
    assert desk.do(lambda ctx: find_listing(ctx, "AAPL")).flags == ()


def test_a_person_may_run_a_job_now_and_twice_at_one_instant_is_once(desk):
    desk.follow("AAPL")
    first = jobs.run_manual(desk.product, WHO, "ingest_eod")
    again = jobs.run_manual(desk.product, WHO, "ingest_eod")
    assert (first.id, first.origin) == (again.id, "manual")
    with pytest.raises(Refusal, match="ingest_intraday"):
        jobs.run_manual(desk.product, WHO, "everything")


def test_a_job_by_hand_with_nothing_to_do_says_so(desk):
    run = jobs.run_manual(desk.product, WHO, "ingest_intraday")
    assert (run.status, run.error) == (
        "skipped",
        "there is nothing to do: no symbol is followed or held",
    )


def test_old_runs_are_deleted_after_thirty_days(desk):
    desk.follow("AAPL")
    tick(desk)
    desk.pass_time(days=31)
    tick(desk)
    assert min(one.started_at for one in runs(desk)) == desk.clock.now()


def test_holdings_are_named_by_their_listing_and_lists_by_ticker(desk):
    desk.follow("AAPL", "MSFT")
    desk.hold("MSFT", "400")
    assert desk.do(followed_symbols) == ["AAPL", "MSFT"]
    assert desk.do(followed_names) == ["AAPL", "XNAS:MSFT"]
    assert desk.do(needed_pairs) == []


def begun(desk):
    """A run that a process began and never ended."""
    desk.follow("AAPL")
    due = next(one for one in jobs.due_jobs(desk.product, WHO) if one.job == "ingest_eod")
    return due, jobs.begin(desk.product, WHO, due)


def test_a_run_that_a_dead_process_left_is_ended_when_its_lease_is_over(desk):
    _, left = begun(desk)
    tick(desk)
    assert desk.do(lambda ctx: task_run.find_run(ctx, left.id)).status == "running"
    desk.clock.advance(seconds=LEASE.total_seconds())
    assert jobs.end_left_runs(desk.product, WHO, older_than=LEASE) == 1
    ended = desk.do(lambda ctx: task_run.find_run(ctx, left.id))
    assert (ended.status, ended.error) == ("failed", "its process ended in the middle")
    assert ended.finished_at == desk.clock.now()
    desk.clock.advance(seconds=6)
    tick(desk)
    again = desk.do(lambda ctx: task_run.find_run(ctx, left.id))
    assert (again.attempts, again.status) == (2, "ok")


def test_at_boot_nothing_of_an_embedded_desk_is_left_running(sqlite_url, tmp_path):
    desk = JobDesk(sqlite_url, tmp_path, OPEN_TIME)
    _, left = begun(desk)
    assert background.end_dead_jobs(desk.product) == 1
    assert background.end_dead_jobs(desk.product) == 0
    assert desk.do(lambda ctx: task_run.find_run(ctx, left.id)).status == "failed"
    desk.close()
