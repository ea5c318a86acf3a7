"""Owns the option chain: its port and contracts, how it is read, and the part near the money."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal, Protocol

from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from services.market.absence import Absence, find_absence, no_provider
from services.market.decode import Record
from services.market.feed import Capability, Feed
from services.market.instrument import require_symbol
from services.market.quote import Provenance
from services.market.session import market_state

CHAIN_AGE_MAX = timedelta(minutes=5)
"""Oldest that the newest quote of a chain may be while its market is open."""
_CALENDAR = "XNYS"
_WHAT = "option chains"
_KEYS = "MASSIVE_API_KEY or TRADIER_ACCESS_TOKEN"
_IV_MAX = Decimal(5)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionContract:
    """One contract and its quote; what the provider does not say is None, never 0.

    `symbol` is the unpadded OSI text such as `AAPL270115C00200000`; prices are per unit of the
    underlying; `iv` is a fraction per year.
    """

    symbol: str
    underlying: str
    expiry: date
    right: Literal["call", "put"]
    strike: Decimal
    style: str | None
    multiplier: Decimal | None
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    volume: Decimal | None
    open_interest: Decimal | None
    iv: Decimal | None
    delta: Decimal | None
    gamma: Decimal | None
    theta: Decimal | None
    vega: Decimal | None
    quote_ts: datetime | None
    greeks_ts: datetime | None

    @property
    def mid(self) -> Decimal | None:
        """Return (bid + ask) / 2, unrounded; None unless 0 < bid <= ask."""
        if self.bid is None or self.ask is None or not 0 < self.bid <= self.ask:
            return None
        return (self.bid + self.ask) / 2

    @property
    def flags(self) -> tuple[str, ...]:
        """Return `QUOTE_UNUSABLE` without a two-sided market, `GREEKS_MISSING` without sound ones.

        Such a contract may be shown, and is never picked, sized or ranked.
        """
        greeks = self.delta is not None and self.iv is not None and 0 < self.iv < _IV_MAX
        lacking = (("QUOTE_UNUSABLE", self.mid is None), ("GREEKS_MISSING", not greeks))
        return tuple(code for code, lacks in lacking if lacks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The contracts of one expiry, by strike, calls before puts.

    `provenance` is that of the contracts' quotes, `spot_provenance` that of the underlying's
    price: a plan may give one in real time and the other delayed.
    """

    underlying: str
    spot: Decimal | None
    as_of: datetime
    provenance: Provenance
    source: str
    contracts: tuple[OptionContract, ...]
    flags: tuple[str, ...] = ()
    spot_provenance: Provenance | None = None


class ChainFeed(Protocol):
    """Where option chains come from; every method of data may raise `PROVIDER_*`."""

    def expirations(self, ctx: Context, symbol: str) -> Sequence[date]:
        """Return the expiry dates of a symbol's options, ascending, none passed."""
        ...

    def chain(self, ctx: Context, symbol: str, expiry: date) -> Chain:
        """Return every contract of one expiry."""
        ...

    def capability(self) -> Capability:
        """Return whether chains are on, why, and what to do; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainView:
    """The expirations of a symbol and the chain of one; `absence` says why there is none."""

    symbol: str
    expirations: tuple[date, ...]
    chain: Chain | None
    as_of: datetime
    absence: Absence | None = None


def read_chain(ctx: Context, symbol: str, expiry: date | None = None) -> ChainView:
    """Return the chain of `expiry`, the nearest one by default.

    The underlying's price is the chain's own, else the feed's last, under its own label. Adds
    `CHAIN_STALE` when the newest quote is older than five minutes of an open market, and
    `QUOTES_MISSING` when no contract has one. Raises `PARAM_INVALID` for an expiry that is none
    (the nearest three are named), `SYMBOL_UNKNOWN`, `PROVIDER_*`.
    """
    return _answered(ctx, symbol, lambda known: _read(ctx, known, expiry))


def read_expirations(ctx: Context, symbol: str) -> ChainView:
    """Return the expiry dates of a symbol's options without a chain; refuses as `read_chain`."""
    return _answered(ctx, symbol, lambda known: _dates(ctx, known))


def find_capability(ctx: Context) -> Capability:
    """Return whether option chains are on, why, and what to do."""
    if ChainFeed in ctx.ports:
        return ctx.port(ChainFeed).capability()
    absence = no_provider(_WHAT, _KEYS)
    return Capability(_WHAT, on=False, why=absence.why, todo=absence.todo)


