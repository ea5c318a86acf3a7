"""Owns the watch over frozen listings: looked at again until their data are clean."""

from __future__ import annotations

from services.kit.context import Context
from services.kit.errors import Refusal
from services.market.feed import Feed
from services.market.freeze import active_freezes
from services.market.gate import admit_all, observed
from services.market.observation import Observation

_LISTING = "listing:"


def watch_frozen(ctx: Context) -> int:
    """Observe every listing with a freeze that ends by itself; return how many freezes ended.

    Without freezes it costs one statement. A feed that cannot answer counts nothing.
    """
    standing = active_freezes(ctx)
    listings = sorted(
        {
            one.scope.removeprefix(_LISTING)
            for one in standing
            if one.scope.startswith(_LISTING) and _may_end(one.code, auto=one.auto_clear)
        }
    )
    seen = [one for listing in listings if (one := _observe(ctx, listing)) is not None]
    if not seen:
        return 0
    admit_all(ctx, seen)
    return len(standing) - len(active_freezes(ctx))


def _may_end(code: str, *, auto: bool) -> bool:
    """Return whether looking again may end the freeze: a split ends when it is on record."""
    return auto or code == "DQ_SPLIT_SUSPECT"


def _observe(ctx: Context, listing: str) -> Observation | None:
    feed = ctx.port(Feed)
    try:
        return observed(feed.instrument(ctx, listing), feed.quote(ctx, listing))
    except Refusal:
        return None
