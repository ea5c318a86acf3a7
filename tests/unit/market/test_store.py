"""The price store: written once, corrected by versions, and blind to whatever came later."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as h_settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.money import FxRate, decimal_text
from services.market.feed import Feed
from services.market.quote import Provenance
from services.market.rates import last_rate, record_rate
from services.market.store import PricePoint, last_price, price_window, record_price, record_prices
from tests.conftest import build_runtime
from tests.fakes.hand_feed import HandFeed

T0 = datetime(2027, 1, 12, 14, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHO = system_principal("t_owner")


def point(minute, price, *, kind="intraday", volume=None, known=None, listing="XNAS:AAPL"):
    return PricePoint(
        listing,
        T0 + timedelta(minutes=minute),
        Decimal(price),
        "USD",
        Provenance.LIVE,
        "massive",
        kind,
        None if volume is None else Decimal(volume),
        None if known is None else T0 + timedelta(minutes=known),
    )


@pytest.fixture
def feed():
    return HandFeed()


@pytest.fixture
def run(database_url, clock, settings, feed):
    database = Database(database_url)
    runtime = build_runtime(database, clock, settings)
    runtime = replace(runtime, ports={**runtime.ports, Feed: feed})
    yield lambda act: runtime.write(WHO, act)
    runtime.close()


def test_the_same_price_is_stored_once(run):
    assert run(lambda ctx: record_price(ctx, point(1, "190.10")))
    assert not run(lambda ctx: record_price(ctx, point(1, "190.10")))
    assert not run(lambda ctx: record_price(ctx, point(1, "190.1000")))
    assert len(run(lambda ctx: price_window(ctx, "XNAS:AAPL", T0, T0 + HOUR))) == 1


def test_both_kinds_of_a_time_are_kept_apart(run):
    run(lambda ctx: record_prices(ctx, (point(1, "190"), point(1, "191", kind="day"))))
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL", kind="day")).price == 191
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL", kind="intraday")).price == 190
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL")).price == 190


def test_a_correction_is_a_version_that_the_past_does_not_see(run):
    run(lambda ctx: record_price(ctx, point(1, "190", known=1)))
    assert run(lambda ctx: record_price(ctx, point(1, "191", known=10)))
    seen = [
        run(lambda ctx, at=minute: last_price(ctx, "XNAS:AAPL", T0 + timedelta(minutes=at))).price
        for minute in (1, 9, 10, 20)
    ]
    assert seen == [190, 190, 191, 191]
    assert not run(lambda ctx: record_price(ctx, point(1, "191", known=20)))


def test_a_correction_never_becomes_known_before_what_it_corrects(run):
    run(lambda ctx: record_price(ctx, point(1, "190", known=10)))
    run(lambda ctx: record_price(ctx, point(1, "191", known=5)))
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL", T0 + timedelta(minutes=9))) is None
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL", T0 + timedelta(minutes=10))).price == 191


def test_planted_future_rows_never_appear(run, feed):
    run(lambda ctx: record_prices(ctx, (point(1, "190", known=1), point(90, "999", known=90))))
    run(lambda ctx: record_price(ctx, point(2, "998", known=95)))
    late = T0 + timedelta(days=1)
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL", late)).price == 190
    assert [one.price for one in run(lambda ctx: price_window(ctx, "XNAS:AAPL", T0, late))] == [190]
    feed.advance(minutes=60)
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL", late)).price == 999
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL", T0 + timedelta(minutes=94))).price == 999


def test_a_point_of_now_is_known_now(run, feed):
    run(lambda ctx: record_price(ctx, point(1, "190")))
    stored = run(lambda ctx: last_price(ctx, "XNAS:AAPL"))
    assert (stored.known_at, stored.provenance, stored.source) == (feed.time, "LIVE", "massive")
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL", T0 + timedelta(minutes=5))) is None


def test_another_round_of_the_replay_starts_without_prices(run, feed):
    run(lambda ctx: record_price(ctx, point(1, "190")))
    feed.turn = 1
    assert run(lambda ctx: last_price(ctx, "XNAS:AAPL")) is None
    assert run(lambda ctx: record_price(ctx, point(1, "190")))


def test_a_price_of_zero_can_not_be_stored(run):
    with pytest.raises(IntegrityError):
        run(lambda ctx: record_price(ctx, point(1, "0")))


def test_another_tenant_sees_no_price(run, database_url, clock, settings):
    run(lambda ctx: record_price(ctx, point(1, "190", known=1)))
    other = build_runtime(Database(database_url), clock, settings)
    other = replace(other, ports={**other.ports, Feed: HandFeed()})
    found = other.read(system_principal("t_other"), lambda ctx: last_price(ctx, "XNAS:AAPL"))
    other.close()
    assert found is None


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(["1", "2", "3"]), st.integers(0, 20)),
        max_size=12,
    )
)
@h_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_read_of_a_window_equals_a_fold_over_what_was_known(tables, writes):
    """The versions of a time ascend by arrival; a read sees the last one known by then."""
    writes = sorted(writes, key=lambda write: write[2])
    tables.listing += 1
    listing = f"XNAS:S{tables.listing}"
    for minute, price, known in writes:
        one = point(minute, price, known=max(minute, known), listing=listing)
        tables.run(lambda ctx, one=one: record_price(ctx, one))
    for at in (0, 3, 7, 20):
        expected = {m: p for m, p, known in writes if max(m, known) <= at and m <= at}
        until = T0 + timedelta(minutes=at)
        found = tables.run(
            lambda ctx, until=until: price_window(ctx, listing, T0, T0 + HOUR, at=until)
        )
        seen = {(one.ts - T0) // timedelta(minutes=1): decimal_text(one.price) for one in found}
        assert seen == expected


@pytest.fixture
def tables(runtime):
    runtime = replace(runtime, ports={**runtime.ports, Feed: HandFeed()})
    return SimpleNamespace(run=lambda act: runtime.write(WHO, act), listing=0)


def rate(value):
    return FxRate("GBP", "USD", Decimal(value))


def test_a_rate_is_stored_once_and_corrected_by_a_version(run):
    def keep(value, known):
        return run(
            lambda ctx: record_rate(
                ctx,
                rate(value),
                T0,
                provenance=Provenance.EOD,
                source="massive",
                known_at=T0 + timedelta(minutes=known),
            )
        )

    assert [keep("1.27", 0), keep("1.27", 5), keep("1.28", 10)] == [True, False, True]
    at = [
        run(lambda ctx, m=m: last_rate(ctx, "GBP", "USD", T0 + timedelta(minutes=m)))
        for m in (0, 9, 10)
    ]
    assert [one.rate.rate for one in at] == [Decimal("1.27"), Decimal("1.27"), Decimal("1.28")]


def test_the_inverse_of_a_rate_is_never_made_up(run):
    run(lambda ctx: record_rate(ctx, rate("1.27"), T0, provenance=Provenance.EOD, source="massive"))
    assert run(lambda ctx: last_rate(ctx, "USD", "GBP")) is None
