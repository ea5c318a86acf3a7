"""Owns the gate of exchange rates: none is stored before it is held against what is known."""

from __future__ import annotations

from datetime import datetime

from services.kit.context import Context
from services.kit.money import FxRate
from services.market.as_of import market_now
from services.market.finding import freezes
from services.market.freeze import note_clean, open_freeze, pair_scope
from services.market.gate import Admission
from services.market.observation import FUTURE, find_number_fault, is_refused
from services.market.quality_rule import Fault, FxObservation, find_fx_faults
from services.market.quality_store import keep_findings
from services.market.quote_rule import named
from services.market.rates import find_inverse, last_rate


def admit_rate(ctx: Context, rate: FxRate, ts: datetime, *, source: str = "") -> Admission:
    """Judge an exchange rate against the last one and its inverse before it may be stored.

    Jumped or inverted it freezes the scope `fx:CUR/BASE`. It never raises about the data.
    """
    pair, as_of = f"{rate.currency}/{rate.base}", market_now(ctx)
    fault = find_number_fault("rate", rate.rate, places_max=10)
    if fault is not None:
        faults = [fault]
    else:
        before = last_rate(ctx, rate.currency, rate.base)
        inverse = find_inverse(ctx, rate.currency, rate.base, ts)
        seen = FxObservation(
            rate.rate,
            ts,
            inverse.rate.rate if inverse else None,
            before.rate.rate if before else None,
        )
        faults = [one for one in find_fx_faults(seen, as_of) if one.code != "DQ_FX_STALE"]
        if ts > as_of + FUTURE:
            faults.append(Fault("DQ_FUTURE_TS", "CRIT", f"a rate from the future of {source}"))
    return _settle_rate(ctx, pair, faults)


def _settle_rate(ctx: Context, pair: str, faults: list[Fault]) -> Admission:
    scope, findings = pair_scope(*pair.split("/")), named(pair, faults)
    ids = keep_findings(ctx, scope, pair, findings)
    for one in findings:
        if freezes(one):
            open_freeze(ctx, scope, one, finding_id=ids.get(one.code, ""))
    if not findings:
        note_clean(ctx, scope)
    return Admission(not is_refused(faults), tuple(findings))
