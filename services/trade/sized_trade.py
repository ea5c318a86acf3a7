"""Owns the size of a trade from what is kept of it: levels, account and confidence; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from services.kit.money import decimal_text, parse_decimal
from services.kit.policy import Policy
from services.trade.confidence_tie import Confidence
from services.trade.param import Side, require
from services.trade.sizing import AccountView, Levels, SizingAsk, SizingResult, suggest
from services.trade.user_plan import QuoteSeen, stop_price

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAsk:
    """What the person said: a plan's id, or levels; `risk_pct` is `0.01` or `1%`."""

    plan_id: str | None = None
    symbol: str | None = None
    side: Side | None = None
    stop: str | None = None
    entry: str | None = None
    risk_pct: str | None = None
    confidence: Literal["use", "ignore"] = "use"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedListing:
    """What sizing knows of a listing; `factor` is account currency per quoted unit."""

    symbol: str
    tick: Decimal
    lot: Decimal
    multiplier: Decimal
    factor: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeInputs:
    """Everything a size is made of beside the policy and the plan that `ask` names."""

    ask: SizeAsk
    quote: QuoteSeen
    listing: SizedListing
    account: AccountView


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """The levels that were sized, the confidence that scaled the risk, and what came out."""

    levels: Levels
    confidence: Confidence | None
    size: SizingResult
    document: Mapping[str, object]


def fraction_of(text: str, usual: Decimal) -> Decimal:
    """Return the fraction that `text` names. Worked: `1%` is 0.01, `half` of 0.01 is 0.005."""
    if text == "half":
        return usual / 2
    if text.endswith("%"):
        return parse_decimal(text[:-1].strip(), "risk_pct") / 100
    return parse_decimal(text, "risk_pct")


def size_of(inputs: SizeInputs, *, policy: Policy, plan: Mapping[str, Any] | None = None) -> Sized:
    """Return the size of levels, or of `plan`, the document that `inputs.ask` names.

    Raises what `sizing.size` raises, and `PARAM_INVALID` without whole levels.
    """
    ask, usual = inputs.ask, policy.sizing.risk_pct
    confidence = None
    if plan is None:
        levels, holding = _asked_levels(inputs, policy), "swing"
    else:
        levels, holding = _plan_levels(inputs, policy, plan), _holding(plan)
        confidence = confidence_of_plan(plan, ignored=ask.confidence == "ignore")
    wanted = SizingAsk(
        holding=holding,
        risk_pct=fraction_of(ask.risk_pct, usual) if ask.risk_pct else None,
        confidence=confidence,
    )
    sized = suggest(levels, inputs.account, policy=policy, ask=wanted)
    document = {
        **size_document(inputs.listing.symbol, levels, sized),
        **({"plan_id": ask.plan_id} if ask.plan_id else {}),
        **({"ignored_confidence": True} if ask.confidence == "ignore" and ask.plan_id else {}),
    }
    return Sized(levels=levels, confidence=confidence, size=sized, document=document)


def _holding(plan: Mapping[str, Any]) -> str:
    return "intraday" if plan["style"] == "intraday" else "swing"


def _asked_levels(inputs: SizeInputs, policy: Policy) -> Levels:
    """Return the levels that a person gave; without an entry it enters at the market."""
    ask, quote = inputs.ask, inputs.quote
    require(ask.side, "side", value="", rule="give a side with the levels, or a plan_id")
    require(ask.stop, "stop", value="", rule="give a stop with the levels, or a plan_id")
    side, stop = ask.side or "long", ask.stop or ""
    market = quote.ask if side == "long" else quote.bid
    entry = parse_decimal(ask.entry, "entry") if ask.entry else market or quote.last
    price = stop_price(stop, side=side, entry=entry, tick=inputs.listing.tick)
    return _levels(inputs.listing, policy, side, entry=entry, stop=price)


def _plan_levels(inputs: SizeInputs, policy: Policy, plan: Mapping[str, Any]) -> Levels:
    """Return the levels of a composed plan: its worst entry and its stop."""
    entry, stop = Decimal(plan["entry"]["worst"]), Decimal(plan["stop"]["price"])
    return _levels(inputs.listing, policy, plan["side"], entry=entry, stop=stop)


def _levels(
    listing: SizedListing, policy: Policy, side: Side, *, entry: Decimal, stop: Decimal
) -> Levels:
    return Levels(
        side=side,
        entry=entry,
        lot=listing.lot,
        multiplier=listing.multiplier,
        stop=stop,
        slippage_per_unit=entry * policy.paper.slippage_bps / _BPS,
        commission_per_unit=policy.paper.commission_share,
        fx_to_account=listing.factor,
    )


def confidence_of_plan(body: Mapping[str, Any], *, ignored: bool = False) -> Confidence | None:
    """Return the confidence that scales the risk of a stored plan; None when it has none."""
    sure = body.get("confidence")
    if sure is None:
        return None
    return Confidence(
        value=Decimal(sure["value"]),
        tier=sure["tier"],
        rr_tp1=Decimal(body["rr"]["per_target"][0]),
        ignored=ignored,
    )


def size_document(symbol: str, levels: Levels, sized: SizingResult) -> dict[str, object]:
    """Return the size as it is stored and shown; decimals as text."""
    return {
        "symbol": symbol,
        "side": levels.side,
        "entry": decimal_text(levels.entry),
        "stop": decimal_text(levels.stop),
        "quantity": decimal_text(sized.quantity),
        "binding": sized.binding,
        "one_r": decimal_text(sized.one_r),
        "currency": sized.currency,
        "notional": decimal_text(sized.notional),
        "risk_pct": decimal_text(sized.risk_pct),
        "risk_pct_used": decimal_text(sized.risk_pct_used),
        "equity": decimal_text(sized.equity),
        "size_multiplier": decimal_text(sized.size_multiplier),
        "caps_skipped": ", ".join(sized.caps_skipped),
        "caps": {key: decimal_text(cap) for key, cap in sized.caps.items()},
    }
