"""Owns the tool `chain`: the options of one expiry near the money, with what was left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from services.kit.context import Context
from services.market.chain import near_money, read_chain
from tools.registry import Args, Effect, Result, SymbolText, cite, tool
from tools.wording.contracts import ContractRow, build_row
from tools.wording.figures import Exact
from tools.wording.market import chain_words, empty_words

_EXPIRATIONS_MAX = 12


class ChainArgs(Args):
    """Which options."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    expiry: Annotated[date, Field(json_schema_extra={"maxLength": 10})] | None = Field(
        None, description="Expiry date YYYY-MM-DD; the nearest one without it."
    )
    strikes: Annotated[int, Field(ge=1, le=8)] | None = Field(
        None, description="How many strikes nearest to the price; 5 without it."
    )
    right: Literal["call", "put"] | None = Field(None, description="Calls or puts only.")


class ChainResult(Result):
    """The contracts nearest to the price; `left_out` are not shown. Empty with a reason."""

    symbol: str
    expiry: date | None = None
    expirations: tuple[date, ...] = ()
    spot: Exact | None = None
    spot_provenance: str | None = None
    contracts: tuple[ContractRow, ...] = ()
    left_out: int = 0
    reason: str | None = None


@tool(effect=Effect.READ)
def chain(ctx: Context, args: ChainArgs) -> ChainResult:
    """Return the options of one expiry nearest to the price: quotes, greeks, open interest."""
    view = read_chain(ctx, args.symbol, args.expiry)
    found = view.chain
    if found is None:
        reason = view.absence.reason if view.absence else "no_options"
        said = empty_words(f"options of {view.symbol}", view.absence)
        return ChainResult(symbol=view.symbol, reason=reason, summary=said)
    wanted = tuple(one for one in found.contracts if args.right in (None, one.right))
    shown, left_out = near_money(replace(found, contracts=wanted), args.strikes or 5)
    expiry = wanted[0].expiry if wanted else args.expiry
    return ChainResult(
        symbol=view.symbol,
        expiry=expiry,
        expirations=view.expirations[:_EXPIRATIONS_MAX],
        spot=found.spot,
        spot_provenance=found.spot_provenance,
        contracts=tuple(build_row(one) for one in shown),
        left_out=left_out,
        summary=chain_words(found, expiry, shown=len(shown), left_out=left_out),
        source=(cite("option chain", found, symbol=view.symbol, as_of=found.as_of),),
        flags=found.flags,
    )
