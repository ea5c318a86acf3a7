"""Owns the check of a person's plan: levels from their words and the quote, then the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.errors import refuse
from services.kit.money import decimal_text, parse_decimal, rounded, tick_round
from services.kit.policy import PaperPolicy, Policy
from services.ledger import portfolio
from services.market.feed import Feed
from services.market.freeze import portfolio_scope
from services.market.instrument import Instrument, tick_size
from services.market.quality import require_green
from services.market.quote import Quote
from services.trade import advice
from services.trade.draft import MarketFacts, PlanDraft
from services.trade.param import Side
from services.trade.plan import PlanCheck, validate_user_plan
from services.trade.plan_rule import RrLimits
from services.trade.wording import pct_words, price_words

_HUNDRED = Decimal(100)
_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAsk:
    """What the person said: prices as they wrote them; `stop` may be a distance such as `3%`."""

    symbol: str
    side: Side
    stop: str
    entry: str | None = None
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteSeen:
    """What of a quote an answer rests on, as it is kept and shown."""

    bid: Decimal
    ask: Decimal
    last: Decimal
    ts: datetime
    provenance: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckInputs:
    """Everything a check is made of beside the policy; equal inputs make the same bytes."""

    ask: PlanAsk
    quote: QuoteSeen
    symbol: str
    tick: Decimal
    shortable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAnswer:
    """The levels as they were understood, what the rules say, and the quote they rest on."""

    ref: str
    instrument: Instrument
    quote: Quote
    draft: PlanDraft
    check: PlanCheck

    def sentence(self) -> str:
        """Return the plan in plain English from its figures; an unsound plan says what is wrong."""
        draft, figures = self.draft, self.check.figures
        head = (
            f"{draft.side.capitalize()} {draft.symbol} at {price_words(draft.worst)}, stop "
            f"{price_words(draft.stop)}"
        )
        if figures is None or self.check.errors:
            return f"{head}: this plan does not hold. {self._problems()}"
        targets = ", ".join(
            f"{price_words(one.price)} ({decimal_text(rounded(one.r, 2))}R)"
            for one in figures.targets
        )
        parts = [
            (
                f"{head} ({pct_words(figures.stop_distance_pct)} away, risk "
                f"{price_words(rounded(figures.risk_per_unit, 4))} a share with costs), targets "
                f"{targets}."
            )
        ]
        if figures.blended is not None:
            parts.append(
                f"Reward for risk is {decimal_text(rounded(figures.blended, 2))} net of costs "
                f"({figures.band}); target 1 must be reached in "
                f"{pct_words(figures.p_breakeven_tp1)} of such trades to break even."
            )
        parts += [
            f"Mind: {item.message}." for item in self.check.findings if item.level == "warning"
        ]
        return " ".join([*parts, "Confidence: uncalibrated, this is your own plan."])

    def _problems(self) -> str:
        """Return what is wrong; a missing target is no fault of a plan whose stop is wrong."""
        found = [item for item in self.check.findings if item.level == "error"]
        told = [item for item in found if item.code != "NO_TARGET"] or found
        return " ".join(
            f"{item.message[:1].upper()}{item.message[1:]}. {item.hint}" for item in told
        )


def cost_per_unit(ctx: Context, price: Decimal) -> Decimal:
    """Return the assumed round-trip cost of one unit: slippage and two commissions.

    Worked: at 100.00 with 2 bps and 0.005 a share it is 0.03.
    """
    return _unit_cost(ctx.policy.paper, price)


def _unit_cost(paper: PaperPolicy, price: Decimal) -> Decimal:
    return rounded(price * paper.slippage_bps / _BPS + 2 * paper.commission_share, 6)


def seen_of(quote: Quote) -> QuoteSeen:
    """Return what of a quote is kept with an answer."""
    return QuoteSeen(
        bid=quote.bid,
        ask=quote.ask,
        last=quote.last,
        ts=quote.ts,
        provenance=str(quote.provenance),
        source=quote.source,
    )


def check_plan(ctx: Context, ask: PlanAsk) -> PlanAnswer:
    """Check a plan against the rules on fresh data and store the answer as advice.

    Without an entry the plan enters at the market: the ask for a long, the bid for a short.
    A percentage stop is that distance from the entry, rounded to the tick against the trade.
    What it was made of is kept with it, so that it can be made again. Raises `SYMBOL_UNKNOWN`,
    `PARAM_INVALID`, `DQ_BLOCK`, `QUOTE_UNUSABLE`; a bad plan is no refusal but errors in the check.
    """
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, ask.symbol)
    scopes = tuple(portfolio_scope(one.id) for one in portfolio.list_portfolios(ctx))
    quality = require_green(ctx, [instrument.symbol], scopes=scopes)
    quote = feed.quote(ctx, instrument.symbol)
    inputs = CheckInputs(
        ask=ask,
        quote=seen_of(quote),
        symbol=instrument.symbol,
        tick=tick_size(instrument, quote.last, quote.ts.date()),
        shortable=instrument.shortable,
    )
    draft, check = judge_check(inputs, ctx.policy)
    ref = advice.save(
        ctx,
        "plan",
        symbol=instrument.symbol,
        quality=quality,
        document=plan_document(draft, check, inputs.quote),
        inputs=inputs,
    )
    return PlanAnswer(ref=ref, instrument=instrument, quote=quote, draft=draft, check=check)


def judge_check(inputs: CheckInputs, policy: Policy) -> tuple[PlanDraft, PlanCheck]:
    """Return the levels as they were understood and what the rules say; pure.

    Raises `PARAM_INVALID`, `QUOTE_UNUSABLE`.
    """
    side, quote = inputs.ask.side, inputs.quote
    facts = MarketFacts(
        as_of=quote.ts, last=quote.last, borrowable=inputs.shortable if side == "short" else None
    )
    limits = RrLimits(min_rr1=policy.plan.min_rr1, min_rr=policy.plan.min_rr)
    return validate_user_plan(build_draft(inputs, policy), market=facts, limits=limits)


def remake_check(inputs: CheckInputs, policy: Policy) -> dict[str, object]:
    """Return the document that `check_plan` stored of these inputs."""
    draft, check = judge_check(inputs, policy)
    return plan_document(draft, check, inputs.quote)


def build_draft(inputs: CheckInputs, policy: Policy) -> PlanDraft:
    """Return the draft of what the person said, every price understood against the quote."""
    ask, quote, tick = inputs.ask, inputs.quote, inputs.tick
    market = quote.ask if ask.side == "long" else quote.bid
    if ask.entry is None and market is None:
        raise refuse("QUOTE_UNUSABLE", contract=inputs.symbol, reason="no two-sided market")
    entry = parse_decimal(ask.entry, "entry") if ask.entry else market
    stop = stop_price(ask.stop, side=ask.side, entry=entry, tick=tick)
    return PlanDraft(
        side=ask.side,
        entry_lo=entry,
        entry_hi=entry,
        stop=stop,
        tick=tick,
        targets=tuple(parse_decimal(item, "targets") for item in ask.targets),
        fractions=_equal_fractions(len(ask.targets)),
        symbol=inputs.symbol,
        entry_kind="limit" if ask.entry else "market",
        bid=quote.bid,
        ask=quote.ask,
        cost_per_unit=_unit_cost(policy.paper, entry),
    )


def _equal_fractions(count: int) -> tuple[Decimal, ...] | None:
    """Return equal parts at 4 decimals, what rounding leaves on the first; None without targets."""
    if count == 0:
        return None
    part = rounded(Decimal(1) / count, 4)
    return (1 - part * (count - 1), *[part] * (count - 1))


def stop_price(text: str, *, side: Side, entry: Decimal, tick: Decimal) -> Decimal:
    """Return the stop that `text` names: a price, or a distance such as `3%` from the entry.

    The distance is rounded to the tick away from the entry. Raises `PARAM_INVALID` outside 0-50 %.
    Worked: a long at 411.40 with `3%` and tick 0.01 is 399.05 (399.058 floored).
    """
    if not text.endswith("%"):
        return parse_decimal(text, "stop")
    percent = parse_decimal(text[:-1].strip(), "stop")
    if not 0 < percent <= 50:
        raise refuse(
            "PARAM_INVALID",
            field="stop",
            name="stop",
            value=text,
            rule="a percentage stop is above 0 % and at most 50 %",
        )
    if side == "long":
        return tick_round(entry * (1 - percent / _HUNDRED), tick, "floor")
    return tick_round(entry * (1 + percent / _HUNDRED), tick, "ceil")


def plan_document(draft: PlanDraft, check: PlanCheck, quote: QuoteSeen) -> dict[str, object]:
    """Return the plan as it is stored and shown; figures are absent while it is unsound."""
    document: dict[str, object] = {
        "symbol": draft.symbol,
        "side": draft.side,
        "entry": draft.worst,
        "stop": draft.stop,
        "entry_kind": draft.entry_kind,
        "targets": list(draft.targets),
        "errors": list(check.errors),
        "warnings": list(check.warnings),
        "quote": {
            "bid": quote.bid,
            "ask": quote.ask,
            "last": quote.last,
            "ts": instant_text(quote.ts),
            "provenance": quote.provenance,
            "source": quote.source,
        },
    }
    if check.figures is not None:
        document["risk_per_unit"] = check.figures.risk_per_unit
        document["stop_distance"] = check.figures.stop_distance
    return {key: _texts(value) for key, value in document.items()}


def _texts(value: object) -> object:
    if isinstance(value, Decimal):
        return decimal_text(value)
    return [_texts(item) for item in value] if isinstance(value, list) else value
