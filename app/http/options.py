"""Owns the routes of option chains: the expirations of a symbol, and the chain of one."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.http.asked import absence_body
from app.http.label import label
from app.http.unit import read
from app.http.wire import Symbol
from services.kit.context import Context
from services.market.chain import Chain, ChainView, OptionContract, read_chain, read_expirations

router = APIRouter(prefix="/api/v1/options")
_NOBODY = "none"


@router.get("/expirations")
async def list_expirations(request: Request, symbol: Symbol) -> Response:
    """List the expiry dates of a symbol's options; empty with a reason."""

    def act(ctx: Context) -> dict[str, Any]:
        view = read_expirations(ctx, symbol)
        return {"symbol": view.symbol, "items": view.expirations, **absence_body(view.absence)}

    return await read(request, act)


@router.get("/chain")
async def show_chain(request: Request, symbol: Symbol, expiry: date | None = None) -> Response:
    """Return every contract of one expiry, the nearest one by default; empty with a reason."""

    def act(ctx: Context) -> dict[str, Any]:
        view = read_chain(ctx, symbol, expiry)
        return {
            "symbol": view.symbol,
            "expirations": view.expirations,
            **_chain(view),
            **absence_body(view.absence),
        }

    return await read(request, act)


def _chain(view: ChainView) -> dict[str, Any]:
    found = view.chain
    if found is None:
        empty = {"expiry": None, "spot": None, "spot_provenance": None, "flags": ()}
        return {**empty, "items": (), **label(view.as_of, _NOBODY, _NOBODY)}
    return {
        "expiry": _expiry(found),
        "spot": found.spot,
        "spot_provenance": found.spot_provenance,
        "flags": found.flags,
        "items": [_contract(one) for one in found.contracts],
        **label(found.as_of, found.provenance, found.source),
    }


def _expiry(chain: Chain) -> date | None:
    return chain.contracts[0].expiry if chain.contracts else None


def _contract(one: OptionContract) -> dict[str, Any]:
    fields = {name: getattr(one, name) for name in one.__dataclass_fields__}
    return {**fields, "mid": one.mid, "flags": one.flags}
