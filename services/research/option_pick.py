"""Owns picking option contracts: the expiries of a profile, its filters, three ranked results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from services.kit.context import Context
from services.kit.errors import check, refuse
from services.kit.money import tick_round
from services.market.absence import Absence
from services.market.chain import Chain, ChainView, OptionContract, read_chain, read_expirations
from services.market.earnings import EarningsRow, read_earnings
from services.market.feed import Feed
from services.market.instrument import Instrument
from services.market.session import find_last_session
from services.strategy.option_greeks import Greeks, PricedAt, greeks_of
from services.strategy.option_rank import AIMS, RankAim, Ranked, rank
from services.strategy.option_screen import (
    PROFILES,
    LeapsMetrics,
    ScreenContract,
    ScreenProfile,
    leaps_metrics,
    screen,
)
from services.trade.option_choice import OPTION_TICKS

Profile = Literal["intraday_long", "swing_long", "leaps_call", "protective_put"]
EARNINGS_DAYS = 90
ZERO = Decimal(0)
_LEAPS_SESSIONS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionPick:
    """One picked contract: its rank with every part, its Greeks, and what it costs."""

    contract: OptionContract
    ranked: Ranked
    greeks: Greeks
    metrics: LeapsMetrics
    limit: Decimal
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionPicks:
    """The best contracts of a profile; `rejects` counts the others by first failed rule.

    `missing` counts why contracts have no Greeks. `expiries` were read, `unread` fit the profile
    and were not. `absence` says why there is no chain at all.
    """

    symbol: str
    profile: Profile
    as_of: datetime
    picks: tuple[OptionPick, ...] = ()
    rejects: Mapping[str, int]
    missing: Mapping[str, int]
    expiries: tuple[date, ...] = ()
    unread: int = 0
    spot: Decimal | None = None
    chain: Chain | None = None
    flags: tuple[str, ...] = ()
    absence: Absence | None = None


def pick_options(ctx: Context, symbol: str, profile: Profile) -> OptionPicks:
    """Return the three best contracts of a symbol for a profile; filters are never relaxed.

    Of the expiries within the profile's days those nearest to its aim are read. Greeks are the
    provider's, else the model's at the policy's rate; contracts without any are counted, never
    picked. Raises `SYMBOL_UNKNOWN`, `PROVIDER_*`.
    """
    dates = read_expirations(ctx, symbol)
    if dates.absence is not None or not dates.expirations:
        return _nothing(dates, profile)
    instrument = ctx.port(Feed).instrument(ctx, dates.symbol)
    on = _session_day(instrument, ctx.port(Feed).as_of(ctx))
    limits, aim = PROFILES[profile], AIMS[profile]
    fitting = fitting_expiries(dates.expirations, limits, aim, on=on)
    wanted = sorted(fitting[: ctx.policy.options.expiries])
    views = [read_chain(ctx, dates.symbol, expiry) for expiry in wanted]
    chains = [view.chain for view in views if view.chain is not None]
    if not chains:
        return _nothing(views[0] if views else dates, profile, unread=len(fitting))
    earnings = _earnings(ctx, instrument)
    return _picked(ctx, profile, chains, on=on, earnings=earnings, unread=len(fitting) - len(views))


def fitting_expiries(
    expiries: Sequence[date], limits: ScreenProfile, aim: RankAim, *, on: date
) -> list[date]:
    """Return the expiries within the profile's days, those nearest to its aim first.

    Worked: swing_long on 2027-01-04 takes 2027-02-19 (46 days) before 2027-03-19 (74 days), and
    not 2027-01-15 (11 days).
    """
    days = {one: (one - on).days for one in expiries}
    most = limits.dte_max
    fits = [
        one for one, dte in days.items() if limits.dte_min <= dte and (most is None or dte <= most)
    ]
    return sorted(
        fits, key=lambda one: (max(aim.dte_low - days[one], days[one] - aim.dte_high, 0), one)
    )


def _nothing(view: ChainView, profile: Profile, *, unread: int = 0) -> OptionPicks:
    return OptionPicks(
        symbol=view.symbol,
        profile=profile,
        as_of=view.as_of,
        rejects={},
        missing={},
        unread=unread,
        absence=view.absence,
    )


def _session_day(instrument: Instrument, as_of: datetime) -> date:
    session = find_last_session(instrument.calendar, as_of)
    return as_of.date() if session is None else session.date


def _earnings(ctx: Context, instrument: Instrument) -> EarningsRow | None:
    if instrument.asset_class != "equity":
        return None
    page = read_earnings(ctx, [instrument.symbol], days=EARNINGS_DAYS)
    return page.rows[0] if page.rows else None


def _picked(
    ctx: Context,
    profile: Profile,
    chains: Sequence[Chain],
    *,
    on: date,
    earnings: EarningsRow | None,
    unread: int,
) -> OptionPicks:
    """Return the ranked contracts of some chains of one underlying."""
    spot = next((one.spot for one in chains if one.spot is not None), None)
    first = chains[0]
    if spot is None:
        raise refuse("QUOTE_UNUSABLE", contract=first.underlying, reason="no price of it is known")
    limits, policy = PROFILES[profile], ctx.policy.options
    as_of = max(one.as_of for one in chains)
    quoted = [one.quote_ts for chain in chains for one in chain.contracts if one.quote_ts]
    at = PricedAt(
        spot=spot,
        as_of=as_of,
        newest=max(quoted, default=None),
        tick=OPTION_TICKS[-1][1],
        policy=policy,
    )
    rows = {
        one.symbol: one
        for chain in chains
        for one in chain.contracts
        if one.right == limits.right and (one.expiry - on).days >= 1
    }
    sized = {name: one for name, one in rows.items() if one.multiplier is not None}
    greeks = {name: greeks_of(one, at) for name, one in sized.items()}
    screened = {name: screenable(one, greeks[name], on=on) for name, one in sized.items()}
    passed = screen(screened.values(), limits, spot=spot, tick=at.tick)
    kept = [screened[name] for name in passed.accepted]
    best = rank(kept, limits, aim=AIMS[profile], spot=spot)[: policy.shown]
    lacking = [name for name, code in passed.rejects.items() if code == "GREEKS_MISSING"]
    rejects = Counter(passed.rejects.values())
    rejects.update({"MULTIPLIER_UNKNOWN": len(rows) - len(sized)})
    return OptionPicks(
        symbol=first.underlying,
        profile=profile,
        as_of=as_of,
        picks=tuple(
            _pick(
                one,
                rows[one.contract.id],
                greeks=greeks[one.contract.id],
                spot=spot,
                event=is_event(earnings, rows[one.contract.id].expiry, profile),
            )
            for one in best
        ),
        rejects={code: count for code, count in sorted(rejects.items()) if count},
        missing=dict(sorted(Counter(greeks[name].reason for name in lacking).items())),
        expiries=tuple(sorted({one.contracts[0].expiry for one in chains if one.contracts})),
        unread=unread,
        spot=spot,
        chain=first,
        flags=tuple(sorted({flag for one in chains for flag in one.flags})),
    )


def screenable(one: OptionContract, greeks: Greeks, *, on: date) -> ScreenContract:
    """Return a contract as the screen sees it; a side that is not quoted counts as 0."""
    return ScreenContract(
        id=one.symbol,
        right=one.right,
        strike=one.strike,
        bid=one.bid or ZERO,
        ask=one.ask or ZERO,
        dte=(one.expiry - on).days,
        open_interest=int(one.open_interest or 0),
        volume=int(one.volume or 0),
        delta=greeks.delta,
        theta=greeks.theta,
    )


def _pick(
    ranked: Ranked, contract: OptionContract, *, greeks: Greeks, spot: Decimal, event: bool
) -> OptionPick:
    mid = ranked.contract.mid
    tick = next(step for at_least, step in OPTION_TICKS if mid >= at_least)
    check(contract.multiplier is not None, "a pick has a multiplier", contract=contract.symbol)
    multiplier = contract.multiplier or ZERO
    return OptionPick(
        contract=contract,
        ranked=ranked,
        greeks=greeks,
        metrics=leaps_metrics(ranked.contract, spot, multiplier=multiplier),
        limit=tick_round(mid, tick, "floor"),
        flags=(*greeks.flags, *(("EVENT_RISK",) if event else ())),
    )


def is_event(earnings: EarningsRow | None, expiry: date, profile: str) -> bool:
    """Return whether a report lies before expiry; for LEAPS only within the next five sessions."""
    report = earnings.next if earnings is not None else None
    if report is None or report.date > expiry:
        return False
    if profile != "leaps_call":
        return True
    return report.sessions_until is not None and report.sessions_until <= _LEAPS_SESSIONS
