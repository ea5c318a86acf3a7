"""P6 and P7: one whole plan to its bytes and hash, cold and warm, and a scan after a new bar."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from services.kit.canonical import canonical
from services.kit.errors import Refusal
from services.kit.money import use_context
from services.kit.policy import DEFAULT_POLICY
from services.market.bar import Bar, resample
from services.market.feed import BarSeries
from services.market.instrument import Instrument
from services.market.quote import Provenance
from services.strategy.detect import detect
from services.strategy.load import Loaded, build_kept
from services.strategy.scene import MarketContext
from services.trade.compose import compose
from services.trade.idea import Idea, build_idea
from services.trade.plan_facts import bars_cited
from services.trade.plan_inputs import PlanInputs, QuoteFacts
from tests.bench.agent_loop import peer_python
from tests.bench.measure import ROOT, Outcome, Size, median, not_run, run_json
from tests.unit.strategy.market_days import CALENDAR, build_context, walk
from tests.unit.trade.plan_desk import LISTING, score_of

COUNT, SYMBOLS = 500, 500
TIMEFRAMES = ("5m", "15m", "1d")
COLD_GOAL, WARM_GOAL, SCAN_GOAL = 0.35, 1.5, 1.0
PEER = ROOT / "tests" / "bench" / "peers" / "peer_indicators.py"
BEGINS = date(2000, 1, 1)
LISTED = Instrument(
    id=LISTING.id, symbol=LISTING.symbol, name="Test", asset_class="equity", currency="USD",
    quote_unit="USD", price_scale=Decimal(1), lot_step=Decimal(1), min_quantity=Decimal(1),
    multiplier=Decimal(1), calendar=CALENDAR, shortable=True, tick_rule="us",
)  # fmt: skip
ONE_PLAN = "one plan, 3 timeframes x 500 bars, to bytes and hash"
SCAN = "scan of 500 symbols x 3 timeframes after a new bar"


@dataclass(frozen=True, slots=True)
class Market:
    """Bars by timeframe that end with a setup of 5-minute bars, and an empty context for them."""

    bars: dict[str, list[Bar]]
    context: MarketContext

    def load(self, *, without_last: int = 0) -> Loaded:
        """Return the market as the product loads it, of all bars but the last so many of each."""
        sources = {
            name: build_kept(_series(name, bars[: len(bars) - without_last]), LISTED, begins=BEGINS)
            for name, bars in self.bars.items()
        }
        tracks = {name: one.track for name, one in sources.items()}
        context = replace(self.context, tracks=tracks)
        return Loaded(context=context, instrument=LISTED, sources=sources, market=None, memo={})


def _series(timeframe: str, bars: list[Bar]) -> BarSeries:
    return BarSeries(
        symbol=LISTED.symbol, timeframe=timeframe, bars=tuple(bars), bar_hash="", source="bench",
        provenance=Provenance.SIMULATED, as_of=bars[-1].t_close,
    )  # fmt: skip


def build_market() -> Market:
    """Return a seeded market whose last bar triggers a setup that makes a plan."""
    use_context()
    fine = walk(0, date(2024, 4, 1), date(2024, 6, 14))
    days = walk(100, date(2022, 5, 2), date(2024, 6, 13), minutes=390, swing=0.02)[-COUNT:]
    wide = resample(fine, calendar=CALENDAR, from_tf="5m", to_tf="15m")
    empty = replace(build_context(fine[:78], fine[-1].t_close), tracks={})
    for end in range(len(fine), len(fine) - 1_200, -1):
        known, as_of = fine[:end], fine[end - 1].t_close
        bars = {
            "5m": known[-COUNT:],
            "15m": [bar for bar in wide if bar.t_close <= as_of][-COUNT:],
            "1d": [bar for bar in days if bar.t_close <= as_of],
        }
        made = Market(bars, replace(empty, as_of=as_of))
        if _plan(made.load()) is not None:
            return made
    raise RuntimeError("no plan in the seeded market")


def _plan(loaded: Loaded) -> bytes | None:
    """Return the bytes of the first plan, with every track it reads cited by its hash."""
    for setup in detect(loaded.context).setups:
        try:
            idea = build_idea(loaded.context, setup, policy=DEFAULT_POLICY.plan)
            return canonical(compose(_inputs(loaded, idea)).body)
        except Refusal:
            continue
    return None


def _inputs(loaded: Loaded, idea: Idea) -> PlanInputs:
    """Return the inputs of an idea just after its trigger, the market at the trigger's close."""
    setup, cent = idea.setup, Decimal("0.01")
    last = setup.trigger_price
    return PlanInputs(
        idea=idea, score=score_of(idea), style=idea.style, listing=LISTING, policy=DEFAULT_POLICY,
        quote=QuoteFacts(bid=last - cent, ask=last + cent, last=last, ts=setup.trigger_ts),
        as_of=setup.trigger_ts, citations=bars_cited(loaded, idea),
    )  # fmt: skip


