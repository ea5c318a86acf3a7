"""Fast alerts and the trades that reach them: what the plain loop over exact prices finds."""

import json
from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from services.alerts.alert import Alert, AlertKind
from services.alerts.fast import FastWatch
from services.market.stream_decode import decode_frame

NOW = datetime(2027, 1, 12, 15, 0, tzinfo=UTC)
LEVELS = st.decimals("0.01", "12", places=2) | st.decimals("9", "11", places=17)
PRICES = st.decimals("0.01", "12", places=2) | st.decimals("9", "11", places=17)


def alert(at, symbol, level, side):
    kind = AlertKind.PRICE_ABOVE if side == "above" else AlertKind.PRICE_BELOW
    return Alert(
        id=f"al_{at}", user_id="u", symbol=symbol, listing="x", calendar="XNYS",
        kind=kind, side=side, level=level, ref_price=Decimal(10), created_at=NOW,
        watched_from=NOW, updated_at=NOW, last_close=Decimal(10), latency="fast",
    )  # fmt: skip


def frame(told):
    rows = [
        json.dumps({"ev": "T", "sym": symbol, "p": "@", "s": 1, "t": 1_768_230_000_000, "q": at})
        .replace('"@"', str(price))
        for at, (symbol, price) in enumerate(told)
    ]  # fmt: skip
    return decode_frame(f"[{','.join(rows)}]".encode(), NOW)


def plain(alerts, told):
    found, waiting = [], list(alerts)
    for symbol, price in told:
        reached = [one for one in waiting if one.symbol == symbol and one.rule.is_beyond(price)]
        waiting = [one for one in waiting if one not in reached]
        found += [(symbol, price, one.id) for one in reached]
    return sorted(found)


SYMBOLS = st.sampled_from("AB")
RULES = st.lists(st.tuples(SYMBOLS, LEVELS, st.sampled_from(["above", "below"])), max_size=12)


@given(RULES, st.lists(st.tuples(SYMBOLS, PRICES), min_size=1, max_size=20))
def test_streamed_trades_touch_what_the_plain_loop_over_exact_prices_finds(rules, told):
    alerts = [alert(at, *rule) for at, rule in enumerate(rules)]
    view = FastWatch()
    assert view.load(alerts) == len(alerts)
    trades = frame(told).trades
    assert len(trades) == len(told)
    near = [(one.symbol, one.price, one.ts) for one in view.near(trades)]
    found = [(one.symbol, one.price, one.alert_id) for one in view.touched(near)]
    assert sorted(found) == plain(alerts, told)


def test_a_price_that_only_its_float_brings_to_the_level_leaves_the_alert_waiting():
    level = Decimal("10.00000000000000001")
    view = FastWatch()
    view.load([alert(1, "A", level, "above")])
    assert view.touched([("A", Decimal(10), NOW)]) == []
    [touch] = view.touched([("A", level, NOW)])
    assert (touch.alert_id, touch.price) == ("al_1", level)
