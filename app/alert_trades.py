"""Owns telling fast alerts from streamed trades: the reader looks them up, a loop tells them."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from functools import partial
from weakref import WeakKeyDictionary, ref

import structlog

from app.jobs import tenant_principals
from app.wiring import Product
from services.alerts.fast import FastWatch, Touch, tell_touch, watched_fast
from services.kit.context import Principal
from services.market.live import LiveBook
from services.market.stream_frame import Frame

_WAITING_MAX = 10_000
_log = structlog.get_logger("alerts")


class FastAlerts:
    """The fast alerts of every tenant beside one live book."""

    def __init__(self, book: LiveBook) -> None:
        self._views: dict[Principal, FastWatch] = {}
        self._touches: deque[tuple[Principal, Touch]] = deque(maxlen=_WAITING_MAX)
        self._told: dict[tuple[str, datetime], None] = {}
        self._book = ref(book)
        book.listen(self.take)

    def take(self, frame: Frame) -> None:
        """Note which alerts the trades of a frame reach; runs in the reader's thread."""
        left_out = self._left_out()
        if left_out is None:
            return
        for who, view in tuple(self._views.items()):
            near = [
                (one.symbol, one.price, one.ts)
                for one in view.near(frame.trades)
                if left_out.isdisjoint(one.conditions)
            ]
            self._touches.extend((who, touch) for touch in view.touched(near))

    def _left_out(self) -> frozenset[str] | None:
        """Return the conditions of trades that are no price; None while they are not known."""
        book = self._book()
        return None if book is None else book.ineligible

    def tell(self, product: Product) -> int:
        """Tell what was reached, then look the alerts up anew; return how many were told."""
        waiting = [self._touches.popleft() for _ in range(len(self._touches))]
        told = sum(self._tell_one(product, who, touch=touch) for who, touch in waiting)
        for who in tenant_principals(product):
            alerts = product.runtime.read(who, watched_fast)
            self._views.setdefault(who, FastWatch()).load(alerts)
        return told

    def _tell_one(self, product: Product, who: Principal, *, touch: Touch) -> int:
        """Tell one touch; within one minute an alert is tried once."""
        key = (touch.alert_id, touch.ts.replace(second=0, microsecond=0))
        if key in self._told:
            return 0
        self._told[key] = None
        if len(self._told) > _WAITING_MAX:
            del self._told[next(iter(self._told))]
        try:
            return int(product.runtime.write(who, partial(tell_touch, touch=touch)))
        except Exception:  # noqa: BLE001 - a worker loop; see architecture 4
            _log.exception("alerts.touch_failed", alert=touch.alert_id)
            return 0


_watching: WeakKeyDictionary[LiveBook, FastAlerts] = WeakKeyDictionary()


def tell_touched(product: Product) -> int:
    """Tell the fast alerts that streamed trades have reached; nothing without a stream."""
    book = product.runtime.ports.get(LiveBook)
    if not isinstance(book, LiveBook):
        return 0
    mine = _watching.get(book)
    if mine is None:
        mine = _watching[book] = FastAlerts(book)
    mine.tell(product)
    return 0