def _cold(market: Market) -> Callable[[], object]:
    return lambda: _plan(market.load())


def _warm(market: Market) -> Callable[[], object]:
    """Return the plan at a new bar of every track; the tracks have answered one bar before."""
    loaded = _running(market)

    def run() -> None:
        _push(market, loaded, -1)
        if _plan(loaded) is None:
            raise RuntimeError("the market makes a plan")

    return run


def _running(market: Market) -> Loaded:
    """Return a market one bar before its end that was asked, has gone on, and was asked again."""
    loaded = market.load(without_last=2)
    _ask(loaded)
    _push(market, loaded, -2)
    _ask(loaded)
    return loaded


def _push(market: Market, loaded: Loaded, at: int) -> None:
    for name, kept in loaded.sources.items():
        kept.push((market.bars[name][at],))


def _ask(loaded: Loaded) -> None:
    """Read what a plan reads, at the newest bars that are there."""
    detect(loaded.context)
    for kept in loaded.sources.values():
        track = kept.track
        read = [track.swings, track.rsi, track.adx, track.atr, track.emas[20], track.emas[50]]
        if track.minutes is not None:
            read += [track.vwap[-1], track.rvol_tod[-1]]
        track.volatility_rank(len(track))
        if not kept.bar_hash or not all(read):
            raise RuntimeError("warm tracks have every value")


def _timed(build: Callable[[], Callable[[], object]], rounds: int) -> float:
    """Return the median milliseconds of runs that are each prepared anew."""
    took = []
    for _ in range(rounds):
        run = build()
        gc.collect()
        began = time.perf_counter()
        run()
        took.append((time.perf_counter() - began) * 1e3)
    return median(took)


def scan_ms(market: Market, symbols: int) -> float:
    """Return the milliseconds to take a new bar on every track and to ask every rule once."""
    markets = [_running(market) for _ in range(symbols)]
    gc.collect()
    began = time.perf_counter()
    for loaded in markets:
        _push(market, loaded, -1)
        detect(loaded.context)
    return (time.perf_counter() - began) * 1e3


def peers(market: Market, rounds: int, times: int) -> dict:
    """Return the seconds of the libraries that are installed on the same bars."""
    series = [
        {name: [float(getattr(bar, name)) for bar in bars] for name in "hlc"}
        for bars in market.bars.values()
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "asked.json"
        path.write_text(json.dumps({"series": series, "rounds": rounds, "times": times}))
        return run_json(PEER, path, python=peer_python())


def measure(size: Size) -> list[Outcome]:
    """Measure ours between two runs of the peers; what is not installed is not run."""
    market, small = build_market(), size.rounds == 1
    rounds, symbols = (2, 4) if small else (15, SYMBOLS)
    before = peers(market, rounds, symbols)
    cold, warm = _timed(lambda: _cold(market), rounds), _timed(lambda: _warm(market), rounds)
    scan = scan_ms(market, symbols)
    after = peers(market, rounds, symbols)
    best = {
        (name, part): 1e3 * min(before[name][part], after[name][part])
        for name in before
        for part in ("plan", "scan")
    }
    return [
        _line("P6", f"{ONE_PLAN}, cold", cold, ("pandas", best.get(("pandas", "plan"))), COLD_GOAL),
        _line("P6", f"{ONE_PLAN}, warm", warm, ("TA-Lib", best.get(("talib", "plan"))), WARM_GOAL),
        _line("P7", SCAN, scan, ("TA-Lib", best.get(("talib", "scan"))), SCAN_GOAL),
    ]


def _line(
    row: str, metric: str, ours: float, peer: tuple[str, float | None], goal: float
) -> Outcome:
    name, theirs = peer
    if theirs is None:
        return not_run(row, metric, f"{name} is not installed; ours {ours:.2f} ms")
    ratio = ours / theirs
    return Outcome(
        row, metric, f"{ours:.2f} ms", f"{name} indicators {theirs:.2f} ms", ratio,
        f"<= {goal}x", met=ratio <= goal,
        note="ours is the whole answer; the peer makes the indicators alone",
    )  # fmt: skip
