"""Owns the fast path: trades that touch an alert of latency `fast` tell it before its bar is done.

What is told is provisional. State and count of the alert change by complete bars only, so that
the events are those of the bars; the bar confirms the event under the same key.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts import store
from services.alerts.alert import Alert, AlertKind, to_seconds
from services.alerts.index import PriceIndex, units
from services.alerts.rule import AlertEvent
from services.alerts.telling import Origin, tell_provisional
from services.alerts.watch import is_frozen
from services.kit.context import Context
from services.kit.money import rounded
from services.market.feed import Feed
from services.market.session import market_state

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Touch:
    """A trade that reached the level of an alert."""

    alert_id: str
    symbol: str
    price: Decimal
    ts: datetime


class FastWatch:
    """The fast alerts of one tenant as an index; written and read from any thread.

    An alert is found once; it is found again after the next `load`, which follows its bars.
    """

    def __init__(self) -> None:
        self._index = PriceIndex()
        self._lock = threading.Lock()

    def load(self, alerts: Iterable[Alert]) -> int:
        """Take the armed price alerts of latency `fast` among `alerts`; return how many."""
        index = PriceIndex()
        for one in alerts:
            if is_fast(one):
                index.add(one.symbol, units(rounded(one.effective, 8)), one.side, one.id)
        with self._lock:
            self._index = index
        return len(index)

    def touched(self, trades: Iterable[tuple[str, Decimal, datetime]]) -> list[Touch]:
        """Return the alerts that trades `(symbol, price, time)` reach, each once."""
        found: list[Touch] = []
        with self._lock:
            for symbol, price, ts in trades:
                ids = self._index.crossed(symbol, units(price))
                found += [Touch(one, symbol, price, ts) for one in ids]
        return found


def is_fast(alert: Alert) -> bool:
    """Return whether trades may tell this alert: armed, by price, on touch, by the minute."""
    by_price = alert.kind in (AlertKind.PRICE_ABOVE, AlertKind.PRICE_BELOW)
    terms = alert.latency == "fast" and alert.basis == "touch" and alert.timeframe == "minute"
    return by_price and terms and alert.state == "armed"


def watched_fast(ctx: Context) -> list[Alert]:
    """Return the tenant's alerts for `FastWatch.load`."""
    return [one for one in store.watched(ctx) if is_fast(one)]


def tell_touch(ctx: Context, touch: Touch) -> bool:
    """Tell a touch as a provisional event; False when it was told, or does not hold any more.

    Only a trade of regular hours after the alert was set counts; its cooldown and expiry hold.
    """
    found = next(
        (one for one in store.watched(ctx, touch.symbol) if one.id == touch.alert_id), None
    )
    if found is None or not is_fast(found) or not _holds(ctx, found, touch):
        return False
    bar_open = touch.ts - timedelta(seconds=touch.ts.second, microseconds=touch.ts.microsecond)
    as_of, feed = max(ctx.port(Feed).as_of(ctx), touch.ts), ctx.port(Feed)
    event = AlertEvent(to_seconds(bar_open + _MINUTE), rounded(touch.price, 4), gap=False)
    origin = Origin("trades", str(feed.provenance), as_of)
    return tell_provisional(ctx, found, event, bar_open=bar_open, origin=origin)


def _holds(ctx: Context, alert: Alert, touch: Touch) -> bool:
    if not alert.rule.is_beyond(touch.price) or touch.ts < alert.seen_until:
        return False
    if alert.expires_at is not None and touch.ts > alert.expires_at:
        return False
    last, cooldown = alert.last_event_at, timedelta(seconds=alert.cooldown_s)
    if last is not None and touch.ts - last < cooldown:
        return False
    return market_state(alert.calendar, touch.ts).state == "open" and not is_frozen(ctx, alert)
