"""The replay clock: where it starts, how it runs, and that it never goes back."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from services import audit
from services.kit.clock import HandClock
from services.kit.context import SCOPES, Principal
from services.kit.db import Database
from services.kit.errors import Refusal
from services.market import replay
from services.market.replay_clock import locate
from tests.conftest import NOW, build_runtime

START = datetime(2012, 1, 3, 14, 31, tzinfo=UTC)
DAY_SECONDS = 390 * 60
ROUND_SECONDS = 6_776_940


@pytest.fixture
def both(database_url, clock, settings):
    """A runtime on each engine."""
    database = Database(database_url)
    yield build_runtime(database, clock, settings)
    database.close()


def opened(runtime, owner):
    return runtime.write(owner, replay.resume_at_boot)


def as_of(runtime, owner):
    return runtime.read(owner, replay.clock).as_of


def test_it_starts_at_the_second_minute_of_the_first_session_of_2012(both, owner):
    state = opened(both, owner)
    assert state.as_of == START
    assert state.session.open == START - timedelta(minutes=1)
    assert (state.paused, state.speed, state.round) == (False, 1, 0)


def test_it_runs_with_the_wall_clock_and_reading_writes_nothing(both, owner, clock):
    opened(both, owner)
    clock.advance(seconds=90.5)
    assert as_of(both, owner) == START + timedelta(seconds=90.5)
    assert as_of(both, owner) == START + timedelta(seconds=90.5)


def test_a_reader_before_the_first_write_sees_the_start_standing(runtime, owner, clock):
    assert as_of(runtime, owner) == START
    clock.advance(hours=1)
    assert as_of(runtime, owner) == START
    assert runtime.write(owner, replay.clock).as_of == START
    clock.advance(seconds=1)
    assert as_of(runtime, owner) == START + timedelta(seconds=1)


def test_it_is_the_same_within_one_unit_of_work(runtime, owner, clock):
    opened(runtime, owner)

    def twice(ctx):
        first = replay.clock(ctx)
        clock.advance(seconds=30)
        return first, replay.clock(ctx)

    first, second = runtime.read(owner, twice)
    assert first == second


def test_it_jumps_from_a_close_to_the_next_open(runtime, owner, clock):
    opened(runtime, owner)
    clock.advance(seconds=DAY_SECONDS - 60 - 1)
    assert as_of(runtime, owner) == datetime(2012, 1, 3, 20, 59, 59, tzinfo=UTC)
    clock.advance(seconds=1)
    assert as_of(runtime, owner) == datetime(2012, 1, 4, 14, 30, tzinfo=UTC)


def test_it_passes_a_weekend_and_a_half_day_without_losing_a_minute():
    friday = [n for n in range(400) if locate(n * DAY_SECONDS * 10**6)[1].date == date(2012, 1, 6)]
    moment, session, _ = locate((friday[0] + 1) * DAY_SECONDS * 10**6)
    assert session.date == date(2012, 1, 9)
    assert moment == session.open + timedelta(minutes=1)


def test_it_begins_again_when_the_data_end(runtime, owner):
    opened(runtime, owner)
    last, session, turn = locate(ROUND_SECONDS * 10**6 - 1)
    assert (session.date, turn) == (date(2013, 3, 1), 0)
    assert last == datetime(2013, 3, 1, 20, 59, 59, 999999, tzinfo=UTC)
    assert locate(ROUND_SECONDS * 10**6) == (START, locate(0)[1], 1)


@given(st.integers(0, 3 * ROUND_SECONDS * 10**6), st.integers(0, 10**12))
@hypothesis_settings(max_examples=200, deadline=None)
def test_market_time_is_inside_a_session_and_ascends_with_the_position(position, further):
    moment, session, turn = locate(position)
    assert session.open <= moment < session.close
    later, _, later_turn = locate(position + further)
    assert (turn, moment) <= (later_turn, later)


def test_a_paused_clock_stands_and_goes_on_from_there(both, owner, clock):
    opened(both, owner)
    clock.advance(seconds=10)
    assert both.write(owner, replay.pause).paused
    clock.advance(hours=5)
    assert as_of(both, owner) == START + timedelta(seconds=10)
    assert not both.write(owner, replay.resume).paused
    clock.advance(seconds=3)
    assert as_of(both, owner) == START + timedelta(seconds=13)


def test_a_step_moves_a_paused_clock_by_market_seconds(runtime, owner):
    opened(runtime, owner)
    runtime.write(owner, replay.pause)
    state = runtime.write(owner, lambda ctx: replay.step(ctx, DAY_SECONDS))
    assert state.as_of == datetime(2012, 1, 4, 14, 31, tzinfo=UTC)
    assert state.paused
    assert as_of(runtime, owner) == state.as_of


def test_another_speed_counts_from_now_on(runtime, owner, clock):
    opened(runtime, owner)
    clock.advance(seconds=10)
    runtime.write(owner, lambda ctx: replay.set_speed(ctx, 60))
    clock.advance(seconds=2)
    assert as_of(runtime, owner) == START + timedelta(seconds=130)


@pytest.mark.parametrize("value", [0, -1, 3601, True, 1.5, "10", None, 10**30])
def test_a_speed_out_of_range_is_refused(runtime, owner, value):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        runtime.write(owner, lambda ctx: replay.set_speed(ctx, value))


@pytest.mark.parametrize("value", [0, -5, 117_001, True, "60"])
def test_a_step_out_of_range_is_refused(runtime, owner, value):
    with pytest.raises(Refusal, match="PARAM_INVALID"):
        runtime.write(owner, lambda ctx: replay.step(ctx, value))


@pytest.mark.fault("F129")
def test_a_wall_clock_that_jumps_back_does_not_move_the_market_back(both, owner, clock):
    opened(both, owner)
    clock.advance(minutes=2)
    before = as_of(both, owner)
    clock.set(clock.now() - timedelta(hours=1))
    assert as_of(both, owner) == before
    assert both.write(owner, replay.clock).as_of == before
    clock.advance(seconds=5)
    assert as_of(both, owner) == before + timedelta(seconds=5)


def test_after_a_stop_it_goes_on_from_the_last_committed_moment(sqlite_url, owner, settings):
    first = HandClock(NOW)
    database = Database(sqlite_url)
    runtime = build_runtime(database, first, settings)
    opened(runtime, owner)
    first.advance(seconds=45)
    seen = runtime.write(owner, replay.clock).as_of
    first.advance(seconds=5)
    as_of(runtime, owner)
    database.close()

    later = HandClock(NOW + timedelta(days=3))
    again = Database(sqlite_url)
    restarted = build_runtime(again, later, settings)
    assert (
        restarted.write(owner, replay.resume_at_boot).as_of == seen == START + timedelta(seconds=45)
    )
    later.advance(seconds=1)
    assert as_of(restarted, owner) == seen + timedelta(seconds=1)
    again.close()


def test_a_paused_clock_stays_paused_over_a_restart(runtime, owner, clock):
    opened(runtime, owner)
    runtime.write(owner, replay.pause)
    clock.advance(days=1)
    state = opened(runtime, owner)
    assert (state.paused, state.as_of) == (True, START)


def test_a_step_that_is_rolled_back_has_not_happened(runtime, owner, clock):
    opened(runtime, owner)

    def fails(ctx):
        replay.step(ctx, 5000)
        raise KeyError

    with pytest.raises(KeyError):
        runtime.write(owner, fails)
    runtime.write(owner, replay.pause)
    assert as_of(runtime, owner) == START


def test_every_change_of_the_clock_is_in_the_audit_trail(runtime, owner):
    opened(runtime, owner)
    runtime.write(owner, replay.pause)
    runtime.write(owner, lambda ctx: replay.step(ctx, 60))
    runtime.write(owner, lambda ctx: replay.set_speed(ctx, 5))
    runtime.write(owner, replay.resume)
    events = runtime.read(owner, lambda ctx: audit.trail(ctx, "replay_clock"))
    assert [event.kind for event in events] == [
        "replay.booted",
        "replay.paused",
        "replay.stepped",
        "replay.speed_set",
        "replay.resumed",
    ]
    assert events[2].facts["as_of"] == "2012-01-03T14:32:00.000Z"
    assert runtime.read(owner, audit.verify).ok


def test_each_tenant_has_a_clock_of_its_own(both, owner, clock):
    stranger = Principal(tenant_id="t_other", user_id="u_other", scopes=SCOPES)
    opened(both, owner)
    opened(both, stranger)
    both.write(stranger, replay.pause)
    clock.advance(seconds=20)
    assert as_of(both, stranger) == START
    assert as_of(both, owner) == START + timedelta(seconds=20)


def test_a_new_clock_takes_its_speed_from_the_settings(database, clock, settings, owner):
    fast = settings.model_copy(update={"replay_speed": 60})
    runtime = build_runtime(database, clock, fast)
    opened(runtime, owner)
    clock.advance(seconds=1)
    assert as_of(runtime, owner) == START + timedelta(minutes=1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["pause", "resume", "step", "speed", "read", "boot", "rollback"]),
            st.integers(-7200, 7200),
        ),
        max_size=12,
    )
)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_order_of_commands_and_wall_jumps_moves_a_committed_market_time_back(
    runtime, owner, clock, moves
):
    acts = {
        "pause": replay.pause,
        "resume": replay.resume,
        "step": lambda ctx: replay.step(ctx, 777),
        "speed": lambda ctx: replay.set_speed(ctx, 30),
        "read": replay.clock,
        "boot": replay.resume_at_boot,
    }
    position = opened(runtime, owner).position_us
    for name, jump in moves:
        clock.set(clock.now() + timedelta(seconds=jump))
        if name == "rollback":
            with pytest.raises(KeyError):
                runtime.write(owner, lambda ctx: {}[replay.step(ctx, 5_000)])
            continue
        state = runtime.write(owner, acts[name])
        assert state.position_us >= position
        position = state.position_us
