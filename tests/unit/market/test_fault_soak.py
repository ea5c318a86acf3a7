"""Ten minutes of a market at a vendor that fails in every known way: the store ends up true."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from services.identity.user import open_tenant, open_user
from services.kit.clock import HandClock
from services.kit.context import SCOPES, Principal, Surface, system_principal
from services.kit.errors import Refusal
from services.kit.http import HttpLimits
from services.kit.work import Runtime
from services.market.feed import Feed
from services.market.fetching import FetchingRuntime
from services.market.freeze import active_freezes, clear_freeze
from services.market.ingest import ingest_intraday
from services.market.massive import MassiveFeed
from services.market.quality import look
from services.market.quality_tables import dq_findings
from services.market.store import price_window
from services.market.store_bars import stored_bars
from services.market.tables import dq_snapshots
from services.trade.tables import trade_advice
from services.trade.user_plan import PlanAsk, check_plan
from tests.conftest import SHARED
from tests.fakes.massive_server import Fault, MassiveServer
from tests.fakes.minute_days import Minute, MinuteDay, bundled_day, shared_day

MINUTES = {"recorded": 10, "bundled": 3}
STEP_S = 10
SHARE = 0.05
WIRE = tuple(one for one in Fault if one not in (Fault.SILENCE, Fault.DENIED_403))
"""A denial is remembered for an hour, so it comes at the end; silence costs real time."""
OWNER = Principal(tenant_id="t_soak", user_id="u_soak", surface=Surface.API, scopes=SCOPES)
Row = dict[str, Any]


def scaled(factor: str) -> Callable[[Row, datetime], Row]:
    def bend(row: Row, _: datetime) -> Row:
        quote, trade = dict(row["lastQuote"]), dict(row["lastTrade"])
        for side in ("p", "P"):
            quote[side] = float(Decimal(str(quote[side])) * Decimal(factor))
        trade["p"] = float(Decimal(str(trade["p"])) * Decimal(factor))
        return {**row, "lastQuote": quote, "lastTrade": trade}

    return bend


def crossed(row: Row, _: datetime) -> Row:
    quote = row["lastQuote"]
    return {**row, "lastQuote": {**quote, "p": quote["P"] + 0.05, "P": quote["p"]}}


def aged(by: timedelta) -> Callable[[Row, datetime], Row]:
    def bend(row: Row, now: datetime) -> Row:
        at = nanos(now + by)
        quote, trade = {**row["lastQuote"], "t": at}, {**row["lastTrade"], "t": at}
        return {**row, "lastQuote": quote, "lastTrade": trade, "updated": at}

    return bend


def negative(row: Row, _: datetime) -> Row:
    return {**row, "lastTrade": {**row["lastTrade"], "p": -1.0}}


def empty(row: Row, _: datetime) -> Row:
    return {name: value for name, value in row.items() if name != "lastQuote"}


BENT: dict[str, tuple[Callable[[Row, datetime], Row], frozenset[str]]] = {
    "x100": (scaled("100"), frozenset({"DQ_SCALE_SUSPECT"})),
    "/100": (scaled("0.01"), frozenset({"DQ_SCALE_SUSPECT"})),
    "x10": (scaled("10"), frozenset({"DQ_JUMP"})),
    "crossed": (crossed, frozenset({"DQ_CROSSED"})),
    "yesterday": (aged(-timedelta(days=1)), frozenset({"DQ_STALE", "DQ_OUT_OF_ORDER"})),
    "future": (aged(timedelta(hours=1)), frozenset({"DQ_FUTURE_TS"})),
    "negative": (negative, frozenset({"DQ_NONPOSITIVE", "DQ_MISSING"})),
    "no quote": (empty, frozenset({"DQ_MISSING"})),
}
"""What the vendor says wrongly, and the findings of which one must tell it."""


def nanos(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000


@dataclass
class Soak:
    """The product's ingest beside a vendor, in virtual time."""

    server: MassiveServer
    clock: HandClock
    runtime: Runtime
    day: MinuteDay
    source: random.Random
    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    unfound: list[str] = field(default_factory=list)
    wrong: list[tuple[str, Decimal]] = field(default_factory=list)
    forced: list[str] = field(default_factory=list)
    advised: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    cleared: int = 0

    @property
    def symbols(self) -> list[str]:
        return sorted(self.day.minutes)

    def publish(self) -> None:
        """Let the vendor know the market up to now: closed minutes, and the newest quote."""
        now = self.clock.now()
        for symbol, minutes in self.day.minutes.items():
            closed = [one for one in minutes if one.closes <= now]
            self.server.bars[symbol, "1minute"] = [wire_bar(one) for one in closed]
            self.server.snapshots[symbol] = wire_snapshot(closed[-1], now - timedelta(seconds=1))

    def bend(self, symbol: str) -> tuple[str, Decimal] | None:
        """Perhaps make the vendor say something wrong about a symbol; return what."""
        drawn = (one for one in BENT if self.source.random() < SHARE)
        name = self.forced.pop(0) if self.forced else next(drawn, None)
        if name is None:
            return None
        row = BENT[name][0](self.server.snapshots[symbol], self.clock.now())
        self.server.snapshots[symbol] = row
        self.planted[name] += 1
        return name, Decimal(str(row["lastTrade"]["p"]))

    def break_wire(self) -> None:
        """Perhaps let the vendor's next answers fail on the way, each kind on its own."""
        self.server.planned.clear()
        for fault in WIRE:
            if self.source.random() < SHARE:
                self.planted[fault.name] += 1
                prefix = self.source.choice(("/v2/snapshot", "/v2/aggs"))
                self.server.fault(prefix, fault, times=self.source.randint(1, 3))

    def step(self, *, calm: bool = False) -> None:
        """Pass ten seconds: the vendor moves on, fails, is asked, judged, and advised from."""
        self.clock.advance(seconds=STEP_S)
        self.publish()
        whole = calm or bool(self.forced)
        bent = {} if calm else {one: said for one in self.symbols if (said := self.bend(one))}
        self.server.planned.clear()
        if not whole:
            self.break_wire()
        for symbol in self.symbols:
            self.runtime.write(
                system_principal(OWNER.tenant_id),
                lambda ctx, one=symbol: ingest_intraday(ctx, [one]),
            )
        self.server.planned.clear()
        for symbol in self.symbols:
            self.judge(symbol, bent.get(symbol))
            self.advise(symbol)
        self.person_clears()

    def judge(self, symbol: str, bent: tuple[str, Decimal] | None) -> None:
        """Look once more without wire faults: what was bent must be found as what it is."""
        self.clock.advance(seconds=2)
        found = self.runtime.write(OWNER, lambda ctx: look(ctx, [symbol]))[0]
        codes = {one.code for one in found.findings}
        if bent is None:
            return
        name, price = bent
        self.found[name] += bool(codes & BENT[name][1])
        if not codes & (BENT[name][1] | {"DQ_MISSING", "DQ_FORMAT"}):
            self.unfound.append(f"{symbol} {name}: {sorted(codes)}")
        if name in ("x100", "/100", "x10", "negative"):
            self.wrong.append((symbol, price))

    def advise(self, symbol: str) -> None:
        try:
            ask = PlanAsk(symbol=symbol, side="long", stop="3%")
            self.runtime.write(OWNER, lambda ctx: check_plan(ctx, ask))
        except Refusal as refusal:
            self.refused[refusal.code] += 1
        else:
            self.advised += 1

    def person_clears(self) -> None:
        """A person looks into what only a person may clear."""

        def act(ctx: Any) -> int:
            standing = [one for one in active_freezes(ctx) if not one.auto_clear]
            for one in standing:
                clear_freeze(ctx, one.id, "the vendor was wrong; the price is right again")
            return len(standing)

        self.cleared += self.runtime.write(OWNER, act)


