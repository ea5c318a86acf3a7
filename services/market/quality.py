"""Owns data quality: a look at the newest data, and the snapshot that advice must stand on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.kit.money import decimal_text
from services.market.feed import Feed
from services.market.finding import OF_THE_TIME, Finding, Severity, until_words
from services.market.freeze import TENANT, Freeze, active_freezes, listing_scope
from services.market.gate import explained, observed, settle
from services.market.instrument import Instrument
from services.market.priming import primed
from services.market.quality_rule import THRESHOLDS_BY_CLASS
from services.market.quality_store import Mark
from services.market.quote import Quote
from services.market.quote_rule import LIMITS, QualityLimits, assess, named
from services.market.session import market_state
from services.market.skew import find_skew_now
from services.market.tables import dq_snapshots

__all__ = [
    "LIMITS",
    "Finding",
    "LastGood",
    "Look",
    "QualityLimits",
    "QualitySnapshot",
    "Severity",
    "assess",
    "block",
    "look",
    "require_green",
    "snapshot",
]

SYMBOLS_MAX = 50


@dataclass(frozen=True, slots=True)
class LastGood:
    """The newest price that was believed, when it was true, and how real it is."""

    price: Decimal
    at: datetime
    provenance: str
    source: str


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at one listing found; `frozen` are the standing freezes that bind it."""

    instrument: Instrument
    quote: Quote | None
    findings: tuple[Finding, ...]
    last_good: LastGood | None
    frozen: tuple[Freeze, ...] = ()

    @property
    def critical(self) -> tuple[Finding, ...]:
        """Return what blocks advice: critical findings, and freezes that no finding names."""
        found = [one for one in self.findings if one.severity is Severity.CRIT]
        codes = {one.code for one in found}
        held = [
            Finding(self.instrument.symbol, one.code, Severity.CRIT, f"frozen: {one.reason}")
            for one in self.frozen
            if one.code not in codes
        ]
        return (*found, *held)


@dataclass(frozen=True, slots=True)
class QualitySnapshot:
    """What was found about some symbols at `as_of`; `green` means nothing critical."""

    id: str
    symbols: tuple[str, ...]
    as_of: datetime
    green: bool
    findings: tuple[Finding, ...]
    looks: tuple[Look, ...] = ()


def look(ctx: Context, symbols: Sequence[str], *, scopes: Sequence[str] = ()) -> tuple[Look, ...]:
    """Return what is wrong with the newest data of some symbols, by symbol; stores no finding.

    `scopes` are freezes that bind besides those of the listings and of everything, such as
    `portfolio:<id>`. Raises `SYMBOL_UNKNOWN` and `PARAM_INVALID`; a feed that cannot answer is a
    `DQ_MISSING`.
    """
    if not 1 <= len(symbols) <= SYMBOLS_MAX:
        raise refuse(
            "PARAM_INVALID",
            name="symbols",
            value=len(symbols),
            rule=f"give 1 to {SYMBOLS_MAX} symbols",
        )
    feed = ctx.port(Feed)
    as_of = feed.as_of(ctx)
    instruments = {one.symbol: one for one in (feed.instrument(ctx, text) for text in symbols)}
    marks = primed(ctx, instruments.values(), as_of)
    own = {one.id: listing_scope(one.id) for one in instruments.values()}
    wide = (TENANT, *scopes)
    standing = active_freezes(ctx, (*wide, *own.values()))
    return tuple(
        _look(
            ctx,
            instrument,
            as_of,
            mark=marks[instrument.id],
            frozen=[one for one in standing if one.scope in (*wide, own[instrument.id])],
        )
        for _, instrument in sorted(instruments.items())
    )


def _look(
    ctx: Context, instrument: Instrument, as_of: datetime, *, mark: Mark, frozen: list[Freeze]
) -> Look:
    quote = _find_quote(ctx, ctx.port(Feed), instrument)
    state = market_state(instrument.calendar, as_of)
    found = assess(quote, as_of, state, ctx.policy, instrument=instrument)
    if quote is not None:
        known = {one.code for one in found}
        window = replace(mark.window, newest=None)
        faults, _ = explained(ctx, observed(instrument, quote), window, as_of)
        skew = find_skew_now(mark.window, as_of, limits=THRESHOLDS_BY_CLASS[instrument.asset_class])
        faults = faults if skew is None else [*faults, skew]
        found += [one for one in named(instrument.symbol, faults) if one.code not in known]
    findings = tuple(sorted(found, key=lambda one: one.code))
    return Look(instrument, quote, findings, _last_good(quote, findings, mark), tuple(frozen))


