"""The eight detectors: what triggers each, its mirror, and that none looks ahead."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.errors import Refusal
from services.kit.policy import SetupPolicy
from services.market.bar import Bar
from services.market.grid import MINUTES, load_grid
from services.market.session import sessions_between
from services.strategy.detect import DETECTORS, Detection, detect, strongest
from services.strategy.scene import MarketContext
from services.strategy.setup import Setup
from services.strategy.track import Track
from services.strategy.view import View
from tests.unit.strategy.market_days import CALENDAR, CENT, build_context, mirrored, walk

DETECTOR = {one.id: one for one in DETECTORS}
LAST = date(2024, 6, 14)


def sessions(count: int) -> list:
    return sessions_between(CALENDAR, date(2022, 1, 3), LAST)[-count:]


def bar(window, o: float, h: float, l: float, c: float, v: float = 1000) -> Bar:  # noqa: E741
    prices = {name: D(repr(value)) for name, value in zip("ohlc", (o, h, l, c), strict=True)}
    return Bar(t_open=window.open, t_close=window.close, v=D(repr(v)), **prices)


def days(closes: list[float], spread: float = 1.0, volumes: list[float] | None = None) -> list[Bar]:
    rows, before = [], closes[0]
    for at, (session, close) in enumerate(zip(sessions(len(closes)), closes, strict=True)):
        top, bottom = max(before, close) + spread, min(before, close) - spread
        rows.append(bar(session, before, top, bottom, close, volumes[at] if volumes else 1000))
        before = close
    return rows


def intraday(count: int, step: int = 5) -> list[Bar]:
    """`count` quiet sessions around 100, each bar 0.10 wide."""
    rows = []
    for session in sessions(count):
        at = session.open
        while at < session.close:
            ends = min(at + timedelta(minutes=step), session.close)
            window = type(session)(session.date, at, ends, session.half_day)
            rows.append(bar(window, 100, 100.05, 99.95, 100))
            at = ends
    return rows


def changed(rows: list[Bar], at: int, *ohlcv: float) -> None:
    prices = {name: D(repr(value)) for name, value in zip("ohlc", ohlcv[:4], strict=True)}
    v = ohlcv[4] if len(ohlcv) > 4 else 1000
    rows[at] = replace(rows[at], v=D(repr(v)), **prices)


def context(tracks: dict[str, list[Bar]], as_of=None) -> MarketContext:
    newest = max(rows[-1].t_close for rows in tracks.values())
    return MarketContext(
        instrument_id="XNAS:TEST",
        symbol="TEST",
        calendar=CALENDAR,
        tick=CENT,
        as_of=as_of or newest,
        tracks={name: Track(name, CALENDAR, rows) for name, rows in tracks.items()},
        policy=SetupPolicy(),
    )


def only(name: str, tracks: dict[str, list[Bar]], side: str = "long") -> Setup:
    found = [one for one in detect(context(tracks), [DETECTOR[name]]).setups if one.side == side]
    assert len(found) == 1, found
    return found[0]


def opening_range_day() -> dict[str, list[Bar]]:
    rows = intraday(7)[: -78 + 5]
    first = len(rows) - 5
    for at in range(first, first + 3):
        changed(rows, at, 100, 100.5, 99.9, 100.2, 2000)
    changed(rows, first + 3, 100.2, 100.45, 100.1, 100.4, 2000)
    changed(rows, first + 4, 100.4, 100.8, 100.3, 100.7, 3000)
    return {"5m": rows, "1d": days([100.0] * 60)[:-1]}


def test_the_first_close_beyond_the_opening_range():
    found = only("orb", opening_range_day())
    assert (found.entry_kind, found.entry_lo) == ("stop", D("100.81"))
    assert (found.structure, found.invalidation.price) == (D("100.2"), D("100.2"))
    assert found.features["rvol_tod"] > D("1.2")
    session = sessions(1)[0]
    assert found.expires_at == session.open + timedelta(minutes=120)


def test_a_second_close_beyond_the_range_is_no_setup():
    tracks = opening_range_day()
    rows = tracks["5m"]
    changed(rows, len(rows) - 2, 100.2, 100.6, 100.1, 100.55, 2000)
    assert detect(context(tracks), [DETECTOR["orb"]]).setups == ()


def test_a_reclaim_of_vwap_with_the_days_trend():
    rows = intraday(6)[: -78 + 20]
    first = len(rows) - 20
    for at in range(first, first + 8):
        changed(rows, at, 101, 101.1, 100.9, 101)
    for at in range(first + 8, first + 19):
        changed(rows, at, 100, 100.1, 99.9, 100, 600)
    changed(rows, first + 19, 100.3, 101.2, 100.3, 101.1, 3000)
    rising = days([80 + 0.4 * n for n in range(80)])[:-1]
    found = only("vwap_reclaim", {"5m": rows, "1d": rising})
    assert found.entry_lo < found.entry_hi == D("101.1")
    assert found.structure == D("99.9")
    assert found.expires_at == sessions(1)[0].close


def test_a_pullback_to_the_average_in_a_trend():
    closes = [60 + 0.5 * n for n in range(115)]
    closes += [closes[-1] - 0.8 * n for n in range(1, 7)]
    rows = days(closes, 0.3)
    last = rows[-1]
    top = float(rows[114].c)
    changed(rows, 114, top - 0.5, top + 0.6, top - 0.8, top)
    base = float(last.c)
    changed(rows, len(rows) - 1, base, base + 1.8, base - 1.0, base + 1.5)
    weekly = days([40 + n for n in range(70)])[:-1]
    found = only("ema_pullback", {"1d": rows, "1w": weekly})
    assert (found.entry_kind, found.timeframe) == ("stop", "1d")
    assert found.entry_lo == rows[-1].h + CENT
    assert found.features["adx"] >= 20


def box() -> list[Bar]:
    closes = [100.0 + (0.5 if n % 2 else -0.5) for n in range(60)]
    rows = days([*closes, 104.0], 0.5, [*[1000.0] * 60, 2500.0])
    changed(rows, len(rows) - 1, 100.5, 104.2, 100.4, 104.0, 2500)
    return rows


def test_the_break_of_a_box_on_volume():
    found = only("range_breakout", {"1d": box()})
    assert (found.entry_kind, found.entry_lo) == ("limit", D(101))
    assert found.invalidation.price < found.entry_lo < found.entry_hi
    assert found.features["touches"] >= 2


@pytest.mark.parametrize(
    "last",
    [
        (100.5, 104.2, 100.4, 104.0, 1400),
        (100.5, 106.0, 100.4, 104.0, 2500),
        (100.5, 101.2, 100.4, 100.9, 2500),
    ],
)
def test_a_break_without_volume_or_close_is_none(last):
    rows = box()
    changed(rows, len(rows) - 1, *last)
    assert detect(context({"1d": rows}), [DETECTOR["range_breakout"]]).setups == ()


def test_averages_that_cross_by_the_day():
    closes = [100 - 0.2 * n for n in range(210)]
    while True:
        rows = days([*closes, closes[-1] + 2], 0.5)
        found = detect(context({"1d": rows}), [DETECTOR["ma_cross"]]).setups
        if found:
            break
        closes.append(closes[-1] + 2)
        assert len(closes) < 300
    assert (found[0].entry_kind, found[0].side) == ("market", "long")
    assert found[0].structure < found[0].trigger_price


def test_a_stretched_price_that_turns_targets_vwap():
    rows = intraday(6)[: -78 + 30]
    first = len(rows) - 30
    for at in range(first, first + 20):
        changed(rows, at, 100, 100.05, 99.95, 100, 5000)
    price = 100.0
    for at in range(first + 20, first + 29):
        changed(rows, at, price, price, price - 0.3, price - 0.3, 100)
        price -= 0.3
    price = round(price, 2)
    changed(rows, first + 29, price, price + 0.06, price - 0.02, price + 0.05, 100)
    flat = intraday(6, 15)[:-10]
    found = only("vwap_deviation", {"5m": rows, "15m": flat})
    assert found.target is not None
    assert found.structure < found.entry_lo < found.target
    assert found.features["sigmas"] >= 2


def test_a_wide_bar_on_exceptional_volume_beyond_yesterday():
    rows = intraday(3)[:-20]
    changed(rows, len(rows) - 1, 100, 102.0, 99.9, 101.9, 5000)
    daily = days([100.0] * 40, 0.5)[:-1]
    found = only("volume_spike", {"5m": rows, "1d": daily})
    assert (found.entry_lo, found.structure) == (D("102.01"), D("100.95"))
    assert found.features["rvol_bar"] == D(5)
    assert only_none("volume_spike", {"5m": rows, "1d": days([103.0] * 40, 0.5)[:-1]})


def only_none(name: str, tracks: dict[str, list[Bar]]) -> bool:
    return detect(context(tracks), [DETECTOR[name]]).setups == ()


def weeks(closes: list[float], spreads: list[float]) -> list[Bar]:
    grid = load_grid(CALENDAR, "1w", sessions(5 * len(closes) + 40)[0].open, sessions(1)[0].close)
    firsts = []
    for session in sessions(5 * len(closes) + 40):
        window = grid.find_window(session.open)
        if window not in firsts:
            firsts.append(window)
    rows, before = [], closes[0]
    for window, close, spread in zip(firsts[-len(closes) :], closes, spreads, strict=True):
        top, bottom = max(before, close) + spread, min(before, close) - spread
        whole = {"o": before, "h": top, "l": bottom, "c": close}
        rows.append(
            Bar(
                t_open=window.opens,
                t_close=window.closes,
                v=D(1000),
                **{k: D(repr(x)) for k, x in whole.items()},
            )
        )
        before = close
    return rows


def test_a_weekly_close_out_of_a_contraction():
    closes = [60 + n for n in range(40)] + [100.0 + 0.1 * (n % 2) for n in range(6)] + [101.0]
    rows = weeks(closes, [3.0] * 40 + [0.2] * 7)
    found = only("weekly_breakout", {"1w": rows, "1d": days([100.0] * 30)})
    assert (found.timeframe, found.entry_lo) == ("1w", D("100.1"))
    assert found.structure < found.entry_lo


@pytest.fixture(scope="module")
def market() -> tuple[list[Bar], list[Bar]]:
    bars = walk(7, date(2024, 1, 2), LAST)
    return bars, mirrored(bars)


def found_on(bars: list[Bar], step: int) -> list[Detection]:
    whole = build_context(bars, bars[-1].t_close)
    return [detect(replace(whole, as_of=one.t_close)) for one in bars[2000::step]]


def test_a_mirrored_market_has_the_same_setups_on_the_other_side(market):
    bars, turned = market
    here, there = found_on(bars, 3), found_on(turned, 3)
    count = 0
    for one, other in zip(here, there, strict=True):
        swap = {"long": "short", "short": "long"}
        seen = {(x.setup_id, x.timeframe, swap[x.side]): x for x in one.setups}
        assert seen.keys() == {(x.setup_id, x.timeframe, x.side) for x in other.setups}
        for mine in other.setups:
            source = seen[mine.setup_id, mine.timeframe, mine.side]
            assert abs(mine.entry_lo + source.entry_hi - 200) <= D("0.00001")
            assert abs(mine.structure + source.structure - 200) <= D("0.00001")
            assert mine.expires_at == source.expires_at
            count += 1
    assert count > 40


def test_no_detector_sees_a_later_bar(market):
    bars, _ = market
    whole = build_context(bars, bars[-1].t_close)
    for end in range(3000, len(bars), 613):
        as_of = bars[end - 1].t_close
        cut = build_context(bars[:end], as_of)
        assert detect(cut) == detect(replace(whole, as_of=as_of))


def test_a_view_refuses_what_lies_after_it(market):
    bars, _ = market
    track = Track("5m", CALENDAR, bars[:100])
    for ask in (lambda: View(track, "long", 101), lambda: View(track, "long", 50).close(-1)):
        with pytest.raises(Refusal) as caught:
            ask()
        assert caught.value.code == "LOOKAHEAD"
    assert View(track, "long", 50).close(50) is None


def test_opposite_sides_of_one_bar_are_both_dropped():
    tracks = {"1d": box()}
    both = [DETECTOR["range_breakout"], replace_side(DETECTOR["range_breakout"])]
    found = detect(context(tracks), both)
    assert (found.setups, found.flags) == ((), ("CONFLICTING_SETUPS",))


def replace_side(detector):
    """The same find from the other side: a rule that sees the long box from the short view."""

    def rule(scene, session):
        if scene.side == "long":
            return None
        twin = scene.context.scene("long", scene.bars.timeframe)
        return detector.rule(twin, session)

    return replace(detector, id="other", rule=rule)


def test_the_strongest_setup_of_a_side_names_the_others():
    tracks = {"1d": box()}
    first = only("range_breakout", tracks)
    other = replace(first, setup_id="ma_cross", timeframe="15m")
    scores = {"range_breakout": D("0.6"), "ma_cross": D("0.4")}
    best = strongest([other, first], lambda one: scores[one.setup_id])
    assert [(one.setup_id, one.supporting) for one in best] == [
        ("range_breakout", ("ma_cross 15m",))
    ]
    tied = strongest([first, other], lambda _: None)
    assert tied[0].setup_id == "ma_cross"


def test_a_setup_exists_once_under_its_key():
    tracks = {"1d": box()}
    one = only("range_breakout", tracks)
    assert one.key == only("range_breakout", tracks).key
    assert one.key != replace(one, side="short").key
    assert one.key != replace(one, version=2).key


def test_bars_lapse_in_trading_time():
    rows = intraday(3)[:-2]
    changed(rows, len(rows) - 1, 100, 102.0, 99.9, 101.9, 5000)
    tracks = {"5m": rows, "1d": days([100.0] * 40, 0.5)[:-1]}
    late = detect(context(tracks), [DETECTOR["volume_spike"]]).setups
    assert len(late) == 1
    session = sessions(1)[0]
    assert late[0].expires_at > session.close
    assert MINUTES["5m"] == 5
