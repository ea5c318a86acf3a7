"""Owns the tables of Tradier's forms and verdicts: pure, byte for byte."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.orders.broker import Accepted, Ambiguous, BrokerTotal, Change, NotSent, Rejected
from services.orders.executions import build_execution
from services.orders.order import OrderType, Side, Tif
from services.orders.order_client import UNSENT, Failure, Reply, build_outcome
from services.orders.tradier_answer import judge_cancel, judge_submit
from services.orders.tradier_seat import build_seat
from services.orders.tradier_ticket import (
    Leg,
    SpreadLeg,
    as_preview,
    build_change,
    build_multileg,
    build_oco,
    build_oto,
    build_otoco,
    build_single,
    leg_of,
)
from tests.conftest import NOW
from tests.fakes.tradier_broker import ANSWERS
from tests.unit.orders.test_order import ORDER

D = Decimal
CALL, PUT = "AAPL270115C00190000", "AAPL270115P00180000"
BUY = Leg(symbol="AAPL", side="buy", quantity=D(10), type="limit", price=D("190.10"))
TARGET = Leg(symbol="AAPL", side="sell", quantity=D(10), type="limit", price=D("200"))
STOP = Leg(symbol="AAPL", side="sell", quantity=D(10), type="stop", stop=D("187.10"))
OPTION = Leg(symbol="AAPL", side="buy_to_open", quantity=D(2), option_symbol=CALL)
SPREAD = (
    SpreadLeg(option_symbol=CALL, side="buy_to_open", quantity=D(1)),
    SpreadLeg(option_symbol=PUT, side="sell_to_open", quantity=D(1)),
)
HEAD = "class=equity&symbol=AAPL&side=buy&quantity=10"

AT_MARKET = "&type=market&duration=day&tag=t-1"

SINGLES = [
    (BUY, f"{HEAD}&type=limit&duration=day&price=190.1&tag=t-1"),
    (replace(BUY, type="market", price=None), f"{HEAD}&type=market&duration=day&tag=t-1"),
    (
        replace(BUY, type="stop", price=None, stop=D("191"), duration="gtc"),
        f"{HEAD}&type=stop&duration=gtc&stop=191&tag=t-1",
    ),
    (
        replace(BUY, type="stop_limit", stop=D("191")),
        f"{HEAD}&type=stop_limit&duration=day&price=190.1&stop=191&tag=t-1",
    ),
    (
        replace(BUY, symbol="BRK.B", duration="pre"),
        "class=equity&symbol=BRK%2FB&side=buy&quantity=10&type=limit&duration=pre&price=190.1&tag=t-1",
    ),
    (
        OPTION,
        f"class=option&symbol=AAPL&option_symbol={CALL}&side=buy_to_open&quantity=2{AT_MARKET}",
    ),
]


@pytest.mark.parametrize(("leg", "form"), SINGLES)
def test_a_single_order_has_these_bytes(leg, form):
    assert build_single(leg, "t-1") == form.encode()


def test_a_preview_is_the_same_form_with_one_word_more():
    assert as_preview(build_single(BUY, "t-1")) == build_single(BUY, "t-1") + b"&preview=true"


def test_a_spread_has_these_bytes():
    form = build_multileg("AAPL", SPREAD, "t-1", kind="debit", price=D("1.25"))
    assert form.decode() == (
        "class=multileg&symbol=AAPL&type=debit&duration=day&price=1.25"
        f"&option_symbol%5B0%5D={CALL}&side%5B0%5D=buy_to_open&quantity%5B0%5D=1"
        f"&option_symbol%5B1%5D={PUT}&side%5B1%5D=sell_to_open&quantity%5B1%5D=1&tag=t-1"
    )


def test_a_bracket_has_these_bytes():
    form = build_otoco(BUY, TARGET, STOP, "t-1").decode()
    assert form.replace("%5B", "[").replace("%5D", "]") == (
        "class=otoco&duration=day"
        "&symbol[0]=AAPL&side[0]=buy&quantity[0]=10&type[0]=limit&price[0]=190.1"
        "&symbol[1]=AAPL&side[1]=sell&quantity[1]=10&type[1]=limit&price[1]=200"
        "&symbol[2]=AAPL&side[2]=sell&quantity[2]=10&type[2]=stop&stop[2]=187.1&tag=t-1"
    )


def test_exits_that_outlive_the_entry_name_each_duration_and_no_common_one():
    exits = (replace(TARGET, duration="gtc"), replace(STOP, duration="gtc"))
    form = build_otoco(BUY, *exits, "t-1").decode()
    found = re.findall(r"duration(?:%5B(\d)%5D)?=(\w+)", form)
    assert found == [("0", "day"), ("1", "gtc"), ("2", "gtc")]


def test_groups_of_two_name_their_class():
    assert build_oco(TARGET, STOP, "t-1").startswith(b"class=oco&duration=day&symbol%5B0%5D=AAPL")
    assert build_oto(BUY, STOP, "t-1").startswith(b"class=oto&duration=day&symbol%5B0%5D=AAPL")


CHANGES = [
    (
        Change(type=OrderType.LIMIT, tif=Tif.DAY, limit_price=D("189.5")),
        "type=limit&duration=day&price=189.5",
    ),
    (
        Change(type=OrderType.STOP, tif=Tif.GTC, stop_price=D(188)),
        "type=stop&duration=gtc&stop=188",
    ),
    (
        Change(type=OrderType.STOP, tif=Tif.DAY, stop_price=D(191), limit_price=D(192)),
        "type=stop_limit&duration=day&price=192&stop=191",
    ),
]


@pytest.mark.parametrize(("change", "form"), CHANGES)
def test_a_change_has_these_bytes_and_no_quantity(change, form):
    assert build_change(change) == form.encode()


BAD_SINGLES = [
    (replace(BUY, symbol="aapl"), "symbol"),
    (replace(BUY, symbol="AAPL;DROP"), "symbol"),
    (replace(BUY, quantity=D(0)), "quantity"),
    (replace(BUY, quantity=D("1.5")), "quantity"),
    (replace(BUY, quantity=D(10_000_000)), "quantity"),
    (replace(BUY, price=None), "price"),
    (replace(BUY, type="market"), "price"),
    (replace(BUY, stop=D(1)), "stop"),
    (replace(BUY, price=D("190.105")), "price"),
    (replace(BUY, price=D("0.12345")), "price"),
    (replace(BUY, price=D(0)), "price"),
    (replace(BUY, price=D(-1)), "price"),
    (replace(BUY, side="buy_to_open"), "side"),
    (replace(BUY, type="market", price=None, duration="gtc"), "duration"),
    (replace(BUY, side="sell_short", duration="gtc"), "duration"),
    (replace(BUY, type="stop", price=None, stop=D(1), duration="post"), "type"),
    (replace(OPTION, side="buy"), "side"),
    (replace(OPTION, option_symbol="AAPL  270115C00190000"), "option_symbol"),
    (replace(OPTION, option_symbol="MSFT270115C00190000"), "option_symbol"),
    (replace(OPTION, option_symbol="AAPLX"), "option_symbol"),
    (replace(OPTION, type="limit", price=D(1), duration="post"), "duration"),
]


@pytest.mark.parametrize(("leg", "field"), BAD_SINGLES)
def test_an_order_outside_the_brokers_rules_is_refused_by_name(leg, field):
    with pytest.raises(Refusal) as refused:
        build_single(leg, "t-1")
    assert (refused.value.code, refused.value.facts["name"]) == ("PARAM_INVALID", field)


BAD_GROUPS = [
    lambda: build_otoco(replace(BUY, type="market", price=None), TARGET, STOP, "t"),
    lambda: build_otoco(BUY, replace(TARGET, quantity=D(9)), STOP, "t"),
    lambda: build_otoco(BUY, TARGET, replace(STOP, side="buy"), "t"),
    lambda: build_otoco(BUY, TARGET, replace(STOP, symbol="MSFT"), "t"),
    lambda: build_otoco(BUY, TARGET, replace(STOP, duration="gtc"), "t"),
    lambda: build_otoco(BUY, STOP, TARGET, "t"),
    lambda: build_otoco(BUY, replace(TARGET, price=D(180)), STOP, "t"),
    lambda: build_otoco(BUY, TARGET, replace(STOP, stop=D(191)), "t"),
    lambda: build_oto(replace(BUY, type="market", price=None), STOP, "t"),
    lambda: build_oco(TARGET, replace(TARGET, price=D(210)), "t"),
    lambda: build_oco(TARGET, replace(STOP, symbol="MSFT"), "t"),
    lambda: build_multileg("AAPL", SPREAD[:1], "t", kind="market"),
    lambda: build_multileg("AAPL", (SPREAD[0],) * 2, "t", kind="market"),
    lambda: build_multileg("AAPL", SPREAD, "t", kind="debit"),
    lambda: build_multileg("AAPL", SPREAD, "t", kind="even", price=D(1)),
    lambda: build_multileg("AAPL", SPREAD, "t", kind="market", duration="gtc"),
    lambda: build_multileg("MSFT", SPREAD, "t", kind="market"),
    lambda: build_change(Change(type=OrderType.MARKET, tif=Tif.DAY)),
    lambda: build_change(Change(type=OrderType.LIMIT, tif=Tif.DAY)),
]


@pytest.mark.parametrize("build", BAD_GROUPS)
def test_a_group_that_could_not_hold_is_refused(build):
    with pytest.raises(Refusal) as refused:
        build()
    assert refused.value.code == "PARAM_INVALID"


@given(st.text(max_size=300))
@example("a" * 255)
@example("a" * 256)
@example("cm-01jh8")
@example("cm_1")
@pytest.mark.fault("F058")
def test_a_tag_is_letters_digits_and_dashes_or_no_form_at_all(tag):
    legal = bool(re.fullmatch(r"[A-Za-z0-9-]{1,255}", tag, re.ASCII))
    try:
        form = build_single(BUY, tag)
    except Refusal:
        assert not legal
    else:
        assert legal
        assert form.endswith(f"&tag={tag}".encode())


# What a confirmed order becomes.

MARKET = replace(ORDER, type=OrderType.MARKET, limit_price=None, worst_price=D("192.01"))
CONFIRMED = [
    (ORDER, ("buy", "limit", D("190.10"), None)),
    (MARKET, ("buy", "limit", D("192.01"), None)),
    (
        replace(MARKET, type=OrderType.STOP, stop_price=D(191), worst_price=D("192.91")),
        ("buy", "stop_limit", D("192.91"), D(191)),
    ),
    (replace(MARKET, side=Side.SELL, worst_price=D(190)), ("sell", "market", None, None)),
    (
        replace(MARKET, side=Side.SELL, type=OrderType.STOP, stop_price=D(185)),
        ("sell", "stop", None, D(185)),
    ),
]


@pytest.mark.parametrize(("order", "said"), CONFIRMED)
def test_a_buy_never_leaves_without_the_price_that_was_confirmed(order, said):
    leg = leg_of(order)
    assert (leg.side, leg.type, leg.price, leg.stop) == said


# Verdicts.

ERRORS = sorted(
    {
        kind.__name__
        for kind in vars(httpx).values()
        if isinstance(kind, type) and issubclass(kind, (httpx.HTTPError, httpx.StreamError))
    }
)


@pytest.mark.parametrize("kind", [*ERRORS, "InvalidURL", "BodyTooLong", "Anything"])
@pytest.mark.parametrize("begun", [True, False])
@pytest.mark.fault("F043", "F044")
def test_only_a_failure_before_the_first_byte_proves_that_nothing_left(kind, begun):
    outcome = build_outcome(Failure(kind=kind, begun=begun), judge_submit)
    proved = kind in UNSENT and not begun
    assert isinstance(outcome, NotSent if proved else Ambiguous)


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=200) | st.sampled_from([body for _, _, body in ANSWERS.values()]),
)
@pytest.mark.fault("F041")
def test_no_answer_is_accepted_without_an_id_and_no_status_from_300_on_is(status, body):
    reply = Reply(status=status, content_type="", body=body)
    for judge in (judge_submit, judge_cancel):
        outcome = build_outcome(reply, judge)
        assert isinstance(outcome, (Accepted, Rejected, Ambiguous))
        if isinstance(outcome, Accepted):
            assert status < 300
            assert b'"id"' in body
        if isinstance(outcome, Rejected):
            assert status in (400, 401) or 200 <= status < 300


CANCELS = [
    (200, b'{"order":{"id":38453653,"status":"ok"}}', Accepted("38453653")),
    (
        400,
        b"order already in finalized state: canceled",
        Rejected("order already in finalized state: canceled"),
    ),
    (
        401,
        b"Unauthorized Account: VA00000000",
        Ambiguous("HTTP 401: Unauthorized Account: VA00000000"),
    ),
]


@pytest.mark.parametrize(("status", "body", "said"), CANCELS)
def test_a_cancel_means_what_was_measured(status, body, said):
    assert build_outcome(Reply(status=status, content_type="", body=body), judge_cancel) == said


# Accounts and counts.


@pytest.mark.parametrize(
    ("env", "number"),
    [("sandbox", "6YA00001"), ("production", "VA000001"), ("sandbox", ""), ("sandbox", "VA 1/..")],
)
@pytest.mark.fault("F059")
def test_an_account_of_the_other_environment_is_refused(env, number):
    with pytest.raises(Refusal) as refused:
        build_seat(env, number)
    assert refused.value.facts["name"] == "TRADIER_ACCOUNT_ID"


@pytest.mark.fault("F059")
def test_one_enum_decides_host_mode_and_label():
    sandbox, real = build_seat("sandbox", "VA000001"), build_seat("production", "6YA00001")
    assert (sandbox.host, sandbox.mode, sandbox.provenance) == (
        "https://sandbox.tradier.com",
        "paper",
        "SIMULATED",
    )
    assert (real.host, real.mode, real.provenance) == ("https://api.tradier.com", "live", "LIVE")
    assert sandbox.account_id == "tradier-VA000001"


def total(quantity, price):
    return BrokerTotal(quantity=D(quantity), price=D(price), at=NOW, provenance="LIVE")


def test_a_count_adds_the_difference_at_the_difference_of_the_money():
    made = build_execution("1", total(10, "190.06"), known_quantity=D(4), known_notional=D(760))
    assert (made.quantity, made.price) == (D(6), D("190.10"))


def test_an_older_count_adds_nothing():
    assert build_execution("1", total(4, "190"), known_quantity=D(4), known_notional=D(760)) is None
    assert build_execution("1", total(3, "190"), known_quantity=D(4), known_notional=D(760)) is None


@given(
    st.lists(
        st.tuples(st.integers(1, 5000), st.decimals("0.01", "9999", places=4)),
        min_size=1,
        max_size=8,
    )
)
@pytest.mark.fault("F046")
def test_counts_make_the_same_executions_for_whoever_reads_them(parts):
    quantity = notional = known = spent = D(0)
    for size, price in parts:
        quantity, notional = quantity + size, notional + size * price
        seen = BrokerTotal(
            quantity=quantity, price=round(notional / quantity, 8), at=NOW, provenance="LIVE"
        )
        made = build_execution("7", seen, known_quantity=known, known_notional=spent)
        again = build_execution("7", seen, known_quantity=known, known_notional=spent)
        assert made == again
        assert made.quantity == size
        known, spent = known + made.quantity, spent + made.quantity * made.price
    assert known == quantity
    assert abs(spent - notional) <= quantity * D("0.00000002")
