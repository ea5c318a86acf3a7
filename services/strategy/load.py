"""Owns loading a market for the rules: bars into tracks, kept and extended bar by bar."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from threading import RLock

from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.market.bar import Bar
from services.market.feed import COUNT_MAX, BarSeries, Feed
from services.market.fetching import read_ahead
from services.market.grid import MINUTES
from services.market.instrument import Instrument, tick_size
from services.market.quote import Provenance
from services.market.session import (
    find_last_session,
    next_session,
    sessions_between,
    trading_minutes,
)
from services.market.shown_bars import advised_bars, require_one_scale
from services.strategy.bar_text import bar_rows, require_sound, vwap_rows
from services.strategy.scene import MarketContext
from services.strategy.standing import Memo
from services.strategy.track import Track

TIMEFRAMES = ("5m", "15m", "60m", "1d", "1w")
_MONTHS_BACK = {"5m": 1, "15m": 1, "60m": 2, "1d": 36, "1w": 60}
"""Whole months before the current one: at least 20 sessions of minutes, 200 hours, 200 weeks."""
BAR_BYTES = 1_300
"""What a kept bar takes with its indicators; a symbol of liquid years is about 8 MB."""
MEMO_MAX = 2000
_BEFORE = 30
"""Good bars that a new one is held against: the last one, and the usual course."""
SESSION_MINUTES = 390


@dataclass(slots=True)
class Kept:
    """One track with what a citation of its bars needs; its hash goes on from bar to bar.

    `hashed` bars are in `rows` and `vwaps` so far; the others are added when a hash is asked for.
    """

    track: Track
    provider: str
    dataset: str
    provenance: str
    begins: date
    rows: hashlib._Hash
    vwaps: hashlib._Hash
    tail: bytes
    hashed: int = 0

    def push(self, bars: Sequence[Bar]) -> None:
        """Take more complete bars, ascending."""
        self.track.extend(bars)

    def _add_rows(self) -> None:
        fresh = self.track.bars[self.hashed :]
        if not fresh:
            return
        lead = "," if self.hashed else ""
        self.rows.update((lead + ",".join(bar_rows(fresh))).encode())
        self.vwaps.update("".join(vwap_rows(fresh)).encode())
        self.hashed += len(fresh)

    @property
    def bar_hash(self) -> str:
        """Return the tagged hash (`bars/v1`) of the track's bars, as `bar_hash` gives it."""
        with self.track.lock:
            self._add_rows()
            whole = self.rows.copy()
        whole.update(self.tail)
        return "sha256:" + whole.hexdigest()

    @property
    def store_key(self) -> str:
        """Return the key under which the bars are stored: their hash with that of their VWAPs."""
        with self.track.lock:
            return hashlib.sha256(self.bar_hash.encode() + self.vwaps.digest()).hexdigest()


@dataclass(slots=True)
class _Shelf:
    tracks: dict[str, Kept] = field(default_factory=dict)
    memo: Memo = field(default_factory=dict)
    anchor: date | None = None
    lock: RLock = field(default_factory=RLock)
    counted: int = 0


class TrackCache:
    """Tracks by tenant and listing, bounded in bars; each listing has a lock of its own."""

    def __init__(self) -> None:
        self._shelves: OrderedDict[tuple[str, str], _Shelf] = OrderedDict()
        self._bars = 0
        self._resting: tuple[datetime, TrackCache] | None = None
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._shelves)

    @property
    def bars(self) -> int:
        """Return how many bars are kept, as last counted."""
        return self._bars

    def resting(self, moment: datetime) -> TrackCache:
        """Return the tracks of the market as it stood at a moment; those of the last one stay."""
        with self._lock:
            if self._resting is None or self._resting[0] != moment:
                self._resting = (moment, TrackCache())
            return self._resting[1]

    def shelf(self, tenant: str, listing: str) -> _Shelf:
        """Return the shelf of a listing, the newest in use."""
        with self._lock:
            found = self._shelves.pop((tenant, listing), None) or _Shelf()
            self._shelves[(tenant, listing)] = found
        return found

    def trim(self, tenant: str, listing: str, *, memory_mb: int) -> None:
        """Count the bars of a listing anew; drop the least recently used beyond the memory.

        The newest one stays, whatever its size; a dropped one that is still read lives until then.
        """
        most = memory_mb * 1_000_000 // BAR_BYTES
        with self._lock:
            shelf = self._shelves.get((tenant, listing))
            if shelf is None:
                return
            count = sum(len(kept.track) for kept in tuple(shelf.tracks.values()))
            self._bars += count - shelf.counted
            shelf.counted = count
            while self._bars > most and len(self._shelves) > 1:
                _, dropped = self._shelves.popitem(last=False)
                self._bars -= dropped.counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A market context with the source of each track, the index's daily track, and the memo."""

    context: MarketContext
    instrument: Instrument
    sources: Mapping[str, Kept]
    market: Kept | None
    memo: Memo


