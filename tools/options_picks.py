"""Owns the tool `options_picks`: the three best contracts of a symbol for one profile."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.ledger.portfolio import list_portfolios
from services.market.freeze import portfolio_scope
from services.market.quality import require_green
from services.research.option_pick import pick_options
from tools.registry import Args, Effect, Result, SymbolText, cite, tool
from tools.wording.figures import Exact
from tools.wording.picks import ContractPick, contract_rows, contract_words


class OptionsPicksArgs(Args):
    """Which options."""

    symbol: SymbolText = Field(description="One ticker symbol.")
    profile: Literal["intraday_long", "swing_long", "leaps_call", "protective_put"] = Field(
        "swing_long", description="What the option is for; it sets days, delta and costs."
    )


class OptionsPicksResult(Result):
    """Ranked contracts; `rejects` counts the others by first failed rule. Empty with a reason."""

    symbol: str
    profile: str
    spot: Exact | None
    rate: Exact | None
    rate_date: str
    expiries: tuple[str, ...]
    expiries_unread: int
    picks: tuple[ContractPick, ...]
    rejects: dict[str, int]
    greeks_missing: dict[str, int]
    reason: str | None


@tool(effect=Effect.COMPUTE, timeout_s=20.0)
def options_picks(ctx: Context, args: OptionsPicksArgs) -> OptionsPicksResult:
    """Screen and rank option contracts of a symbol; filters are never relaxed."""
    scopes = tuple(portfolio_scope(one.id) for one in list_portfolios(ctx))
    require_green(ctx, [args.symbol], scopes=scopes)
    found = pick_options(ctx, args.symbol, args.profile)
    rows, chain, rates = contract_rows(found), found.chain, ctx.policy.options
    cited = (
        ()
        if chain is None
        else (cite("option chain", chain, symbol=found.symbol, as_of=found.as_of),)
    )
    return OptionsPicksResult(
        symbol=found.symbol,
        profile=found.profile,
        spot=found.spot,
        rate=rates.rate,
        rate_date=rates.rate_date,
        expiries=tuple(one.isoformat() for one in found.expiries),
        expiries_unread=found.unread,
        picks=rows,
        rejects=dict(found.rejects),
        greeks_missing=dict(found.missing),
        reason=found.absence.reason if found.absence else None,
        summary=contract_words(found, rows),
        source=cited,
        flags=found.flags,
    )
