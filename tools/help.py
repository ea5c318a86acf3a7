"""Owns the tool `help`: what can be done here, and what is off and why."""

from __future__ import annotations

from pydantic import Field

from services.kit.context import Context
from services.market.feed import Feed
from tools.registry import Args, Effect, Result, all_tools, tool


class HelpArgs(Args):
    """Which topic."""

    topic: str | None = Field(None, max_length=60, description="Name of a tool, or nothing.")


class HelpResult(Result):
    """What can be done."""

    tools: tuple[str, ...]


@tool(effect=Effect.READ)
def help(ctx: Context, args: HelpArgs) -> HelpResult:  # noqa: A001 - the tool's public name
    """Return what this coach can do, with examples, or how one tool works."""
    known = all_tools()
    wanted = known.get((args.topic or "").strip().lower())
    if wanted is not None:
        said = f"**{wanted.name}** ({wanted.effect}): {wanted.description}"
        return HelpResult(summary=said, tools=(wanted.name,))
    feed = ctx.port(Feed).capability()
    lines = [
        "I read the market, check plans, size trades and prepare orders. You confirm.",
        "",
        "- `what's AAPL doing`, `is the market open`",
        "- `news on AAPL`, `when does IBM report`, `AAPL options`",
        "- `plan AAPL long, stop 3% below, risk 1%`, then `buy it`",
        "- `buy 50 MSFT stop 26.10`",
        "- `what do I hold and why?`",
        "- `my orders`",
        "- `note: waited for the pullback`",
        "",
        f"Market data: {feed.why}",
    ]
    return HelpResult(summary="\n".join(lines), tools=tuple(known))
