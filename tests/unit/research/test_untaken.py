"""Advice that was not taken: whose doing it was, and what its own levels came to, told apart."""

import random
from dataclasses import replace
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.db import Database
from services.market.feed import Feed
from services.market.quality import require_green
from services.orders.proposal import decline
from services.orders.refused import record_refused
from services.research.follow import follow_due
from services.research.untaken import Fate, read_untaken
from services.trade import advice
from tests.conftest import build_runtime
from tests.fakes.order_desk import OrderDesk
from tests.unit.research.test_follow import ENTERED, BarFeed, own_plan, plan_document, save_plan
from tools.wording.untaken import untaken_words

STOPPED = (ENTERED, (189, 189, 185, 186))


@pytest.fixture
def feed():
    return BarFeed()


@pytest.fixture
def desk(database_url, clock, settings, feed):
    database = Database(database_url)
    runtime = build_runtime(database, clock, settings)
    yield OrderDesk(replace(runtime, ports={**runtime.ports, Feed: feed}), feed)
    runtime.close()


def planned(desk, *refs):
    for ref in refs:
        desk.write(lambda ctx, ref=ref: save_plan(ctx, plan_document(ref)))


def fates(desk):
    found = desk.read(read_untaken)
    return {one.ref: (one.fate, one.why) for one in found.rows}, {
        one.fate: (one.n, one.ended, one.sum_r, one.mean_r) for one in found.sums
    }


def test_each_fate_is_told_with_its_reason_and_what_the_levels_came_to(desk, feed):
    planned(desk, "plan_a", "plan_b", "plan_c", "plan_d", "plan_e")
    declined = desk.propose(basis_ref="plan_a", quantity="1")
    desk.write(lambda ctx: decline(ctx, declined.id, "not in this market"))
    desk.propose(basis_ref="plan_b", quantity="2")
    wanted = {"basis_ref": "plan_c", "symbol": "AAPL", "side": "buy"}
    desk.write(lambda ctx: record_refused(ctx, "propose_order", "DAY_LOSS", wanted))
    desk.buy(basis_ref="plan_d", quantity="3")
    desk.work()
    desk.write(follow_due)
    waiting, _ = fates(desk)
    assert waiting == {
        "plan_a": (Fate.DECLINED, "not in this market"),
        "plan_c": (Fate.REFUSED, "DAY_LOSS"),
    }  # b still waits for its person, e for its entry

    feed.lay(*STOPPED)
    desk.runtime.clock.advance(minutes=30)
    desk.work()
    desk.write(follow_due)
    told, sums = fates(desk)
    assert told["plan_b"][0] is Fate.EXPIRED
    assert told["plan_e"] == (Fate.IGNORED, "")
    assert "plan_d" not in told
    assert sums[Fate.TAKEN] == (1, 1, D("-1.0000"), D("-1.0000"))
    assert {fate: one[0] for fate, one in sums.items()} == {
        Fate.TAKEN: 1, Fate.DECLINED: 1, Fate.EXPIRED: 1, Fate.REFUSED: 1, Fate.IGNORED: 1,
    }  # fmt: skip
    words = untaken_words(desk.read(read_untaken))
    assert "- refused: 1, 1 ended on replayed prices, -1.0000 R in all." in words
    assert "- AAPL long, declined (not in this market): stop, -1.000000 R." in words


def test_a_card_belongs_to_its_plan_through_the_size_and_to_own_levels_by_them(desk, feed):
    planned(desk, "plan_0123456789abcdef")

    def store(ctx):
        quality = require_green(ctx, ["AAPL"])
        own = own_plan(ctx)
        size = advice.save(
            ctx, "size", symbol="AAPL", document={"symbol": "AAPL", "quantity": "10"},
            quality=quality, inputs={"ask": {"plan_id": "plan_0123456789abcdef"}},
        )  # fmt: skip
        return own, size

    own, size = desk.write(store)
    for given in ({"basis_ref": size}, {"protective_stop": "186.00", "quantity": "7"}):
        card = desk.propose(**given)
        desk.write(lambda ctx, card=card: decline(ctx, card.id))
    feed.lay(*STOPPED)
    desk.write(follow_due)
    told, _ = fates(desk)
    assert {ref: fate for ref, (fate, _) in told.items()} == {
        own: Fate.DECLINED,
        "plan_0123456789abcdef": Fate.DECLINED,
    }


def test_what_was_wanted_is_kept_in_plain_values_only(desk):
    hostile = {"basis_ref": "x" * 41, "symbol": "A\nB", "side": ["buy"], "protective_stop": "1e9"}
    for wanted in (hostile, "[" * 9000, "null", '{"quantity": 3}', "{"):
        desk.write(lambda ctx, wanted=wanted: record_refused(ctx, "x", "ARGS_INVALID", wanted))
    assert [one["facts"] for one in desk.audited("proposal_refused")] == [
        {"code": "ARGS_INVALID"}
    ] * 5
    assert desk.read(read_untaken).rows == ()


def _naive(rows):
    """Follow a long limit at 190, stop 186, target 194, out after eight bars, with plain loops."""
    entered = False
    for at, (o, h, low, c) in enumerate(rows[:8]):
        if not entered and low <= 190:
            entered = True
        if not entered:
            continue
        if low <= 186:
            return (min(D(str(o)), D(186)) - 190) / 4
        if h >= 194:
            return (max(D(str(o)), D(194)) - 190) / 4
        if at == 7:
            return (D(str(c)) - 190) / 4
    return None


@pytest.mark.parametrize("seed", range(5))
def test_an_independent_recomputation_from_the_bars_is_equal(desk, feed, seed):
    dice, price, rows = random.Random(seed), 191.0, []
    for _ in range(9):
        close = round(price + dice.uniform(-1.8, 1.8), 2)
        high, low = max(price, close) + 0.25, min(price, close) - 0.25
        rows.append((round(price, 2), round(high, 2), round(low, 2), close))
        price = close
    planned(desk, "plan_a")
    feed.lay(*rows)
    desk.write(follow_due)
    (row,) = desk.read(read_untaken).rows
    expected = _naive(rows)
    assert row.fate is Fate.IGNORED
    assert row.r == (None if expected is None else round(expected, 6)), (rows, row)