def load(ctx: Context, symbol: str, timeframes: Sequence[str] = TIMEFRAMES) -> Loaded:
    """Return the tracks of a listing up to the feed's `as_of`, complete bars only.

    Each track begins at a fixed date (a number of months before the current one), so that every
    process has the same averages. With a `TrackCache` among the ports only new bars are asked for.
    A bar that can not be true is left out and is a finding; while it is the newest one, nothing is
    computed. A writing unit has whole histories read before it, so that no writer waits. Raises
    `DQ_BLOCK` then, what the feed raises, and `BAR_INVALID` for a series that is out of order.
    """
    key = ("tracks", symbol, tuple(timeframes))
    if ctx.db.writing and _is_cold(ctx, symbol, timeframes):
        with suppress(Refusal):
            read_ahead(ctx, key, lambda ahead: _load(ahead, symbol, timeframes))
    return _load(ctx, symbol, timeframes)


def _is_cold(ctx: Context, symbol: str, timeframes: Sequence[str]) -> bool:
    """Return whether whole histories have to be read and worked out for some timeframe."""
    cache = ctx.ports.get(TrackCache)
    if not isinstance(cache, TrackCache):
        return False
    feed = ctx.port(Feed)
    as_of, listing = feed.as_of(ctx), feed.instrument(ctx, symbol).id
    tracks = cache.shelf(ctx.principal.tenant_id, listing).tracks
    known = (tracks.get(name) for name in timeframes)
    return not all(
        one is not None and _goes_on(one, begins_on(name, as_of), as_of)
        for name, one in zip(timeframes, known, strict=True)
    )


def _load(ctx: Context, symbol: str, timeframes: Sequence[str]) -> Loaded:
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, symbol)
    cached = ctx.ports.get(TrackCache)
    cache = cached if isinstance(cached, TrackCache) else TrackCache()
    as_of, tenant, memory_mb = feed.as_of(ctx), ctx.principal.tenant_id, ctx.settings.track_cache_mb
    shelf = cache.shelf(tenant, instrument.id)
    with shelf.lock:
        anchor = date(as_of.year, as_of.month, 1)
        if shelf.anchor != anchor or len(shelf.memo) > MEMO_MAX:
            shelf.memo.clear()
            shelf.anchor = anchor
        sources = {
            name: _refreshed(ctx, shelf, instrument, name, as_of=as_of) for name in timeframes
        }
    cache.trim(tenant, instrument.id, memory_mb=memory_mb)
    market = _market(ctx, cache, instrument, as_of)
    newest = next((one.track.bars[-1].c for one in sources.values() if len(one.track)), None)
    if newest is None:
        raise refuse("INSUFFICIENT_BARS", indicator=f"a plan of {symbol}", need=80, have=0)
    require_one_scale(
        ctx, instrument, [one.track.bars[-1] for one in sources.values() if len(one.track)]
    )
    context = MarketContext(
        instrument_id=instrument.id,
        symbol=instrument.symbol,
        calendar=instrument.calendar,
        tick=tick_size(instrument, newest, as_of.date()),
        as_of=as_of,
        tracks={name: one.track for name, one in sources.items()},
        policy=ctx.policy.setups,
    )
    return Loaded(
        context=context, instrument=instrument, sources=sources, market=market, memo=shelf.memo
    )


def _market(
    ctx: Context, cache: TrackCache, instrument: Instrument, as_of: datetime
) -> Kept | None:
    """Return the daily track of the policy's index; None where the feed does not know it."""
    try:
        index = ctx.port(Feed).instrument(ctx, ctx.policy.confluence.benchmark)
        if index.calendar != instrument.calendar:
            return None
        shelf = cache.shelf(ctx.principal.tenant_id, index.id)
        with shelf.lock:
            kept = _refreshed(ctx, shelf, index, "1d", as_of=as_of)
        tenant, memory_mb = ctx.principal.tenant_id, ctx.settings.track_cache_mb
        cache.trim(tenant, index.id, memory_mb=memory_mb)
        return kept  # noqa: TRY300 - every way out of the index is here
    except Refusal as refusal:
        if refusal.code not in ("SYMBOL_UNKNOWN", "INSUFFICIENT_BARS"):
            raise
        return None


