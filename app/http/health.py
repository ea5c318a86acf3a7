"""Owns the routes of diagnosis: alive, ready, configuration, metrics."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import text
from starlette.responses import Response

from app.broker import BrokerLink, BrokerRecord
from app.http.unit import fetch, product_of, render
from app.streaming import stream_capability
from app.wiring import Product
from services.kit.context import Context
from services.kit.errors import Refusal
from services.market import chain, earnings, news
from services.market.feed import Feed

router = APIRouter()
_UNREADY = 503
_TURN_ON = "Set MASSIVE_API_KEY, or TRADIER_ACCESS_TOKEN with TRADIER_ENV, and restart."


@router.get("/healthz", include_in_schema=False)
@router.get("/api/v1/diag/health")
async def health(request: Request) -> Response:
    """Answer that the process is alive."""
    return render({"status": "ok", "version": product_of(request).version})


@router.get("/readyz", include_in_schema=False)
@router.get("/api/v1/diag/ready")
async def ready(request: Request) -> Response:
    """Answer whether the database answers and the process takes requests; 503 when not."""
    product = product_of(request)
    try:
        await product.runtime.in_thread(lambda: _ask_database(product))
    except Refusal as refusal:
        return render({"status": "not ready", "why": refusal.message}, status=_UNREADY)
    if request.app.state.streams.closing.is_set():
        return render({"status": "not ready", "why": "shutting down"}, status=_UNREADY)
    return render({"status": "ready"})


@router.get("/api/v1/diag/config")
async def show_configuration(request: Request) -> Response:
    """Return version and mode, features, providers and stream with their state, the model."""
    product = product_of(request)
    feed = await fetch(request, _feed_facts)
    beside = await fetch(request, _market_features)
    model = {
        "name": product.model.name,
        "calls_tools": product.model.calls_tools,
        "why": _model_reason(product),
    }
    return render(
        {
            "version": product.version,
            "mode": product.settings.cornerman_mode,
            "features": [*feature_records(product), *beside],
            "feed": feed,
            "providers": [asdict(one) for one in product.providers.records()],
            "stream": _stream(product),
            "model": model,
        }
    )


@router.get("/metrics", include_in_schema=False)
async def show_metrics(request: Request) -> Response:
    """Return the Prometheus metrics."""
    return Response(product_of(request).metrics.text(), media_type="text/plain; version=0.0.4")


def _ask_database(product: Product) -> None:
    with product.runtime.database.read(None) as db:
        db.connection.execute(text("SELECT 1"))


def _stream(product: Product) -> dict[str, Any] | None:
    if product.stream is None:
        return None
    found = product.stream.state()
    names = ("phase", "since", "last_frame_at", "reconnects", "reason", "todo")
    return {name: getattr(found, name) for name in names}


def _feed_facts(ctx: Context) -> dict[str, Any]:
    feed = ctx.port(Feed)
    capability = feed.capability()
    return {
        "name": feed.name,
        "provenance": feed.provenance if capability.on else None,
        "source": feed.name,
        "on": capability.on,
        "why": capability.why,
        "todo": capability.todo,
        "as_of": feed.as_of(ctx) if capability.on else None,
    }


def feature_records(product: Product) -> list[dict[str, Any]]:
    """Return every feature with what keeps it off and how to switch it on."""
    settings, feed = product.settings, product.feed.capability()
    streamed = stream_capability(settings, product.stream)
    has_model = bool(settings.openai_model or settings.chatdata_model)
    live = product.feed.record().host != ""
    return [
        {"name": feed.feature, "on": feed.on, "why": feed.why, "todo": feed.todo},
        {
            "name": "language model",
            "on": has_model,
            "why": _model_reason(product),
            "todo": "" if has_model else "Set OPENAI_API_KEY and OPENAI_MODEL, or CHATDATA_*.",
        },
        {"name": "paper broker", "on": True, "why": "built in, always on", "todo": ""},
        {
            "name": "live market data",
            "on": live and feed.on,
            "why": feed.why if live else "no live market-data provider is in use",
            "todo": feed.todo if live else _TURN_ON,
        },
        {"name": streamed.feature, "on": streamed.on, "why": streamed.why, "todo": streamed.todo},
        _failover(product),
        *(_broker(link.record) for link in product.brokers.links),
        *(_events(link) for link in product.brokers.links if link.events is not None),
        _live_trading(product),
    ]


def _broker(record: BrokerRecord) -> dict[str, Any]:
    name = f"{record.name} broker"
    return {"name": name, "on": record.on, "why": record.why, "todo": record.todo}


def _events(link: BrokerLink) -> dict[str, Any]:
    """Return whether the account's events are heard; without them fills show a little later."""
    heard, name = link.events, f"{link.record.name} account events"
    phase = "off" if heard is None else heard.phase
    why = phase if heard is None or not heard.reason else f"{phase}: {heard.reason}"
    return {"name": name, "on": phase == "live", "why": why.replace("_", " "), "todo": ""}


def _live_trading(product: Product) -> dict[str, Any]:
    on = [one.account for one in product.brokers.links if one.record.on and one.account is not None]
    live = [one for one in on if one.mode == "live"]
    if not live:
        why = "no account with real money is connected; orders are on paper"
        return {"name": "live trading", "on": False, "why": why, "todo": ""}
    if not product.settings.live_trading:
        todo = "Set LIVE_TRADING=true and restart; every live card is typed to confirm."
        return {"name": "live trading", "on": False, "why": "LIVE_TRADING is off", "todo": todo}
    why = f"orders of {' and of '.join(one.title for one in live)} move real money"
    return {"name": "live trading", "on": True, "why": why, "todo": ""}


def _failover(product: Product) -> dict[str, Any]:
    keyed = len(product.providers.configured) > 1
    on = keyed and product.settings.feature_failover_enabled
    record = product.feed.record()
    why = "FEATURE_FAILOVER_ENABLED is off: a provider that fails is not replaced"
    if on and record.failed_over_to is not None:
        why = f"{record.name} does not answer; {record.failed_over_to} does"
    elif on:
        why = f"{record.name} answers, a second provider stands by"
    elif product.settings.feature_failover_enabled:
        why = "there is no second provider"
    todo = "" if on else "Set MASSIVE_API_KEY, TRADIER_ACCESS_TOKEN and FEATURE_FAILOVER_ENABLED."
    return {"name": "failover between providers", "on": on, "why": why, "todo": todo}


def _market_features(ctx: Context) -> list[dict[str, Any]]:
    """Return the features that a provider may give beside prices, with what each one needs."""
    found = (room.find_capability(ctx) for room in (news, earnings, chain))
    return [{"name": one.feature, "on": one.on, "why": one.why, "todo": one.todo} for one in found]


def _model_reason(product: Product) -> str:
    settings = product.settings
    if settings.openai_model or settings.chatdata_model:
        return "a model endpoint is configured"
    for name, key in (("OPENAI", settings.openai_api_key), ("CHATDATA", settings.chatdata_api_key)):
        if key.get_secret_value():
            return f"{name}_API_KEY is set, {name}_MODEL is not; the built-in rules answer"
    return "no model endpoint is configured; the built-in rules answer"
