"""Owns the tool `weekend_plan`: the plan of the coming week from the last close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.kit.context import Context
from services.market.feed import Feed
from services.research.weekend import find_weekend, make_weekend
from tools.registry import Args, Effect, Result, Source, tool
from tools.wording.picks import weekend_words


class WeekendPlanArgs(Args):
    """Nothing to say: it is the last close's plan."""


class WeekendPlanResult(Result):
    """The stored document `weekend_plan/v1` and its hash; it holds no order and no button."""

    hash: str
    session: str
    plan: Mapping[str, Any]


@tool(effect=Effect.COMPUTE, timeout_s=60.0)
def weekend_plan(ctx: Context, args: WeekendPlanArgs) -> WeekendPlanResult:  # noqa: ARG001
    """Plan the coming week from the last close: swings, LEAPS, the calendar, every reject.

    The plan of a close is made once and read afterwards.
    """
    kept = find_weekend(ctx)
    if kept is None:
        made = make_weekend(ctx)
        digest, body = made.hash, made.body
    else:
        digest, body = kept.hash, kept.body
    feed = ctx.port(Feed)
    cited = Source(
        provider=feed.name,
        dataset="bars at the close",
        as_of=body["as_of"],
        provenance=str(feed.provenance),
    )
    return WeekendPlanResult(
        hash=digest,
        session=body["session"],
        plan=body,
        summary=weekend_words(body),
        source=(cited,),
    )