def begins_on(timeframe: str, as_of: datetime) -> date:
    """Return the date that a track begins on: the first of the month some months back.

    Worked: 5m at 2024-06-14 begins on 2024-05-01, 1d on 2021-06-01.
    """
    months = as_of.year * 12 + as_of.month - 1 - _MONTHS_BACK[timeframe]
    return date(months // 12, months % 12 + 1, 1)


def _refreshed(
    ctx: Context, shelf: _Shelf, instrument: Instrument, timeframe: str, *, as_of: datetime
) -> Kept:
    """Return the track with every bar that is complete by now; made anew when history changed."""
    kept = shelf.tracks.get(timeframe)
    begins = begins_on(timeframe, as_of)
    if kept is not None and _goes_on(kept, begins, as_of):
        if as_of < _next_close(instrument.calendar, kept):
            return kept
        count = _missing(instrument.calendar, kept, as_of)
        series = ctx.port(Feed).bars(ctx, instrument.id, timeframe, count)
        last = kept.track.bars[-1]
        same = next((at for at, bar in enumerate(series.bars) if bar == last), None)
        if same is not None:
            fresh = replace(series, bars=series.bars[same + 1 :])
            good = advised_bars(ctx, fresh, instrument, kept.track.bars[-_BEFORE:])
            require_sound([last, *good])
            kept.push(good)
            return kept
    count = _count(instrument.calendar, timeframe, begins, as_of.date())
    series = ctx.port(Feed).bars(ctx, instrument.id, timeframe, count)
    series = replace(series, bars=advised_bars(ctx, series, instrument))
    shelf.tracks[timeframe] = build_kept(series, instrument, begins=begins)
    shelf.memo.clear()
    return shelf.tracks[timeframe]


def _goes_on(kept: Kept, begins: date, as_of: datetime) -> bool:
    """Return whether a track is the start of what is asked; a provider's absence ends it."""
    bars = kept.track.bars
    whole = kept.begins == begins and kept.provenance != Provenance.SNAPSHOT
    return whole and bool(bars) and bars[-1].t_close <= as_of


def _next_close(calendar: str, kept: Kept) -> datetime:
    """Return the earliest moment at which another bar can be complete."""
    last, minutes = kept.track.bars[-1].t_close, MINUTES.get(kept.track.timeframe)
    session = find_last_session(calendar, last)
    if minutes is None or session is None or last >= session.close:
        session = next_session(calendar, last)
        return session.close if minutes is None else session.open + timedelta(minutes=minutes)
    return min(last + timedelta(minutes=minutes), session.close)


def _missing(calendar: str, kept: Kept, as_of: datetime) -> int:
    step = MINUTES.get(kept.track.timeframe, SESSION_MINUTES)
    passed = trading_minutes(calendar, kept.track.bars[-1].t_close, as_of)
    sessions = passed // 210 + 2
    return min(COUNT_MAX, passed // step + sessions + 2)


def _count(calendar: str, timeframe: str, first: date, last: date) -> int:
    """Return how many bars there are at most from `first` to `last`."""
    sessions = sessions_between(calendar, first, last)
    minutes = MINUTES.get(timeframe)
    if minutes is None:
        return max(1, len(sessions) if timeframe == "1d" else len(sessions) // 4 + 1)
    return min(COUNT_MAX, max(1, sum(-(-one.minutes // minutes) for one in sessions)))


def build_kept(series: BarSeries, instrument: Instrument, *, begins: date) -> Kept:
    """Return a new track of the series' bars from `begins` on."""
    bars = [bar for bar in series.bars if bar.complete]
    if bars and bars[0].t_open.date() < begins:
        bars = [bar for bar in bars if bar.t_open.date() >= begins]
    require_sound(bars)
    rows = hashlib.sha256(b'bars/v1\n{"bars":[')
    named = {"symbol": instrument.id, "timeframe": series.timeframe}
    tail = b"]," + json.dumps(named, separators=(",", ":")).encode()[1:]
    kept = Kept(
        track=Track(series.timeframe, instrument.calendar),
        provider=series.source,
        dataset=series.dataset or "bars",
        provenance=str(series.provenance),
        begins=begins,
        rows=rows,
        vwaps=hashlib.sha256(),
        tail=tail,
    )
    kept.push(bars)
    return kept
