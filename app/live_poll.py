"""Owns asking the feed for what somebody follows: one reading unit, and only what is new of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from app.http.desk_frames import failed
from app.http.ws_frames import Price, encode
from app.live_frames import News, price_of, trades_bytes
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.market.believable import find_untrue
from services.market.feed import Feed
from services.market.quality_rule import Fault
from services.market.session import find_last_session
from services.market.shown_bars import last_known_price, shown_closes

CHUNK = 32
"""Symbols of one reading unit, well below the answers that a unit may wait for."""
_REST_ROUNDS = 10
"""Rounds that a refused symbol is left alone, so that it takes no requests from the others."""
Found = tuple[str, News]


@dataclass(slots=True)
class _Known:
    """What was told last of one symbol."""

    price: Price | None = None
    fault: str = ""
    rest: int = 0
    session: date | None = None
    looked: bool = False
    close_before: Decimal | None = None
    trades_until: datetime | None = None


@dataclass(slots=True)
class Watch:
    """What one tenant's readers were told; symbols that nobody follows are forgotten."""

    tenant_id: str
    _known: dict[str, _Known] = field(default_factory=dict)

    def keep(self, symbols: Collection[str]) -> None:
        """Forget every symbol that is not among `symbols`."""
        for symbol in [one for one in self._known if one not in symbols]:
            del self._known[symbol]

    def look(
        self,
        ctx: Context,
        symbols: Iterable[str],
        *,
        trading: Collection[str],
        untold: Collection[str],
    ) -> list[Found]:
        """Return what is new of `symbols`; prices of `untold` symbols also when they are the same.

        `trading` names the symbols whose trades are followed, from the first look on. A refusal of
        one symbol is told once and holds nothing else up. A unit that is begun again for an
        answer of the network changes nothing until it has come through.
        """
        found = []
        after: dict[str, _Known] = {}
        for symbol in symbols:
            known = after[symbol] = copy(self._known.get(symbol) or _Known())
            if known.rest:
                known.rest -= 1
                continue
            try:
                news = self._news(ctx, symbol, known, trading=symbol in trading)
            except Refusal as refusal:
                known.looked = True
                news = self._fault(refusal, symbol, known)
            if symbol in untold and not news.price and known.price is not None and not known.fault:
                news = News(self.tenant_id, encode(known.price), news.trades)
            if news.price or news.trades or news.fault:
                found.append((symbol, news))
        self._known.update(after)
        return found

    def _news(self, ctx: Context, symbol: str, known: _Known, *, trading: bool) -> News:
        feed = ctx.port(Feed)
        before = _close_before(ctx, symbol, known)
        quote = feed.quote(ctx, symbol)
        fault = find_untrue(quote, before)
        if fault is not None:
            raise untrue(symbol, fault)
        trades = self._trades(ctx, symbol, known) if trading else b""
        price = price_of(quote, before)
        if price == known.price and not known.fault:
            return News(self.tenant_id, b"", trades)
        known.price, known.fault = price, ""
        return News(self.tenant_id, encode(price), trades)

    def has_looked(self, symbol: str) -> bool:
        """Return whether the close before the newest session was asked for, there or not."""
        known = self._known.get(symbol)
        return known is not None and known.looked

    def close_before(self, symbol: str) -> Decimal | None:
        """Return the close before the newest session of a symbol that was looked at."""
        known = self._known.get(symbol)
        return None if known is None else known.close_before

    def _fault(self, refusal: Refusal, symbol: str, known: _Known) -> News:
        known.rest = _REST_ROUNDS
        if known.fault == refusal.code:
            return News(self.tenant_id)
        known.fault = refusal.code
        return News(self.tenant_id, fault=encode(failed(refusal, symbol)))

    def _trades(self, ctx: Context, symbol: str, known: _Known) -> bytes:
        feed = ctx.port(Feed)
        after, until = known.trades_until, feed.as_of(ctx)
        known.trades_until = until
        if after is None or until <= after:
            return b""
        ticks = feed.tape(ctx, symbol, after, until)
        return trades_bytes(symbol, ticks, provenance=feed.provenance.value, source=feed.name)


def untrue(symbol: str, fault: Fault) -> Refusal:
    """Return the `DQ_BLOCK` of a price that can not be true."""
    return refuse(
        "DQ_BLOCK",
        hint=f"{fault.detail}. Its price comes back by itself when the provider is right again.",
        checks=f"{symbol} {fault.code}",
    )


def _close_before(ctx: Context, symbol: str, known: _Known) -> Decimal | None:
    """Return the close of the session before the newest one; asked for once a session.

    Without it the last good price that is on record: a price is never told without what is known.
    """
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, symbol)
    session = find_last_session(instrument.calendar, feed.as_of(ctx))
    if session is not None and known.session != session.date:
        try:
            days = shown_closes(ctx, symbol, 2)
            known.session = session.date
        except Refusal:
            days = ()
        before = [bar.c for bar in days if bar.t_open < session.open]
        known.close_before = before[-1] if before else last_known_price(ctx, instrument)
    known.looked = True
    return known.close_before
