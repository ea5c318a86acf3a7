"""Owns the routes of alerts: list, set, change, delete, their triggers, and rules from words."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from app.http.alert_models import alert_body, rule_body, trigger_body
from app.http.label import labelled_items
from app.http.unit import CREATED, read, write
from app.http.wire import Body, Symbol, Word
from services.alerts import book, store
from services.alerts.alert import BY_SUBJECT, AlertAsk, AlertKind
from services.alerts.book import AlertChange, SetAlert
from services.kit.clock import parse_instant
from services.kit.context import Context
from services.kit.errors import refuse

router = APIRouter(prefix="/api/v1/alerts")
Signed = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,9}(\.[0-9]{1,8})?$", max_length=20)]
Instant = Annotated[str, StringConstraints(min_length=16, max_length=40)]
Moment = Literal["entry", "target", "stop", "invalidation", "time_stop"]
Words = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class AlertBody(Body):
    """A new alert. `level` is a price, or the distance from the VWAP in signed percent.

    `plan_event` names a `plan_id` and perhaps `moments` of it, `risk` a `risk_state`: from it on
    the account's risk is told, with `change` each change of it. Both have no level.
    """

    kind: Literal["price_above", "price_below", "vwap_cross", "rvol_above", "plan_event", "risk"]
    symbol: Symbol | None = None
    level: Signed | None = None
    plan_id: Word | None = None
    moments: Annotated[list[Moment], Field(max_length=5)] = Field(default_factory=list)
    risk_state: Literal["warn", "breach", "frozen", "change"] | None = None
    threshold_pct: Signed = "0"
    timeframe: Literal["minute", "day"] = "minute"
    mode: Literal["cross", "level"] = "cross"
    basis: Literal["touch", "close"] | None = None
    repeat: bool | None = None
    latency: Literal["bar", "fast"] = "bar"
    expires_at: Instant | None = None
    note: Annotated[str, StringConstraints(max_length=300)] = ""
    confirm_far: bool = False


class ChangeBody(Body):
    """What changes of an alert; what is left out stays. `paused` rests it or wakes it."""

    level: Signed | None = None
    threshold_pct: Signed | None = None
    timeframe: Literal["minute", "day"] | None = None
    mode: Literal["cross", "level"] | None = None
    basis: Literal["touch", "close"] | None = None
    repeat: bool | None = None
    latency: Literal["bar", "fast"] | None = None
    expires_at: Instant | None = None
    note: Annotated[str, StringConstraints(max_length=300)] | None = None
    paused: bool | None = None
    confirm_far: bool = False


class RuleBody(Body):
    """An alert in words; `dry_run` only says what they mean."""

    text: Words
    dry_run: bool = True
    confirm_far: bool = False


@router.get("")
async def list_alerts(request: Request, active: bool | None = None) -> Response:  # noqa: FBT001
    """List the person's alerts, newest first: active ones, ended and paused ones, or all."""
    return await read(
        request,
        lambda ctx: labelled_items(
            ctx, [alert_body(ctx, one) for one in store.list_alerts(ctx, active=active)]
        ),
    )


@router.post("", status_code=CREATED)
async def set_alert(request: Request, body: AlertBody) -> Response:
    """Set an alert; one that says the same is answered with the flag `DUPLICATE`."""
    ask = _asked(body)
    return await write(request, lambda ctx: _shown(ctx, book.set_alert(ctx, ask)), status=CREATED)


@router.post("/rules")
async def set_rule(request: Request, body: RuleBody) -> Response:
    """Say what words mean as an alert, and set it unless `dry_run`."""

    def act(ctx: Context) -> dict[str, Any]:
        ask = replace(book.ask_from_words(ctx, body.text), confirm_far=body.confirm_far)
        found = book.preview_alert(ctx, ask) if body.dry_run else book.set_alert(ctx, ask)
        return {
            "canonical": found.text,
            "rule": rule_body(found.alert),
            "flags": list(found.flags),
            "alert": None if body.dry_run else _shown(ctx, found),
        }

    return await write(request, act)


@router.patch("/{id}")
async def change_alert(request: Request, id: Word, body: ChangeBody) -> Response:  # noqa: A002
    """Change an alert; new terms begin it anew at the last price."""
    change = AlertChange(
        **{
            **body.model_dump(),
            "level": _number(body.level),
            "threshold_pct": _number(body.threshold_pct),
            "expires_at": _moment(body.expires_at),
        }
    )
    return await write(request, lambda ctx: _shown(ctx, book.update_alert(ctx, id, change)))


@router.delete("/{id}")
async def delete_alert(request: Request, id: Word) -> Response:  # noqa: A002
    """Delete an alert; its triggers stay on record."""
    return await write(request, lambda ctx: {"deleted": book.delete_alert(ctx, id).id})


@router.get("/{id}/triggers")
async def list_triggers(request: Request, id: Word) -> Response:  # noqa: A002
    """List the events of an alert, newest first."""
    return await read(
        request, lambda ctx: labelled_items(ctx, map(trigger_body, store.list_triggers(ctx, id)))
    )


_OF_KIND = ("level", "moments", "plan_id", "risk_state", "symbol")
_FIELDS: dict[AlertKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    AlertKind.PLAN_EVENT: (("plan_id",), ("moments",)),
    AlertKind.RISK: ((), ("risk_state",)),
}
"""What a kind needs of these, and what it may have beside; all others need a symbol and a level."""


def _asked(body: AlertBody) -> AlertAsk:
    """Return what a body asks for. Raises `PARAM_INVALID` for what its kind needs or has not."""
    kind = AlertKind(body.kind)
    needed, allowed = _FIELDS.get(kind, (("level", "symbol"), ()))
    for name in _OF_KIND:
        given = bool(getattr(body, name))
        if given is not (name in needed) and name not in allowed:
            rule = f"an alert of kind {kind} {'has none' if given else 'needs it'}"
            value = "given" if given else "nothing"
            raise refuse("PARAM_INVALID", field=name, name=name, value=value, rule=rule)
    return AlertAsk(
        **{
            **body.model_dump(),
            "kind": kind,
            "symbol": body.symbol or "",
            "level": _number(body.level),
            "plan_id": body.plan_id or "",
            "moments": tuple(body.moments),
            "risk_state": body.risk_state or "",
            "repeat": kind in BY_SUBJECT if body.repeat is None else body.repeat,
            "threshold_pct": Decimal(body.threshold_pct),
            "expires_at": _moment(body.expires_at),
        }
    )


def _shown(ctx: Context, found: SetAlert) -> dict[str, Any]:
    return alert_body(ctx, found.alert, found.flags)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        rule = "give a time with a zone, such as 2027-01-15T21:00:00Z"
        raise refuse(
            "PARAM_INVALID", field="expires_at", name="expires_at", value=text[:40], rule=rule
        ) from error
