"""Owns the watch over frozen listings: looked at again until their data are clean."""

from __future__ import annotations

from services.kit.context import Context
from services.market.freeze import active_freezes
from services.market.ingest import ingest_last_good

_LISTING = "listing:"


def watch_frozen(ctx: Context) -> int:
    """Take in the quote of every listing with a freeze that ends by itself; return how many ended.

    What is admitted is stored as a price, like by the job. Without freezes it costs one statement.
    A feed that cannot answer counts nothing.
    """
    standing = active_freezes(ctx)
    listings = sorted(
        {
            one.scope.removeprefix(_LISTING)
            for one in standing
            if one.scope.startswith(_LISTING) and _may_end(one.code, auto=one.auto_clear)
        }
    )
    if not listings:
        return 0
    ingest_last_good(ctx, listings)
    return len(standing) - len(active_freezes(ctx))


def _may_end(code: str, *, auto: bool) -> bool:
    """Return whether looking again may end the freeze: a split ends when it is on record."""
    return auto or code == "DQ_SPLIT_SUSPECT"