def wire_bar(one: Minute) -> Row:
    prices = {name: float(getattr(one, name)) for name in "ohlc"}
    return {"t": int(one.opens.timestamp() * 1000), **prices, "v": float(one.v), "n": 3}


def wire_snapshot(one: Minute, at: datetime) -> Row:
    ts = nanos(at)
    return {
        "lastQuote": {"p": float(one.bid), "s": 3, "P": float(one.ask), "S": 4, "t": ts},
        "lastTrade": {"p": float(one.c), "s": 100, "t": ts, "c": [1]},
        "day": {"o": 1, "h": 2, "l": 1, "c": 2, "v": 3, "vw": 1},
        "updated": ts,
    }


@pytest.fixture
def day() -> MinuteDay:
    """Recorded minutes where they are at hand, else three minutes of the bundled replay."""
    folder = SHARED / "marketdata"
    return shared_day(folder) if folder.exists() else bundled_day()


@pytest.fixture
def soak(day: MinuteDay, runtime: Runtime):
    first = min(rows[0].opens for rows in day.minutes.values())
    clock = HandClock(first + timedelta(minutes=2))
    with MassiveServer(page_size=1000) as server:
        for symbol in day.minutes:
            server.list_ticker(symbol)
        limits = HttpLimits(attempts_max=1, backoff_s=0.0)
        feed = MassiveFeed(
            server.base_url, "good-key", clock, limits=limits, requests_minute=100_000
        )
        running = FetchingRuntime(
            runtime.database,
            clock,
            runtime.ids,
            runtime.settings,
            ports={**runtime.ports, Feed: feed},
        )
        running.write(system_principal(OWNER.tenant_id), lambda ctx: open_tenant(ctx, "Soak"))
        running.write(OWNER, lambda ctx: open_user(ctx, "soak", user_id=OWNER.user_id))
        yield Soak(server, clock, running, day, random.Random(20131004))
        feed.close()


