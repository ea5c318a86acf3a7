"""Owns what creating an alert writes into it: default hysteresis and expiry, and its event key."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from services.kit.canonical import tagged_hash
from services.kit.errors import refuse
from services.kit.money import tick_round
from services.market.session import next_session

COOLDOWN_S = 300
HYSTERESIS_PCT = Decimal("0.001")
HYSTERESIS_ATR = Decimal("0.25")
FAR_PCT = Decimal("0.5")
MINUTE_SESSIONS = 5
DAY_SPAN = timedelta(days=90)


def default_hysteresis(level: Decimal, atr: Decimal | None, *, tick: Decimal) -> Decimal:
    """Return max(0.1 % of the level, a quarter of ATR14), on the nearest tick.

    Without an ATR the level alone counts. Raises `PARAM_INVALID` for a tick not above 0.
    Worked: 200 with ATR 1.23 by ticks of 0.01 is 0.31.
    """
    width = HYSTERESIS_PCT * level
    if atr is not None:
        width = max(width, HYSTERESIS_ATR * atr)
    return tick_round(width, tick, "nearest")


def default_expiry(
    calendar: str, created_at: datetime, *, timeframe: Literal["minute", "day"]
) -> datetime:
    """Return the close of the fifth session that ends after creation, or 90 days for a daily one.

    A session that is open at creation is the first. Raises `CALENDAR_UNKNOWN`.
    """
    if timeframe == "day":
        return created_at + DAY_SPAN
    closes, after = created_at, created_at - timedelta(days=1)
    count = 0
    while count < MINUTE_SESSIONS:
        session = next_session(calendar, after)
        after, closes = session.open, session.close
        count += session.close > created_at
    return closes


def is_far(level: Decimal, ref_price: Decimal) -> bool:
    """Return whether a level lies more than 50 % from the last price; it needs a second yes."""
    if ref_price <= 0:
        raise refuse(
            "PARAM_INVALID", name="ref_price", value=str(ref_price), rule="must be above 0"
        )
    return abs(level / ref_price - 1) > FAR_PCT


def event_key(alert_id: str, bar_t_open: datetime) -> str:
    """Return the key of the one event that an alert may make of a bar (`alert_event/v1`)."""
    return tagged_hash("alert_event/v1", {"alert_id": alert_id, "bar_t_open": bar_t_open})
