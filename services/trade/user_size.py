"""Owns the size of a person's trade: fresh data, the account as sizing sees it, stored advice."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services import audit
from services.kit.clock import parse_instant
from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.kit.money import decimal_text, rounded
from services.ledger import portfolio, valuation
from services.ledger.conversion import require_factor
from services.market.feed import Feed
from services.market.freeze import portfolio_scope
from services.market.instrument import tick_size
from services.market.quality import require_green
from services.market.quote import Quote
from services.trade import advice
from services.trade.confidence_tie import Confidence, is_forced
from services.trade.option_size import ContractSize, contract_size, is_leaps
from services.trade.param import require
from services.trade.plan_store import StoredPlan, get_plan
from services.trade.risk_store import find_risk
from services.trade.rr import break_even_probability
from services.trade.sized_trade import (
    SizeAsk,
    SizedListing,
    SizeInputs,
    confidence_of_plan,
    size_of,
)
from services.trade.sizing import AccountView, Levels, SizingResult
from services.trade.user_plan import seen_of
from services.trade.wording import pct_words, price_words

ADV_SESSIONS = 20


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
        if "RISK_NEAR_LIMIT" in size.flags:
            eased += " A limit of your risk is near, so half of the usual risk is suggested."
        return (
            f"That is {decimal_text(size.quantity)} {unit} of {self.symbol}: risk "
            f"{size.one_r:.2f} {size.currency} ({pct_words(size.risk_pct_used)} of equity "
            f"{rounded(size.equity, 2):.2f}) between {price_words(self.levels.entry)} and "
            f"{price_words(self.levels.stop)}, position value {size.notional:.2f}.{capped}{eased}"
        )


def size_trade(ctx: Context, ask: SizeAsk) -> SizeAnswer:
    """Suggest a size on fresh data for the default portfolio and store it as advice.

    A plan's own levels, costs and confidence are used when it is named. Raises what `sizing.size`
    raises, `PLAN_UNKNOWN`, `PLAN_EXPIRED`, `PARAM_INVALID` without a plan or whole levels,
    `SYMBOL_UNKNOWN`, `FX_MISSING`, `FX_STALE`, and `DQ_BLOCK` on bad data.
    """
    feed = ctx.port(Feed)
    plan = _standing_plan(ctx, ask.plan_id) if ask.plan_id else None
    symbol = plan.symbol if plan else (ask.symbol or "").upper()
    require(symbol, "symbol", value="", rule="give a symbol with its levels, or a plan_id")
    instrument = feed.instrument(ctx, symbol)
    owned = portfolio.get_portfolio(ctx, None)
    quality = require_green(ctx, [instrument.symbol], scopes=(portfolio_scope(owned.id),))
    quote = feed.quote(ctx, instrument.symbol)
    inputs = SizeInputs(
        ask=ask,
        quote=seen_of(quote),
        listing=SizedListing(
            symbol=instrument.symbol,
            tick=tick_size(instrument, quote.last, quote.ts.date()),
            lot=instrument.lot_step,
            multiplier=instrument.multiplier,
            factor=require_factor(ctx, instrument, owned.base_currency),
        ),
        account=account_view(ctx, instrument.symbol),
    )
    made = size_of(inputs, policy=ctx.policy, plan=plan.document if plan else None)
    ref = advice.save(
        ctx,
        "size",
        symbol=instrument.symbol,
        quality=quality,
        document=made.document,
        inputs=inputs,
    )
    _record_forced(ctx, ref, made.confidence, made.size)
    return SizeAnswer(
        ref=ref, symbol=instrument.symbol, levels=made.levels, size=made.size, quote=quote
    )


def _standing_plan(ctx: Context, plan_id: str) -> StoredPlan:
    plan = get_plan(ctx, plan_id)
    ends = plan.document["expires_at"]
    if parse_instant(ends) < ctx.port(Feed).as_of(ctx):
        raise refuse("PLAN_EXPIRED", ts=ends)
    return plan


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


def contract_sizes(ctx: Context, plan: StoredPlan) -> tuple[ContractSize, ...]:
    """Return how many contracts of each alternative of a plan the default portfolio may buy.

    The plan itself holds the risk of one contract, as it does not depend on whose account asks.
    Empty without alternatives, and while the account's own worth or the rate to its money is not
    known.
    """
    body = plan.document
    if not body["option_alternatives"]:
        return ()
    try:
        account = account_view(ctx, plan.symbol)
        instrument = ctx.port(Feed).instrument(ctx, plan.symbol)
        factor = require_factor(ctx, instrument, account.currency)
    except Refusal as refusal:
        if refusal.kind is not Kind.DATA:
            raise
        return ()
    sure = confidence_of_plan(body)
    return tuple(
        contract_size(one, account, policy=ctx.policy.sizing, confidence=sure, factor=factor)
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
        leaps_held=_leaps_worth(worth),
        near_limit=_is_near_limit(ctx, owned.id),
    )


def _is_near_limit(ctx: Context, portfolio_id: str) -> bool:
    """Return whether the risk engine last found the account near one of its limits."""
    kept = find_risk(ctx, portfolio_id)
    return kept is not None and kept.state == "warn"


def _leaps_worth(worth: valuation.Valuation) -> Decimal:
    """Return what the long-dated calls of a portfolio are worth together; sold ones count not."""
    day = worth.as_of.date()
    return sum(
        (
            item.market_value
            for item in worth.holdings
            if item.market_value is not None and item.quantity > 0 and is_leaps(item.symbol, day)
        ),
        Decimal(0),
    )


def _mean_volume(volumes: list[Decimal]) -> Decimal | None:
    """Return the mean daily volume of twenty sessions, None with fewer."""
    if len(volumes) < ADV_SESSIONS:
        return None
    return sum(volumes, Decimal(0)) / ADV_SESSIONS