def _answered(ctx: Context, symbol: str, act: Callable[[str], ChainView]) -> ChainView:
    """Return what `act` says about a known symbol, or an empty view with the reason."""
    known = require_symbol(symbol)
    absence: Absence | None = no_provider(_WHAT, _KEYS)
    if ChainFeed in ctx.ports:
        try:
            return act(ctx.port(Feed).instrument(ctx, known).symbol)
        except Refusal as refusal:
            absence = find_absence(refusal, _WHAT)
            if absence is None:
                raise
    return ChainView(symbol=known, expirations=(), chain=None, as_of=ctx.now, absence=absence)


def _dates(ctx: Context, symbol: str) -> ChainView:
    dates = tuple(ctx.port(ChainFeed).expirations(ctx, symbol))
    return ChainView(symbol=symbol, expirations=dates, chain=None, as_of=ctx.now)


def _read(ctx: Context, symbol: str, expiry: date | None) -> ChainView:
    view = _dates(ctx, symbol)
    if not view.expirations:
        return view
    wanted = view.expirations[0] if expiry is None else expiry
    if wanted not in view.expirations:
        raise _no_expiry(wanted, view.expirations)
    found = _with_spot(ctx, ctx.port(ChainFeed).chain(ctx, symbol, wanted))
    flags = dict.fromkeys((*found.flags, *find_flags(found, ctx.now)))
    return replace(view, chain=replace(found, flags=tuple(flags)), as_of=found.as_of)


def _no_expiry(wanted: date, dates: Sequence[date]) -> Refusal:
    nearest = sorted(dates, key=lambda one: (abs(one - wanted), one))[:3]
    shown = ", ".join(one.isoformat() for one in sorted(nearest))
    return refuse(
        "PARAM_INVALID",
        field="expiry",
        name="expiry",
        value=wanted.isoformat(),
        rule=f"the nearest expiries are {shown}",
        nearest=[one.isoformat() for one in sorted(nearest)],
    )


def _with_spot(ctx: Context, chain: Chain) -> Chain:
    """Return the chain with a price of its underlying; without one anywhere it stays None."""
    if chain.spot is not None:
        return chain
    try:
        quote = ctx.port(Feed).quote(ctx, chain.underlying)
    except Refusal:
        return chain
    return replace(chain, spot=quote.last, spot_provenance=quote.provenance)


def find_flags(chain: Chain, now: datetime) -> tuple[str, ...]:
    """Return `QUOTES_MISSING` or `CHAIN_STALE` where they apply; a closed market ages nothing.

    Worked: the newest quote at 15:00:00Z is stale at 15:05:01Z and not at 15:05:00Z.
    """
    times = [one.quote_ts for one in chain.contracts if one.quote_ts is not None]
    if all(one.bid is None and one.ask is None for one in chain.contracts):
        return ("QUOTES_MISSING",)
    old = now - max(times, default=chain.as_of) > CHAIN_AGE_MAX
    return ("CHAIN_STALE",) if old and market_state(_CALENDAR, now).state == "open" else ()


def near_money(chain: Chain, strikes: int) -> tuple[tuple[OptionContract, ...], int]:
    """Return the contracts of the `strikes` strikes nearest to the price, and how many are left.

    Without a price of the underlying the middle strike stands for it.
    """
    listed = sorted({one.strike for one in chain.contracts})
    if not listed:
        return (), 0
    centre = listed[len(listed) // 2] if chain.spot is None else chain.spot
    kept = set(sorted(listed, key=lambda strike: (abs(strike - centre), strike))[:strikes])
    shown = tuple(one for one in chain.contracts if one.strike in kept)
    return shown, len(chain.contracts) - len(shown)


def build_contract(record: Record, underlying: str) -> OptionContract | None:
    """Return the contract of a decoded row; None for one that is neither call nor put."""
    right, strike, expiry = record["right"], record["strike"], record["expiry"]
    if right not in ("call", "put") or strike is None or expiry is None or not record["osi"]:
        return None
    same = ("style", "multiplier", "bid", "ask", "last", "bid_size", "ask_size", "volume")
    greeks = ("open_interest", "iv", "delta", "gamma", "theta", "vega", "quote_ts", "greeks_ts")
    return OptionContract(
        symbol=record["osi"].replace(" ", ""),
        underlying=underlying,
        expiry=expiry,
        right=right,
        strike=strike,
        **{name: record.get(name) for name in (*same, *greeks)},
    )


def sort_contracts(contracts: Sequence[OptionContract]) -> tuple[OptionContract, ...]:
    """Return the contracts by strike, calls before puts, each symbol once."""
    once = {one.symbol: one for one in contracts}
    return tuple(sorted(once.values(), key=lambda one: (one.strike, one.right, one.symbol)))
