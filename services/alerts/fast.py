"""Owns the fast path: trades that touch an alert of latency `fast` tell it before its bar is done.

What is told is provisional. State and count of the alert change by complete bars only, so that
the events are those of the bars; the bar confirms the event under the same key.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts import store
from services.alerts.alert import Alert, AlertKind, to_seconds
from services.alerts.index import PriceIndex, Side
from services.alerts.rule import AlertEvent
from services.alerts.telling import Origin, tell_provisional
from services.alerts.watch import is_frozen
from services.kit.context import Context
from services.kit.money import rounded
from services.market.doubt import is_plausible
from services.market.feed import Feed
from services.market.session import market_state
from services.market.stream_frame import StreamTrade
from services.market.stream_tick import Ticks, trade_of

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
        self._alerts: dict[str, Alert] = {}
        self._lock = threading.Lock()

    def load(self, alerts: Iterable[Alert]) -> int:
        """Take the armed price alerts of latency `fast` among `alerts`; return how many."""
        index, fast = PriceIndex(), {one.id: one for one in alerts if is_fast(one)}
        index.add_all(map(_rule, fast.values()))
        with self._lock:
            self._index, self._alerts = index, fast
        return len(index)

    def near(self, trades: Sequence[StreamTrade]) -> Sequence[StreamTrade]:
        """Return the trades that may reach an alert: all but those that surely do not."""
        if not isinstance(trades, Ticks):
            return trades
        with self._lock:
            rows = self._index.near(trades.rows)
        return tuple(map(trade_of, rows))

    def touched(self, trades: Iterable[tuple[str, Decimal, datetime]]) -> list[Touch]:
        """Return the alerts that trades `(symbol, price, time)` reach, each once."""
        found: list[Touch] = []
        with self._lock:
            for symbol, price, ts in trades:
                for one in self._index.crossed(symbol, float(price)):
                    found += self._confirm(self._alerts[one], Touch(one, symbol, price, ts))
        return found

    def _confirm(self, alert: Alert, touch: Touch) -> tuple[Touch, ...]:
        """Return the touch if its exact price reaches the level; else the alert waits on."""
        if alert.rule.is_beyond(touch.price):
            return (touch,)
        self._index.add(*_rule(alert))
        return ()


def _rule(alert: Alert) -> tuple[str, float, Side, str]:
    return alert.symbol, float(alert.effective), alert.side, alert.id


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
    if market_state(alert.calendar, touch.ts).state != "open" or is_frozen(ctx, alert):
        return False
    return is_plausible(ctx, alert.listing, touch.price, touch.ts)
