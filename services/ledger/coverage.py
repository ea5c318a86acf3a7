"""Owns the check of a portfolio's data: the share of its value on green data, and its rates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from services.kit.context import Context
from services.ledger.conversion import find_terms, judge_rate
from services.ledger.holding import Holding, positions
from services.ledger.portfolio import get_portfolio
from services.market.finding import Finding, Severity, freezes
from services.market.freeze import (
    active_freezes,
    note_clean,
    open_freeze,
    pair_scope,
    portfolio_scope,
)
from services.market.gate import settle
from services.market.quality import SYMBOLS_MAX, Look, look
from services.market.quality_rule import Fault, value_coverage
from services.market.quality_store import keep_findings
from services.market.quote_rule import named


def check_coverage(ctx: Context, portfolio_id: str | None = None) -> tuple[Finding, ...]:
    """Judge the data that a portfolio's value stands on; a writing unit of work.

    What is wrong with a held listing is kept, told and frozen as by the gate.
    Below 100 % of the value on green data `DQ_COVERAGE` warns, below 95 % it freezes the
    portfolio, as a needed exchange rate that is missing, old, inverted or jumped does. Freezes end
    by themselves after three clean checks. A listing without any good value counts at its cost.
    """
    owned = get_portfolio(ctx, portfolio_id)
    held = positions(ctx, owned.id)[:SYMBOLS_MAX]
    if not held:
        return ()
    seen = {one.instrument.id: one for one in look(ctx, [one.listing for one in held])}
    for item in seen.values():
        if item.findings:
            settle(ctx, item.instrument, item.findings)
    base = owned.base_currency
    values = {one.listing: _value(ctx, one, seen.get(one.listing), base) for one in held}
    green = [listing for listing, one in seen.items() if not one.critical]
    faults = [*_rates(ctx, base, seen.values())]
    fault = value_coverage(values, green).fault
    found = named(owned.name, faults if fault is None else [*faults, fault])
    scope = portfolio_scope(owned.id)
    ids = keep_findings(ctx, scope, owned.name, found)
    bad = [one for one in found if freezes(one)]
    for one in bad:
        open_freeze(ctx, scope, one, finding_id=ids.get(one.code, ""))
    if not any(one.severity is Severity.CRIT for one in found):
        note_clean(ctx, scope)
    return tuple(found)


def _value(ctx: Context, held: Holding, seen: Look | None, base: str) -> Decimal:
    good = seen.last_good if seen else None
    if seen is None or good is None:
        return abs(held.cost_base)
    terms = find_terms(ctx, seen.instrument, base)
    return abs(held.cost_base) if terms.missing else abs(terms.worth(held.quantity, good.price))


def _rates(ctx: Context, base: str, looks: Iterable[Look]) -> Iterator[Fault]:
    foreign = {one.instrument.currency for one in looks} - {base}
    for currency in sorted(foreign):
        yield from judge_rate(ctx, currency, base)[1]
        for one in active_freezes(ctx, (pair_scope(currency, base),)):
            yield Fault(one.code, "CRIT", f"{one.subject} is frozen: {one.reason}"[:300])