def read(soak: Soak, table: Any) -> list[Any]:
    return soak.runtime.read(
        OWNER, lambda ctx: list(ctx.db.rows(select(table).order_by(table.c.at)))
    )


@pytest.mark.fault("F016")
@pytest.mark.fault("F018")
@pytest.mark.fault("F019")
def test_ten_minutes_of_every_fault_leave_a_true_store_and_no_bad_advice(soak: Soak):
    soak.step(calm=True)
    begun = soak.clock.now()
    lasts = timedelta(minutes=MINUTES[soak.day.source])
    while soak.clock.now() < begun + lasts:
        soak.step()
    rare = [name for name in BENT if soak.found[name] == 0]
    for name in rare:
        for _ in range(4):
            soak.clock.advance(seconds=30)
            soak.step(calm=True)
        soak.forced.append(name)
        soak.step()
    before = soak.advised
    for _ in range(8):
        soak.clock.advance(seconds=30)
        soak.step(calm=True)
    assert soak.advised - before >= 3 * len(soak.symbols), "advice came back by itself"

    soak.server.fault("/v2/snapshot", Fault.DENIED_403, times=1)
    soak.clock.advance(seconds=30)
    soak.publish()
    soak.advise(soak.symbols[0])
    soak.advise(soak.symbols[0])
    assert soak.refused["PROVIDER_NOT_ENTITLED"] == 2
    soak.clock.advance(hours=1)
    soak.publish()
    for _ in range(8):
        soak.step(calm=True)
    assert soak.advised - before >= 8 * len(soak.symbols), "a denial is no lasting outage"

    assert soak.unfound == []
    assert all(soak.found[name] for name in BENT), "every wrong saying has its finding"
    assert sum(soak.planted.values()) > 20
    assert set(soak.refused) == {"DQ_BLOCK", "PROVIDER_NOT_ENTITLED"}

    until = begun + lasts
    for symbol, minutes in soak.day.minutes.items():
        listing = f"XNAS:{symbol}"
        wanted = [one for one in minutes if one.closes <= until]
        stored = soak.runtime.read(
            OWNER,
            lambda ctx, one=listing, rows=wanted: stored_bars(ctx, one, "1m", rows[0].opens, until),
        )
        have = [
            (bar.t_open, bar.o, bar.h, bar.l, bar.c, bar.v)
            for bar in stored
            if bar.t_close <= until
        ]
        assert have == [(one.opens, one.o, one.h, one.l, one.c, one.v) for one in wanted]
        points = soak.runtime.read(
            OWNER,
            lambda ctx, one=listing, rows=wanted: price_window(
                ctx, one, rows[0].opens, soak.clock.now()
            ),
        )
        prices = {one.price for one in points}
        assert prices.isdisjoint(price for name, price in soak.wrong if name == symbol)

    green = {row.id: row.green for row in read(soak, dq_snapshots)}
    advice = read(soak, trade_advice)
    assert advice
    assert all(green[row.dq_snapshot_id] == 1 for row in advice)
    assert {row.code for row in read(soak, dq_findings)} >= {
        "DQ_SCALE_SUSPECT",
        "DQ_JUMP",
        "DQ_CROSSED",
    }
    assert soak.cleared > 0
