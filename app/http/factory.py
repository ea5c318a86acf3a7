"""Owns the assembly of the HTTP application: routes, error handlers, guard, OpenAPI, lifespan."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.background import start_loops
from app.broker_stream import start_broker_events
from app.http import (
    admin,
    alerts,
    api,
    auth,
    backtests,
    broker,
    broker_account,
    confirm,
    corporate_actions,
    health,
    journal,
    market,
    news,
    notifications,
    options,
    pages,
    picks,
    plans,
    portfolio,
    risk,
    score,
    socket,
    stream,
    stream_state,
    symbols,
    task_runs,
    tools,
    watchlists,
)
from app.http.errors import on_defect, on_http, on_refusal, on_validation
from app.http.gate import Gate
from app.http.hub import Hub
from app.http.openapi import complete
from app.http.runs import Runs
from app.http.shape import Problem
from app.http.socket import Sockets
from app.http.stream import Streams
from app.http.ws_door import Door
from app.live import Live
from app.probe import start_probes
from app.stream_duty import start_streaming
from app.wiring import Product
from services.kit.errors import Refusal

_ROUTERS = (
    auth.router,
    api.router,
    stream.router,
    stream_state.router,
    confirm.router,
    tools.router,
    broker.router,
    broker_account.router,
    market.router,
    symbols.router,
    corporate_actions.router,
    task_runs.router,
    news.router,
    options.router,
    alerts.router,
    notifications.router,
    watchlists.router,
    picks.router,
    plans.router,
    backtests.router,
    score.router,
    portfolio.router,
    risk.router,
    journal.router,
    admin.router,
    health.router,
    pages.router,
    socket.router,
)


def build_api(product: Product) -> FastAPI:
    """Return the FastAPI application of `product`, without the guard that the server adds."""
    api_app = FastAPI(
        title="Cornerman",
        version=product.version,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
        redirect_slashes=False,
        responses={"default": {"model": Problem, "description": "A problem (RFC 9457)."}},
    )
    api_app.state.product = product
    api_app.state.gate = Gate(product)
    for router in _ROUTERS:
        api_app.include_router(router)
    api_app.mount("/web", pages.files(), name="web")
    api_app.add_exception_handler(Refusal, on_refusal)
    api_app.add_exception_handler(RequestValidationError, on_validation)
    api_app.add_exception_handler(HTTPException, on_http)
    api_app.add_exception_handler(Exception, on_defect)
    api_app.openapi = complete(api_app.openapi)  # type: ignore[method-assign]
    return api_app


@asynccontextmanager
async def _lifespan(api_app: FastAPI) -> AsyncIterator[None]:
    """Start the loops and the registry of runs; end streams, runs and loops at shutdown."""
    product: Product = api_app.state.product
    api_app.state.streams = Streams(product)
    hub = Hub(product)
    api_app.state.sockets = Sockets(product, hub, Door(product, api_app.state.gate))
    api_app.state.runs = Runs(product.coach, grace_s=product.reader_grace_s)
    async with (
        start_loops(product),
        start_broker_events(product),
        start_probes(product),
        start_streaming(product, hub),
        Live(product, hub).running(),
    ):
        yield
        api_app.state.streams.closing.set()
        hub.close()
        await api_app.state.runs.close()
        await product.model.close()
