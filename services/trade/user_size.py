"""Owns the size of a person's trade: the account as sizing sees it, then the rules."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from services.kit.context import Context
from services.kit.money import decimal_text, parse_decimal, rounded
from services.ledger import portfolio, valuation
from services.market.feed import Feed
from services.market.freeze import portfolio_scope
from services.market.instrument import tick_size
from services.market.quality import require_green
from services.market.quote import Quote
from services.trade import advice
from services.trade.param import Side
from services.trade.sizing import AccountView, Levels, SizingAsk, SizingResult, suggest
from services.trade.user_plan import stop_price
from services.trade.wording import pct_words, price_words

_BPS = Decimal(10_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeAsk:
    """What the person said; `risk_pct` is a fraction (`0.01`) or a percentage (`1%`)."""

    symbol: str
    side: Side
    stop: str
    entry: str | None = None
    risk_pct: str | None = None


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
        return (
            f"That is {decimal_text(size.quantity)} {unit} of {self.symbol}: risk "
            f"{size.one_r:.2f} {size.currency} ({pct_words(size.risk_pct_used)} of equity "
            f"{rounded(size.equity, 2):.2f}) between {price_words(self.levels.entry)} and "
            f"{price_words(self.levels.stop)}, position value {size.notional:.2f}.{capped}"
        )


def fraction_of(text: str) -> Decimal:
    """Return the fraction that `text` names. Worked: `1%` is 0.01, `0.01` is 0.01."""
    if text.endswith("%"):
        return parse_decimal(text[:-1].strip(), "risk_pct") / 100
    return parse_decimal(text, "risk_pct")


def size_trade(ctx: Context, ask: SizeAsk) -> SizeAnswer:
    """Suggest a size on fresh data for the default portfolio and store it as advice.

    Raises what `sizing.size` raises, `SYMBOL_UNKNOWN`, and `DQ_BLOCK` on bad data.
    """
    feed = ctx.port(Feed)
    instrument = feed.instrument(ctx, ask.symbol)
    owned = portfolio.get_portfolio(ctx, None)
    quality = require_green(ctx, [instrument.symbol], scopes=(portfolio_scope(owned.id),))
    quote = feed.quote(ctx, instrument.symbol)
    market = quote.ask if ask.side == "long" else quote.bid
    entry = parse_decimal(ask.entry, "entry") if ask.entry else market or quote.last
    tick = tick_size(instrument, quote.last, quote.ts.date())
    paper = ctx.policy.paper
    levels = Levels(
        side=ask.side,
        entry=entry,
        lot=instrument.lot_step,
        multiplier=instrument.multiplier,
        stop=stop_price(ask.stop, side=ask.side, entry=entry, tick=tick),
        slippage_per_unit=entry * paper.slippage_bps / _BPS,
        commission_per_unit=paper.commission_share,
    )
    wanted = SizingAsk(risk_pct=fraction_of(ask.risk_pct) if ask.risk_pct else None)
    sized = suggest(levels, account_view(ctx, instrument.symbol), policy=ctx.policy, ask=wanted)
    ref = advice.save(
        ctx,
        "size",
        symbol=instrument.symbol,
        quality=quality,
        document=size_document(instrument.symbol, levels, sized),
    )
    return SizeAnswer(ref=ref, symbol=instrument.symbol, levels=levels, size=sized, quote=quote)


def account_view(ctx: Context, symbol: str) -> AccountView:
    """Return the default portfolio as sizing sees it: equity now, cash not held back.

    Raises `DQ_BLOCK` while a held listing has no price. Day risk is the daily limit less today's
    loss; open risk is not known without stops at the broker, so the portfolio cap is left out and
    named in `caps_skipped`.
    """
    owned = portfolio.get_portfolio(ctx, None)
    worth = valuation.value(ctx, owned.id)
    equity = worth.require_equity()
    held = next((item for item in worth.holdings if item.symbol == symbol), None)
    limit = ctx.policy.risk.day_loss * (worth.session_open_equity or equity)
    return AccountView(
        currency=owned.base_currency,
        equity=equity,
        buying_power=worth.cash.available.amount,
        day_risk_left=limit - max(Decimal(0), -(worth.day_pnl or Decimal(0))),
        symbol_notional=(held.market_value if held else None) or Decimal(0),
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
        "caps": {key: decimal_text(cap) for key, cap in sized.caps.items()},
    }
