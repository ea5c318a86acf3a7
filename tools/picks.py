"""Owns the tool `picks`: the best plans among what the person follows and the feed lists."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from services.kit.context import Context
from services.research.pick import make_picks
from tools.registry import Args, Effect, Result, tool
from tools.wording.figures import Moment
from tools.wording.picks import PickRow, RejectRow, pick_rows, pick_words, reject_rows
from tools.wording.plans import plan_sources


class PicksArgs(Args):
    """What to look for."""

    style: Literal["intraday", "swing", "leaps"] | None = Field(
        None, description="How long it is held; left out, every setup counts."
    )


class PicksResult(Result):
    """Ranked plans and every other symbol with its first failed rule; `left_out` were too many."""

    as_of: Moment
    scanned: int
    left_out: int
    picks: tuple[PickRow, ...]
    rejects: tuple[RejectRow, ...]


@tool(effect=Effect.COMPUTE, timeout_s=60.0)
def picks(ctx: Context, args: PicksArgs) -> PicksResult:
    """Scan watchlists, holdings and the feed for setups; rank what makes a whole plan.

    Nothing weaker is shown: every rejected symbol stands with the rule that refused it.
    """
    scan, plans = make_picks(ctx, args.style)
    rows = pick_rows(plans)
    return PicksResult(
        as_of=scan.as_of,
        scanned=scan.scanned,
        left_out=scan.left_out,
        picks=rows,
        rejects=reject_rows(scan.rejects),
        summary=pick_words(rows, scan.rejects, scan.scanned),
        source=tuple(source for one in plans for source in plan_sources(one)),
        flags=("FOLLOWED_ONLY",) if scan.left_out else (),
    )
