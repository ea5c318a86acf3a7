"""Owns what the desk says on `/ws`: the frame of each event, and the snapshot of each channel."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from agent.events import Alert, Envelope, ProposalChanged, Resync, RiskChanged, StateSnapshot
from agent.log import PAGE_MAX, Cursor, desk_stream, head, replay
from app.http import ws_frames as frames
from app.http.alert_models import alert_body
from app.http.shape import order_body
from app.http.ws_frames import Channel, Frame, encode
from services.alerts.store import list_alerts
from services.kit.context import Context
from services.kit.errors import Refusal
from services.ledger import portfolio, valuation
from services.orders import store, switch
from services.trade.risk import SEVERITY
from services.trade.risk_store import StoredRisk, list_risks, newest_at

Reader = tuple[Channel, str]
"""A desk channel and the user who reads it; only `alerts` differ from user to user."""
Snapshots = dict[Reader, bytes]


@dataclass(frozen=True, slots=True)
class Place(Cursor):
    """Where a room stands in the events, and which evaluation of the risk it was told last."""

    risk_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the desk found: frames by channel, then snapshots that stand behind them.

    `resync` says that events were missed, so every reader needs its snapshots anew.
    """

    place: Cursor
    frames: tuple[tuple[Channel, bytes], ...]
    snapshots: Snapshots
    more: bool = False
    resync: bool = False


def look(
    ctx: Context, after: Cursor | None, *, live: Collection[Reader], fresh: Collection[Reader]
) -> Seen:
    """Read the events behind `after` and, when none are left, the snapshots of `fresh` readers.

    Both are read in the one transaction of `ctx`, so a snapshot stands exactly behind the events:
    no gap and no repeat. `live` names who reads which channel already. Readers of `risk` are also
    told when the engine has stored figures anew.
    """
    stream = desk_stream(ctx.principal.tenant_id)
    names = {channel for channel, _ in live}
    reads_risk = "risk" in names or any(channel == "risk" for channel, _ in fresh)
    risk_at = newest_at(ctx) if reads_risk else None
    if after is None:
        began = head(ctx, stream)
        return Seen(Place(began.epoch, began.seq, risk_at), (), snapshots(ctx, fresh))
    page = replay(ctx, stream, after)
    newest = page[-1] if page else after
    place = Place(newest.epoch, newest.seq, risk_at)
    if page and page[0].type == Resync.type:
        return Seen(place, (), snapshots(ctx, {*live, *fresh}), resync=True)
    said = [(channel, body) for one in page for channel, body in _frames_of(ctx, one, names)]
    before = after.risk_at if isinstance(after, Place) else risk_at
    if "risk" in names and risk_at != before and not any(channel == "risk" for channel, _ in said):
        said.append(("risk", encode(risk(ctx))))
    more = len(page) == PAGE_MAX
    return Seen(place, tuple(said), {} if more else snapshots(ctx, fresh), more=more)


def snapshots(ctx: Context, readers: Collection[Reader]) -> Snapshots:
    """Return the frame bytes of each reader's snapshot, in the order of the channels."""
    made: Snapshots = {}
    shared: dict[Channel, bytes] = {}
    for channel, user_id in sorted(readers):
        if channel == "alerts":
            person = replace(ctx.principal, user_id=user_id)
            made[(channel, user_id)] = _told(ctx.act_as(person), channel)
        else:
            if channel not in shared:
                shared[channel] = _told(ctx, channel)
            made[(channel, user_id)] = shared[channel]
    return made


def snapshot(ctx: Context, channel: Channel) -> Frame:
    """Return everything that a desk channel shows the user of `ctx` now."""
    return _SNAPSHOTS[channel](ctx)


def risk(ctx: Context) -> frames.Risk:
    """Return where the tenant's accounts stood at their last evaluation, and its switch."""
    stored, stand = list_risks(ctx), switch.state(ctx)
    worst = max(stored, key=lambda one: SEVERITY.index(one.state), default=None)
    return frames.Risk(
        state=worst.state if worst else "ok",
        reason=worst.reason if worst else "",
        switch=stand.state.value,
        switch_reason=stand.reason,
        items=tuple(_account(one) for one in stored),
        at=ctx.now,
    )


def _account(one: StoredRisk) -> dict[str, Any]:
    shown = {name: one.body[name] for name in _SHOWN_OF_RISK if name in one.body}
    return {
        "portfolio_id": one.portfolio_id,
        "state": one.state,
        "reason": one.reason,
        "since": one.since,
        "as_of": one.as_of,
        **shown,
    }


_SHOWN_OF_RISK = (
    "currency", "one_r", "open_risk", "open_risk_r", "day_pnl", "day_r", "week_pnl", "gross",
    "breaches", "flags", "limits", "provenance", "source",
)  # fmt: skip


def positions(ctx: Context) -> frames.Positions:
    """Return everything that is held in every portfolio, valued at the feed's prices."""
    items = []
    for mine in portfolio.list_portfolios(ctx):
        for held in valuation.value(ctx, mine.id).holdings:
            values = {item.name: getattr(held, item.name) for item in fields(held)}
            items.append({"portfolio_id": mine.id, **values})
    return frames.Positions(items=tuple(items))


def _orders(ctx: Context) -> frames.Orders:
    return frames.Orders(
        items=tuple(order_body(one) for one in store.list_orders(ctx, open_only=True)), whole=True
    )


def _alerts(ctx: Context) -> frames.Alerts:
    standing = list_alerts(ctx, active=True)
    return frames.Alerts(items=tuple(alert_body(ctx, one) for one in standing))


_SNAPSHOTS: dict[Channel, Callable[[Context], Frame]] = {
    "risk": risk,
    "alerts": _alerts,
    "orders": _orders,
    "positions": positions,
}


def _told(ctx: Context, channel: Channel) -> bytes:
    try:
        return encode(snapshot(ctx, channel))
    except Refusal as refusal:
        return encode(failed(refusal))


def failed(refusal: Refusal, symbol: str | None = None) -> frames.Failed:
    """Return the `error` frame of a refusal."""
    return frames.Failed(
        code=refusal.code, message=refusal.message, hint=refusal.hint, symbol=symbol
    )


def _frames_of(
    ctx: Context, event: Envelope, live: Collection[Channel]
) -> list[tuple[Channel, bytes]]:
    """Return the frames of one stored event; events of the chat and of open cards have none."""
    body = event.body
    match event.type:
        case Alert.type if "alerts" in live:
            return [("alerts", encode(_alert(event)))]
        case RiskChanged.type if "risk" in live:
            return [("risk", encode(risk(ctx)))]
        case ProposalChanged.type if "orders" in live and body.get("order_id"):
            return [("orders", encode(_changed(ctx, str(body["order_id"]))))]
        case StateSnapshot.type if "positions" in live and "positions" in body["changed"]:
            return [("positions", _told(ctx, "positions"))]
        case _:
            return []


def _alert(event: Envelope) -> frames.AlertRaised:
    body: dict[str, Any] = dict(event.body)
    level, message = body.pop("level"), body.pop("message")
    return frames.AlertRaised(
        level=level, msg=message, at=event.at, meta={**body, "cursor": event.cursor}
    )


def _changed(ctx: Context, order_id: str) -> frames.Orders:
    return frames.Orders(items=(order_body(store.get_order(ctx, order_id)),), whole=False)
