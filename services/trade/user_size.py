"""Owns the size of a person's trade: the account as sizing sees it, then the rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from services import audit
from services.kit.clock import parse_instant
from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.kit.money import decimal_text, parse_decimal, rounded
from services.ledger import portfolio, valuation
from services.ledger.conversion import require_factor
from services.market.feed import Feed
from services.market.freeze import portfolio_scope
from services.market.instrument import Instrument, tick_size
from services.market.quality import require_green
from services.market.quote import Quote
from services.trade import advice
from services.trade.confidence_tie import Confidence, is_forced
from services.trade.option_size import ContractSize, contract_size
from services.trade.param import Side, require
from services.trade.plan_store import StoredPlan, get_plan
from services.trade.rr import break_even_probability
from services.trade.sizing import AccountView, Levels, SizingAsk, SizingResult, suggest
from services.trade.user_plan import stop_price
from services.trade.wording import pct_words, price_words

_BPS = Decimal(10_000)
ADV_SESSIONS = 20


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
class SizeAnswer:
    """The suggested size, the levels it belongs to, and the quote it rests on."""

    ref: str
    symbol: str
    levels: Levels
    size: SizingResult
    quote: Quote

    def sentence(self) -> str:
        """Return the size in plain English from its figures."""
        size = self.size
        unit = "share" if size.quantity == 1 else "shares"
        cap = size.binding.replace("_", " ")
        capped = "" if size.binding == "risk" else f" The cap that binds is {cap}."
        eased = ""
        if size.size_multiplier != 1:
            sure = "uncalibrated confidence" if "UNCALIBRATED" in size.flags else "confidence"
            eased = f" Its {sure} lets {pct_words(size.size_multiplier)} of the risk be taken."
        return (
            f"That is {decimal_text(size.quantity)} {unit} of {self.symbol}: risk "
            f"{size.one_r:.2f} {size.currency} ({pct_words(size.risk_pct_used)} of equity "
            f"{rounded(size.equity, 2):.2f}) between {price_words(self.levels.entry)} and "
            f"{price_words(self.levels.stop)}, position value {size.notional:.2f}.{capped}{eased}"
        )


def fraction_of(text: str, usual: Decimal) -> Decimal:
    """Return the fraction that `text` names. Worked: `1%` is 0.01, `half` of 0.01 is 0.005."""
    if text == "half":
        return usual / 2
    if text.endswith("%"):
        return parse_decimal(text[:-1].strip(), "risk_pct") / 100
    return parse_decimal(text, "risk_pct")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trade:
    """What is sized: levels with costs, how long it is held, and what is known of its chance."""

    instrument: Instrument
    levels: Levels
    holding: str = "swing"
    confidence: Confidence | None = None


def size_trade(ctx: Context, ask: SizeAsk) -> SizeAnswer:
    """Suggest a size on fresh data for the default portfolio and store it as advice.

    A plan's own levels, costs and confidence are used when it is named. Raises what `sizing.size`
    raises, `PLAN_UNKNOWN`, `PLAN_EXPIRED`, `PARAM_INVALID` without a plan or whole levels,
    `SYMBOL_UNKNOWN`, `FX_MISSING`, `FX_STALE`, and `DQ_BLOCK` on bad data.
    """
    feed = ctx.port(Feed)
    plan = get_plan(ctx, ask.plan_id) if ask.plan_id else None
    symbol = plan.symbol if plan else (ask.symbol or "").upper()
    require(symbol, "symbol", value="", rule="give a symbol with its levels, or a plan_id")
    instrument = feed.instrument(ctx, symbol)
    owned = portfolio.get_portfolio(ctx, None)
    quality = require_green(ctx, [instrument.symbol], scopes=(portfolio_scope(owned.id),))
    quote = feed.quote(ctx, instrument.symbol)
    trade = (
        _of_plan(ctx, plan, instrument, ask) if plan else _of_levels(ctx, ask, instrument, quote)
    )
    factor = require_factor(ctx, instrument, owned.base_currency)
    levels = replace(trade.levels, fx_to_account=factor)
    wanted = SizingAsk(
        holding=trade.holding,
        risk_pct=fraction_of(ask.risk_pct, ctx.policy.sizing.risk_pct) if ask.risk_pct else None,
        confidence=trade.confidence,
    )
    account = account_view(ctx, instrument.symbol)
    sized = suggest(levels, account, policy=ctx.policy, ask=wanted)
    ref = advice.save(
        ctx,
        "size",
        symbol=instrument.symbol,
        quality=quality,
        document={
            **size_document(instrument.symbol, levels, sized),
            **({"plan_id": plan.id} if plan else {}),
            **({"ignored_confidence": True} if ask.confidence == "ignore" and plan else {}),
        },
    )
    _record_forced(ctx, ref, trade.confidence, sized)
    return SizeAnswer(ref=ref, symbol=instrument.symbol, levels=levels, size=sized, quote=quote)


def _record_forced(
    ctx: Context, ref: str, confidence: Confidence | None, sized: SizingResult
) -> None:
    """Audit as `size.forced` that a person took a trade whose measured chance has no edge."""
    if confidence is None or not is_forced(confidence):
        return
    audit.record(
        ctx,
        "size.forced",
        ref,
        confidence=confidence.value,
        tier=confidence.tier,
        p_breakeven_tp1=rounded(break_even_probability(confidence.rr_tp1), 4),
        size_multiplier=sized.size_multiplier,
        quantity=sized.quantity,
    )


def _of_levels(ctx: Context, ask: SizeAsk, instrument: Instrument, quote: Quote) -> _Trade:
    """Return the trade of levels that a person gave; without an entry it enters at the market."""
    require(ask.side, "side", value="", rule="give a side with the levels, or a plan_id")
    require(ask.stop, "stop", value="", rule="give a stop with the levels, or a plan_id")
    side, stop = ask.side or "long", ask.stop or ""
    market = quote.ask if side == "long" else quote.bid
    entry = parse_decimal(ask.entry, "entry") if ask.entry else market or quote.last
    tick = tick_size(instrument, quote.last, quote.ts.date())
    price = stop_price(stop, side=side, entry=entry, tick=tick)
    return _Trade(
        instrument=instrument, levels=_levels(ctx, instrument, side, entry=entry, stop=price)
    )


def _levels(
    ctx: Context, instrument: Instrument, side: Side, *, entry: Decimal, stop: Decimal
) -> Levels:
    paper = ctx.policy.paper
    return Levels(
        side=side,
        entry=entry,
        lot=instrument.lot_step,
        multiplier=instrument.multiplier,
        stop=stop,
        slippage_per_unit=entry * paper.slippage_bps / _BPS,
        commission_per_unit=paper.commission_share,
    )


def _of_plan(ctx: Context, plan: StoredPlan, instrument: Instrument, ask: SizeAsk) -> _Trade:
    """Return the trade of a composed plan: its worst entry, its stop and its confidence."""
    body, as_of = plan.document, ctx.port(Feed).as_of(ctx)
    if parse_instant(body["expires_at"]) < as_of:
        raise refuse("PLAN_EXPIRED", ts=body["expires_at"])
    confidence = confidence_of_plan(body, ignored=ask.confidence == "ignore")
    entry, stop = Decimal(body["entry"]["worst"]), Decimal(body["stop"]["price"])
    return _Trade(
        instrument=instrument,
        levels=_levels(ctx, instrument, body["side"], entry=entry, stop=stop),
        holding="intraday" if body["style"] == "intraday" else "swing",
        confidence=confidence,
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


def contract_sizes(ctx: Context, plan: StoredPlan) -> tuple[ContractSize, ...]:
    """Return how many contracts of each alternative of a plan the default portfolio may buy.

    The plan itself holds the risk of one contract, as it does not depend on whose account asks.
    Empty without alternatives, and while the account's own worth is not known.
    """
    body = plan.document
    if not body["option_alternatives"]:
        return ()
    try:
        account = account_view(ctx, plan.symbol)
    except Refusal as refusal:
        if refusal.kind is not Kind.DATA:
            raise
        return ()
    sure = confidence_of_plan(body)
    return tuple(
        contract_size(one, account, policy=ctx.policy.sizing, confidence=sure)
        for one in body["option_alternatives"]
    )


def account_view(ctx: Context, symbol: str) -> AccountView:
    """Return the default portfolio as sizing sees it: equity now, cash not held back.

    Raises `DQ_BLOCK` while a held listing has no price. Day risk is the daily limit less today's
    loss; open risk is not known without stops at the broker, so the portfolio cap is left out and
    named in `caps_skipped`.
    """
    owned = portfolio.get_portfolio(ctx, None)
    worth = valuation.value(ctx, owned.id)
    equity = worth.require_equity()
    days = ctx.port(Feed).bars(ctx, symbol, "1d", ADV_SESSIONS).bars
    held = next((item for item in worth.holdings if item.symbol == symbol), None)
    limit = ctx.policy.risk.day_loss * (worth.session_open_equity or equity)
    return AccountView(
        currency=owned.base_currency,
        equity=equity,
        buying_power=worth.cash.available.amount,
        day_risk_left=limit - max(Decimal(0), -(worth.day_pnl or Decimal(0))),
        adv_units=_mean_volume([bar.v for bar in days]),
        symbol_notional=(held.market_value if held else None) or Decimal(0),
    )


def _mean_volume(volumes: list[Decimal]) -> Decimal | None:
    """Return the mean daily volume of twenty sessions, None with fewer."""
    if len(volumes) < ADV_SESSIONS:
        return None
    return sum(volumes, Decimal(0)) / ADV_SESSIONS


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
