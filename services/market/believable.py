"""Owns the price that may be shown: one that can not be true is a finding, and never a price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from services.kit.context import Context
from services.kit.money import decimal_text
from services.market.feed import Feed
from services.market.finding import OF_THE_TIME, Finding, Severity
from services.market.gate import settle
from services.market.last_good import LastGood, price_or_last_good
from services.market.quality import Look, QualitySnapshot, block, look
from services.market.quality_rule import Fault, find_scale_fault
from services.market.quote import Quote

_IN_DOUBT = frozenset({"DQ_JUMP", "DQ_SPLIT_SUSPECT", "DQ_RECON"})
"""Findings of a price that may be true: it is shown, and the doubt beside it."""


def untrue_of(seen: Look) -> tuple[Finding, ...]:
    """Return the findings by which the quote of a look can not be true; none for an old quote."""
    critical = [one for one in seen.findings if one.severity is Severity.CRIT]
    return tuple(one for one in critical if one.code not in OF_THE_TIME | _IN_DOUBT)


def doubt_of(seen: Look) -> str:
    """Return what is critical about a quote that is shown all the same; empty when nothing is."""
    return "; ".join(f"{one.detail} ({one.code})" for one in seen.critical)


def require_believable(ctx: Context, symbols: Sequence[str]) -> tuple[Look, ...]:
    """Return the looks at `symbols` whose quotes may be shown, by symbol.

    Raises `DQ_BLOCK` when none may, as `block` words it, and what `look` raises.
    """
    looks = look(ctx, symbols)
    shown = tuple(one for one in looks if not untrue_of(one))
    if not shown:
        raise block(_red(ctx, looks))
    return shown


def believable_price(ctx: Context, symbol: str) -> Quote | LastGood:
    """Return the quote that `price_or_last_good` finds, when it can be true.

    Raises `DQ_BLOCK` with the finding and the last good value, and what that function raises.
    """
    found = price_or_last_good(ctx, symbol)
    if isinstance(found, Quote):
        require_believable(ctx, (symbol,))
    return found


def _red(ctx: Context, looks: Sequence[Look]) -> QualitySnapshot:
    wrong = tuple(replace(one, findings=untrue_of(one)) for one in looks)
    names = tuple(one.instrument.symbol for one in wrong)
    found = tuple(finding for one in wrong for finding in one.findings)
    return QualitySnapshot("", names, ctx.port(Feed).as_of(ctx), False, found, wrong)


def note_untrue(ctx: Context, symbol: str, fault: Fault) -> None:
    """Keep what a live line told and can not be true as a finding of its listing; writes.

    It freezes the listing when the quote still shows it, else it is a warning of a passing state.
    Raises what `look` raises.
    """
    (seen,) = look(ctx, (symbol,))
    lasting = [one for one in seen.critical if one.code == fault.code]
    passing = Finding(
        seen.instrument.symbol, fault.code, Severity.WARN, f"for a moment {fault.detail}"
    )
    settle(ctx, seen.instrument, lasting or [passing])


def find_untrue(quote: Quote, reference: Decimal | None) -> Fault | None:
    """Return why a quote can not be true by itself, held against an earlier close; pure.

    The quick check of a live line, which has no time for a look. Worked: 19,000 beside a close of
    190 is `DQ_SCALE_SUSPECT`.
    """
    if min(quote.last, quote.bid, quote.ask) < 0 or quote.last == 0:
        return Fault("DQ_NONPOSITIVE", "CRIT", f"last={decimal_text(quote.last)}")
    if quote.bid > quote.ask > 0:
        bid, ask = decimal_text(quote.bid), decimal_text(quote.ask)
        return Fault("DQ_CROSSED", "CRIT", f"bid {bid} above ask {ask}")
    if reference is None or reference <= 0:
        return None
    return find_scale_fault(quote.last, reference)
