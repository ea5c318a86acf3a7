"""Owns the tool `position_action`: trim, close, move a stop, hedge or roll, as cards only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.kit.context import Context
from services.kit.money import parse_decimal
from services.orders.position_actions import Ask, act, close_all, require_roll
from services.research.hedge import suggest_hedge
from services.trade.param import require
from services.trade.position_action import share_of
from tools.registry import Args, DecimalText, Effect, Result, SymbolText, tool
from tools.wording.figures import Exact
from tools.wording.positions import (
    CardRow,
    CheckRow,
    HedgeRow,
    SkippedRow,
    acted_fields,
    hedge_fields,
)

ShareText = Annotated[str, Field(pattern=r"^(half|third|quarter|[0-9]{1,2}%)$", max_length=7)]


class PositionActionArgs(Args):
    """What to do with what is held."""

    action: Literal["trim", "close", "close_all", "move_stop", "hedge", "roll"] = Field(
        description="close_all needs no symbol; move_stop only goes nearer to the market."
    )
    symbol: SymbolText | None = Field(None, description="The symbol that is held.")
    quantity: DecimalText | None = Field(None, description="trim: units, the person's number.")
    share: ShareText | None = Field(None, description="trim: half, third, quarter or 25%.")
    stop_price: DecimalText | None = Field(None, description="move_stop: the person's price.")


class PositionActionResult(Result):
    """The cards in order, the checklist, and the stop that is kept. Nothing is executed."""

    action: str
    symbol: str
    cards: tuple[CardRow, ...] = ()
    checks: tuple[CheckRow, ...] = ()
    stop: Exact | None = None
    before: Exact | None = None
    step: str = ""
    skipped: tuple[SkippedRow, ...] = ()
    hedge: HedgeRow | None = None


@tool(effect=Effect.PROPOSE, timeout_s=20.0)
def position_action(ctx: Context, args: PositionActionArgs) -> PositionActionResult:
    """Prepare an action on a held position as cards for the person, with its checklist."""
    if args.action == "close_all":
        return PositionActionResult(**acted_fields(close_all(ctx, **ctx.origin)))
    require(args.symbol, "symbol", value="nothing", rule="say which position")
    symbol = args.symbol or ""
    if args.action == "roll":
        require_roll(ctx, symbol)
    if args.action == "hedge":
        return PositionActionResult(**hedge_fields(suggest_hedge(ctx, symbol)))
    ask = Ask(
        action=args.action,
        symbol=symbol,
        units=parse_decimal(args.quantity) if args.quantity else None,
        share=share_of(args.share) if args.share else None,
        stop=parse_decimal(args.stop_price) if args.stop_price else None,
    )
    return PositionActionResult(**acted_fields(act(ctx, ask, **ctx.origin)))
