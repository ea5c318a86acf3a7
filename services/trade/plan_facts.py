"""Owns gathering what a plan reads beside its bars: listing, quote, earnings, the option chain."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from services.kit.canonical import tagged_hash
from services.kit.context import Context
from services.kit.errors import Kind, Refusal
from services.market.action_record import known_splits
from services.market.chain import Chain, ChainFeed
from services.market.chain import find_capability as chain_capability
from services.market.earnings import read_earnings
from services.market.feed import Feed
from services.market.instrument import Instrument
from services.market.quote import Quote
from services.market.session import find_last_session
from services.strategy.load import Kept, Loaded
from services.trade.idea import Idea, Style
from services.trade.option_choice import choose_expiry, wanted_of
from services.trade.plan_inputs import ChainFacts, Citation, EarningsFacts, ListingFacts, QuoteFacts

if TYPE_CHECKING:
    from services.strategy.view import Side

EARNINGS_DAYS = 90
_PENDING = ("CORPORATE_ACTION_PENDING", "SPLIT_PENDING")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFacts:
    """What every plan of a symbol at one moment shares."""

    listing: ListingFacts
    quote: QuoteFacts
    earnings: EarningsFacts
    citations: tuple[Citation, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ReadChain:
    """The contracts for a plan, and the citation of each chain that was read."""

    facts: ChainFacts
    citations: tuple[Citation, ...] = ()


def facts_of(ctx: Context, loaded: Loaded) -> SharedFacts:
    """Return the quote and events of a listing now; raises what the feed raises."""
    quote = ctx.port(Feed).quote(ctx, loaded.instrument.id)
    return SharedFacts(
        listing=_listing(ctx, loaded),
        quote=QuoteFacts(
            bid=quote.bid or None,
            ask=quote.ask or None,
            last=quote.last,
            ts=_cut(quote.ts),
            halted=quote.halted,
        ),
        earnings=_earnings(ctx, loaded.instrument),
        citations=(quote_cited(quote, retrieved_at=ctx.now),),
        as_of=_cut(loaded.context.as_of),
    )


def _cut(moment: datetime) -> datetime:
    """Return an instant as documents hold it: whole milliseconds."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _listing(ctx: Context, loaded: Loaded) -> ListingFacts:
    """Return the listing, with a split between the last bar and now: those bars are not in it."""
    instrument, as_of = loaded.instrument, loaded.context.as_of
    newest = max(one.track.bars[-1].t_close for one in loaded.sources.values() if len(one.track))
    pending = known_splits(ctx, instrument.id, newest, as_of)
    action = next((flag for flag in instrument.flags if flag in _PENDING), "")
    facts = ListingFacts(
        id=instrument.id,
        symbol=instrument.symbol,
        asset_class=instrument.asset_class,
        currency=instrument.currency,
        calendar=instrument.calendar,
        borrowable=instrument.shortable,
        corporate_action="a corporate action" if action else "",
    )
    if not pending:
        return facts
    split = pending[-1]
    return replace(
        facts,
        corporate_action=f"a split of {split.ratio_to} for {split.ratio_from}",
        corporate_action_date=split.ex_date.isoformat(),
    )


def quote_cited(quote: Quote, *, retrieved_at: datetime) -> Citation:
    """Return the citation of a quote by the hash of its document (`quote/v1`)."""
    body = {
        "symbol": quote.instrument_id,
        "bid": quote.bid,
        "ask": quote.ask,
        "last": quote.last,
        "ts": quote.ts,
    }
    return Citation(
        provider=quote.source,
        dataset=quote.dataset or "quotes",
        symbol=quote.instrument_id,
        last_ts=_cut(quote.ts),
        doc_hash=tagged_hash("quote/v1", body),
        provenance=str(quote.provenance),
        retrieved_at=retrieved_at,
    )


def bars_cited(loaded: Loaded, idea: Idea) -> tuple[Citation, ...]:
    """Return the citation of every track that a plan reads, its own timeframe first."""
    own = idea.setup.timeframe
    names = sorted(loaded.sources, key=lambda name: (name != own, name))
    cited = [_bars(loaded.instrument.id, name, loaded.sources[name]) for name in names]
    if loaded.market is not None:
        cited.append(_bars("index", "1d", loaded.market))
    return tuple(one for one in cited if one is not None)


def _bars(symbol: str, timeframe: str, kept: Kept) -> Citation | None:
    if not len(kept.track):
        return None
    bars = kept.track.bars
    return Citation(
        provider=kept.provider,
        dataset=kept.dataset,
        symbol=symbol,
        timeframe=timeframe,
        first_ts=bars[0].t_open,
        last_ts=bars[-1].t_close,
        doc_hash=kept.bar_hash,
        provenance=kept.provenance,
    )


def _earnings(ctx: Context, instrument: Instrument) -> EarningsFacts:
    """Return the next report; a provider that fails leaves the date unknown and says so."""
    if instrument.asset_class != "equity":
        return EarningsFacts()
    try:
        page = read_earnings(ctx, [instrument.symbol], days=EARNINGS_DAYS)
    except Refusal as refusal:
        if refusal.kind is not Kind.DATA:
            raise
        return EarningsFacts(unknown_because=refusal.message)
    if page.absence is not None:
        return EarningsFacts(unknown_because=page.absence.why)
    row = page.rows[0] if page.rows else None
    if row is None or row.next is None:
        flagged = row is not None and "EARNINGS_UNKNOWN" in row.flags
        return EarningsFacts(unknown_because="no date is announced" if flagged else "")
    return EarningsFacts(day=row.next.date, time=row.next.time, confirmed=row.next.confirmed)


def chain_of(ctx: Context, loaded: Loaded, side: Side, style: Style) -> ReadChain:
    """Return the chains that the plan's option alternatives are chosen from, or why none."""
    if ChainFeed not in ctx.ports:
        return ReadChain(ChainFacts(absent_because=chain_capability(ctx).why))
    symbol, as_of = loaded.instrument.symbol, loaded.context.as_of
    session = find_last_session(loaded.instrument.calendar, as_of)
    day = as_of.date() if session is None else session.date
    try:
        expiries = tuple(ctx.port(ChainFeed).expirations(ctx, symbol))
        chosen = {
            expiry
            for wanted in wanted_of(side, style)
            if (expiry := choose_expiry(expiries, wanted, on=day)) is not None
        }
        chains = [ctx.port(ChainFeed).chain(ctx, symbol, expiry) for expiry in sorted(chosen)]
    except Refusal as refusal:
        if refusal.kind is not Kind.DATA:
            raise
        return ReadChain(ChainFacts(absent_because=refusal.message))
    if not chains:
        return ReadChain(ChainFacts(absent_because=f"{symbol} has no options that fit the plan"))
    spot = next((one.spot for one in chains if one.spot is not None), None)
    return ReadChain(
        ChainFacts(
            contracts=tuple(one for chain in chains for one in chain.contracts),
            spot=spot if spot is not None else ctx.port(Feed).quote(ctx, symbol).last,
            flags=tuple(sorted({flag for chain in chains for flag in chain.flags})),
        ),
        tuple(_chain_cited(loaded.instrument.id, one) for one in chains),
    )


def _chain_cited(symbol: str, chain: Chain) -> Citation:
    return Citation(
        provider=chain.source,
        dataset="options",
        symbol=symbol,
        last_ts=_cut(chain.as_of),
        doc_hash=tagged_hash("chain/v1", {"contracts": chain.contracts, "spot": chain.spot}),
        provenance=str(chain.provenance),
    )
