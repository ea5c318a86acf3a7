"""Labels from raw bars: as if it had been live, and the shipped documents are made from them."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal as D  # noqa: N817 - tables of numbers read better short

import pytest

from services.kit.policy import DEFAULT_POLICY
from services.research.label import find_setups, label_history, labels_hash
from services.research.publish import PAGE, build_defaults, collect, labels_of, last_day, main
from services.research.raw_bars import build_tracks, bundled, folder
from services.strategy.documents import DEFAULTS, shipped_documents
from tests.conftest import SHARED, absent


@pytest.fixture(scope="module")
def apple():
    return next(one for one in bundled() if one.symbol == "AAPL")


def cut(history, count):
    bars = {"1d": history.bars["1d"][:count]}
    return build_tracks(replace(history, bars=bars, tracks={}))


@pytest.fixture(scope="module")
def labelled(apple):
    return label_history(cut(apple, 1500), policy=DEFAULT_POLICY)


def test_a_setup_is_found_from_the_bars_before_it_alone(apple):
    whole = [setup.key for _, setup in find_setups(cut(apple, 900), policy=DEFAULT_POLICY)]
    short = [setup.key for _, setup in find_setups(cut(apple, 700), policy=DEFAULT_POLICY)]
    end = cut(apple, 700).bars["1d"][-1].t_close
    known = [
        setup.key
        for _, setup in find_setups(cut(apple, 900), policy=DEFAULT_POLICY)
        if setup.trigger_ts <= end
    ]
    assert len(short) > 10
    assert short == known
    assert len(set(whole)) == len(whole)


def test_planted_future_bars_change_no_label_that_had_ended(apple, labelled):
    history = cut(apple, 1500)
    at = 1200
    ends = history.bars["1d"][at - 1].t_close
    planted = [
        replace(bar, o=bar.o * 9, h=bar.h * 9, l=bar.l * 9, c=bar.c * 9)
        for bar in history.bars["1d"][at:]
    ]
    bars = {"1d": [*history.bars["1d"][:at], *planted]}
    other = label_history(
        build_tracks(replace(history, bars=bars, tracks={})), policy=DEFAULT_POLICY
    )

    def ended(found):
        margin = ends - timedelta(days=21)
        return [one for one in found.labels if one.trigger_ts < margin]

    assert len(ended(labelled)) > 40
    assert ended(other) == ended(labelled)


def test_every_setup_has_a_label_or_a_reason(apple, labelled):
    found = list(find_setups(cut(apple, 1500), policy=DEFAULT_POLICY))
    assert len(found) == len(labelled.labels) + sum(labelled.left_out.values())
    for one in labelled.labels:
        assert one.trigger_ts < one.ended_at <= one.trigger_ts + timedelta(days=21)
        assert one.won == (one.r >= 1)
        assert one.mfe_free_r >= 0


def test_prices_before_a_split_are_in_todays_terms_and_so_is_a_cent(apple):
    first, last = apple.bars["1d"][0], apple.bars["1d"][-1]
    assert apple.tick_on(first.t_open.date()) == D("0.0025")
    assert apple.tick_on(last.t_open.date()) == D("0.01")
    assert float(first.c) == pytest.approx(130.31 / 4)


def test_the_shipped_documents_are_made_of_the_bundled_history():
    sources = collect(bundled())
    assert DEFAULTS.read_bytes() == build_defaults(labels_of(sources), last_day(sources))
    keys = {key for _, key in shipped_documents()}
    assert "ema_pullback/1/long/swing" in keys


def test_labels_hash_tells_any_change(labelled):
    first = labelled.labels[0]
    changed = (replace(first, won=not first.won), *labelled.labels[1:])
    assert labels_hash(changed) != labels_hash(labelled.labels) == labels_hash(labelled.labels)


def test_a_folder_gives_days_hours_and_minutes_with_its_splits():
    path = SHARED / "marketdata" / "lean"
    if not path.is_dir():
        absent("marketdata", "../shared/marketdata is absent: long history not read")
    by_symbol = {one.symbol: one for one in folder(path)}
    apple = by_symbol["AAPL"]
    assert {"1d", "60m", "5m", "15m"} <= set(apple.bars)
    day = next(bar for bar in apple.bars["1d"] if bar.t_open.date().isoformat() == "2014-06-06")
    assert day.c == pytest.approx(D("645.57") / 28, abs=D("0.01"))
    assert by_symbol["FB"].bars["1d"][0].t_open.date().isoformat() == "2012-05-18"


def test_the_published_figures_meet_their_goal_and_say_where_there_is_no_edge():
    page = PAGE.read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| all setups before"))
    n, _, score, base, _, ece, *_ = (cell.strip() for cell in row.strip("| ").split("|")[1:])
    assert int(n) > 2000
    assert D(score) < D(base)
    assert D(ece) <= D("0.05")
    assert {"no edge", "not enough data"} <= {line.split("|")[-2].strip()
                                              for line in page.splitlines() if "|" in line}  # fmt: skip
    assert page.count("rejected: the score tells nothing here") == 5


@pytest.mark.prove
def test_the_published_page_is_made_again_byte_for_byte(capsys):
    if not (SHARED / "marketdata" / "lean").is_dir():
        absent("marketdata", "../shared/marketdata is absent: the page is not made again")
    assert PAGE.exists()
    assert main(["--check"]) == 0, capsys.readouterr().out
