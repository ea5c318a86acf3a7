"""Owns the guards of the market: provenance, session, the quote's age and the price collar."""

from __future__ import annotations

from decimal import Decimal

from services.kit.money import decimal_text, rounded
from services.orders.guard_context import GuardContext, GuardResult, Stage, block, ok
from services.orders.order import OrderType, Tif

BPS = Decimal(10_000)
_REAL_TIME = "LIVE"
_UNREAL = frozenset({"REPLAY", "SIMULATED", "SNAPSHOT", "EOD"})


def provenance_tradable(seen: GuardContext) -> GuardResult:
    """Refuse replayed or simulated prices beyond paper, and delayed ones beyond a sandbox."""
    label, paper = seen.quote_provenance, seen.order.mode == "paper"
    if label == _REAL_TIME or (paper and (label in _UNREAL or label == "DELAYED")):
        same = seen.order.provenance == label
        if same:
            return ok("provenance_tradable", provenance=label)
        return block(
            "provenance_tradable",
            "GUARD_REFUSED",
            f"prices are {label} now and were {seen.order.provenance}",
        )
    if label == "DELAYED" and seen.sandbox:
        return ok("provenance_tradable", provenance=label)
    return block(
        "provenance_tradable",
        "GUARD_REFUSED",
        f"{label} prices can not trade a {seen.order.mode} account",
    )


def session_open(seen: GuardContext) -> GuardResult:
    """Refuse market and day orders outside the regular session; good till cancelled may wait.

    A halted symbol has a closed market of its own, and nothing waits for its unknown end.
    """
    if seen.market_state == "open":
        return ok("session_open", state="open")
    halted = seen.market_state == "halted"
    waits = seen.order.tif is Tif.GTC and seen.order.type is not OrderType.MARKET
    if waits and not halted:
        return GuardResult(
            "session_open",
            "warn",
            "MARKET_CLOSED",
            f"the market is {seen.market_state}; the order waits for the open",
            {"next_open": seen.next_open},
        )
    if halted:
        return block(
            "session_open",
            "HALTED",
            "trading of this symbol is halted",
            symbol=seen.order.symbol,
            state="is halted",
        )
    return block(
        "session_open",
        "MARKET_CLOSED",
        f"the market is {seen.market_state}",
        market=seen.calendar,
        state=seen.market_state,
        next_open=seen.next_open,
    )


def quote_fresh(seen: GuardContext) -> GuardResult:
    """Refuse on bad data, on an old quote in an open market, and on a wide spread at market."""
    if seen.dq_findings:
        return block(
            "quote_fresh",
            "DQ_BLOCK",
            "data quality is not green",
            checks=", ".join(seen.dq_findings),
        )
    limit = _age_limit(seen)
    if seen.market_state == "open" and seen.quote_age_s > limit:
        return block(
            "quote_fresh",
            "QUOTE_STALE",
            "the quote is old",
            what=f"quote of {seen.order.symbol}",
            age=f"{decimal_text(seen.quote_age_s)} s",
            limit=f"{limit} s",
        )
    spread = (seen.ask - seen.bid) / seen.mid
    if spread > seen.policy.max_spread_pct and seen.order.type is not OrderType.LIMIT:
        return block(
            "quote_fresh",
            "GUARD_REFUSED",
            "the spread is too wide for this order",
            spread_pct=rounded(spread, 6),
            limit_pct=seen.policy.max_spread_pct,
            todo="Use a limit order.",
        )
    return ok("quote_fresh", age_s=seen.quote_age_s, spread_pct=rounded(spread, 6))


def _age_limit(seen: GuardContext) -> int:
    if seen.stage is Stage.PROPOSE:
        return seen.policy.quote_age_advice_s
    if seen.order.mode == "live":
        return seen.policy.quote_age_live_confirm_s
    return seen.policy.quote_age_paper_confirm_s


def drift_bps(mid: Decimal, reference: Decimal) -> Decimal:
    """Return |mid - reference| / reference in basis points, 2 decimals half-even.

    Worked: 190.57 against 190.00 is 30 bps.
    """
    return rounded(abs(mid - reference) / reference * BPS, 2)


def price_collar(seen: GuardContext) -> GuardResult:
    """Refuse a price that ran away since the proposal, and a limit that crosses the market too far.

    The collar binds on the costly side only: a buy limit far below the market simply waits.
    """
    if seen.reference_mid is not None and seen.stage is Stage.CONFIRM:
        moved = drift_bps(seen.mid, seen.reference_mid)
        if moved > seen.policy.max_drift_bps:
            return block(
                "price_collar",
                "PRICE_DRIFT",
                f"price moved {moved} bps",
                drift_bps=moved,
                limit_bps=seen.policy.max_drift_bps,
            )
    limit = seen.order.limit_price
    if limit is not None:
        beyond = (limit - seen.mid) / seen.mid * seen.order.sign
        if beyond > seen.policy.collar_pct:
            return block(
                "price_collar",
                "GUARD_REFUSED",
                "the limit is too far past the market",
                limit=limit,
                mid=seen.mid,
                beyond_pct=rounded(beyond, 6),
                collar_pct=seen.policy.collar_pct,
                todo="Use a limit nearer the market.",
            )
    return ok("price_collar", mid=seen.mid)