def _last_good(quote: Quote | None, findings: Sequence[Finding], mark: Mark) -> LastGood | None:
    """Return the quote's own price when only its moment is wrong, else the mark's."""
    wrong = {one.code for one in findings if one.severity is Severity.CRIT} - OF_THE_TIME
    if quote is not None and not wrong:
        return LastGood(quote.last, quote.ts, str(quote.provenance), quote.source)
    window = mark.window
    if window.last is None or window.last_ts is None:
        return None
    return LastGood(window.last, window.last_ts, window.provenance, window.source)


def _find_quote(ctx: Context, feed: Feed, instrument: Instrument) -> Quote | None:
    try:
        return feed.quote(ctx, instrument.id)
    except Refusal as refusal:
        if refusal.kind not in (Kind.DATA, Kind.LIMITED):
            raise
        return None


def snapshot(
    ctx: Context, symbols: Sequence[str], *, scopes: Sequence[str] = ()
) -> QualitySnapshot:
    """Look at some symbols and store the result; a writing unit of work.

    What was found is kept in a transaction of its own, however this one ends: findings, alerts
    and freezes. Raises as `look` does.
    """
    looks = look(ctx, symbols, scopes=scopes)
    findings = [
        *dict.fromkeys(finding for one in looks for finding in (*one.findings, *one.critical))
    ]
    taken = QualitySnapshot(
        ctx.ids.new("dq"),
        tuple(sorted(one.instrument.symbol for one in looks)),
        ctx.port(Feed).as_of(ctx),
        not any(one.critical for one in looks),
        tuple(findings),
        looks,
    )
    ctx.db.insert(
        dq_snapshots,
        {
            "id": taken.id,
            "at": ctx.now,
            "as_of": taken.as_of,
            "symbols": json.dumps(taken.symbols),
            "green": int(taken.green),
            "findings_json": json.dumps([asdict(finding) for finding in findings]),
        },
    )
    ctx.afterwards.extend(
        partial(settle, instrument=one.instrument, findings=one.findings)
        for one in looks
        if one.findings
    )
    return taken


def require_green(
    ctx: Context, symbols: Sequence[str], *, scopes: Sequence[str] = ()
) -> QualitySnapshot:
    """Return a stored green snapshot of `symbols`; what every proposal and advice stands on.

    Raises `DQ_BLOCK` on critical findings and on standing freezes, as `block` words it.
    """
    taken = snapshot(ctx, symbols, scopes=scopes)
    if not taken.green:
        raise block(taken)
    return taken


def block(taken: QualitySnapshot, **facts: str) -> Refusal:
    """Return the `DQ_BLOCK` of a red snapshot: what was found, the last good value, what ends it.

    `checks` names every critical finding, `findings` gives them one by one; the other facts are
    those of the first symbol that is blocked.
    """
    bad = [one for one in taken.looks if one.critical]
    critical = [finding for one in bad for finding in one.critical]
    first = bad[0]
    return refuse(
        "DQ_BLOCK",
        hint=" ".join(_words(one, taken.as_of) for one in bad[:3]),
        checks=", ".join(dict.fromkeys(f"{one.symbol} {one.code}" for one in critical)),
        findings=[
            {"symbol": one.symbol, "code": one.code, "detail": one.detail} for one in critical
        ],
        symbol=first.instrument.symbol,
        finding=first.critical[0].code,
        detail=first.critical[0].detail,
        unfreezes=unfreezes_words(first),
        freezes=[one.id for one in first.frozen],
        **_good_facts(first, taken.as_of),
        **facts,
    )


def _good_facts(seen: Look, as_of: datetime) -> dict[str, str]:
    good = seen.last_good
    if good is None:
        return {}
    return {
        "last_good": decimal_text(good.price),
        "last_good_at": instant_text(good.at),
        "last_good_age": age_words(as_of - good.at),
        "last_good_provenance": good.provenance,
    }


def _words(seen: Look, as_of: datetime) -> str:
    worst, good = seen.critical[0], seen.last_good
    symbol = seen.instrument.symbol
    value = f"There is no earlier good value of {symbol}."
    if good is not None:
        value = (
            f"The last good value is {decimal_text(good.price)} ({good.provenance}), "
            f"{age_words(as_of - good.at)} old."
        )
    return f"{symbol}: {worst.detail} ({worst.code}). {value} {unfreezes_words(seen)}"


def unfreezes_words(seen: Look) -> str:
    """Return what ends the block: of a freeze that stands, else of the first finding."""
    manual = [one for one in seen.frozen if not one.auto_clear]
    standing = [*manual, *seen.frozen]
    if not standing:
        return until_words(seen.critical[0].code)
    left = standing[0].clean_needed - standing[0].clean_seen
    counted = f" {left} of them are missing." if 0 < left < standing[0].clean_needed else ""
    return f"{standing[0].unfreezes}{counted} See freeze {standing[0].id}."


def age_words(age: timedelta) -> str:
    """Return an age in its largest unit, rounded down. Worked: 200 s is `3 min`."""
    seconds = max(0, int(age.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
