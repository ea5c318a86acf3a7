"""The circuit breaker and the request budget: when a request may go out."""

import pytest

from services.market.breaker import Breaker
from services.market.budget import Budget


def broken(at=0.0):
    made = Breaker()
    for _ in range(5):
        made.note_failure(at)
    return made


def test_four_failures_in_a_row_leave_it_closed_and_the_fifth_opens():
    breaker = Breaker()
    for _ in range(4):
        breaker.note_failure(1.0)
        assert breaker.admits(1.0)
    breaker.note_failure(1.0)
    assert (breaker.state(1.0), breaker.admits(30.9), breaker.rests_for(11.0)) == (
        "open",
        False,
        20.0,
    )


def test_an_answer_between_failures_starts_the_count_again():
    breaker = Breaker()
    for _ in range(4):
        breaker.note_failure(1.0)
    breaker.note_answer()
    for _ in range(4):
        breaker.note_failure(2.0)
    assert breaker.state(2.0) == "closed"


def test_half_open_it_lets_one_request_through_until_that_has_ended():
    breaker = broken()
    assert breaker.state(30.0) == "half_open"
    assert [breaker.admits(30.0), breaker.admits(30.1), breaker.admits(59.9)] == [
        True,
        False,
        False,
    ]


def test_a_failed_try_opens_it_again_at_once():
    breaker = broken()
    assert breaker.admits(30.0)
    breaker.note_failure(31.0)
    assert (breaker.state(60.9), breaker.state(61.0)) == ("open", "half_open")


def test_a_try_that_went_well_closes_it():
    breaker = broken()
    assert breaker.admits(30.0)
    breaker.note_answer()
    assert (breaker.state(30.0), breaker.rests_for(30.0)) == ("closed", 0.0)


def test_a_try_that_never_ended_does_not_keep_it_shut_for_ever():
    breaker = broken()
    assert breaker.admits(30.0)
    assert breaker.admits(60.0)


def test_a_sliding_minute_holds_no_more_than_the_budget():
    budget = Budget(3)
    for at in (0.0, 10.0, 20.0):
        assert budget.wait_s(at) == 0
        budget.spend(at)
    assert (budget.used(20.0), budget.wait_s(20.0), budget.wait_s(59.0)) == (3, 40.0, 1.0)
    assert budget.wait_s(60.0) == 0
    budget.spend(60.0)
    assert budget.wait_s(60.0) == 10.0


def test_a_longer_wait_is_never_shortened_by_a_shorter_one():
    budget = Budget(3)
    budget.limit(30.0)
    budget.limit(10.0)
    assert (budget.wait_s(5.0), budget.limited_for(5.0)) == (25.0, 25.0)


@pytest.mark.parametrize(("now", "used"), [(10.0, 40), (49.9, 40), (50.0, 1), (60.0, 0)], ids=str)
def test_the_providers_count_holds_until_its_window_ends(now, used):
    budget = Budget(120)
    budget.spend(0.0)
    budget.note_quota(allowed=60, used=40, available=20, until=50.0)
    assert (budget.used(now), budget.allowed, budget.wait_s(now)) == (used, 60, 0)


def test_a_provider_that_allows_more_does_not_raise_the_own_budget():
    budget = Budget(60)
    budget.note_quota(allowed=500, used=0, available=500, until=50.0)
    assert budget.allowed == 60


def test_no_request_left_means_wait_until_the_window_ends():
    budget = Budget(120)
    budget.note_quota(allowed=120, used=120, available=0, until=50.0)
    assert (budget.wait_s(20.0), budget.wait_s(50.0)) == (30.0, 0)


def test_a_spare_part_of_the_budget_is_kept_for_what_is_more_urgent():
    budget = Budget(5)
    for at in (0.0, 1.0, 2.0, 3.0):
        budget.spend(at)
    assert (budget.wait_s(4.0), budget.wait_s(4.0, spare=1)) == (0, 56.0)
