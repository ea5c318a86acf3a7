"""Owns the sections of `plan/v1`: each part of the document from the worked numbers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from services.kit.clock import instant_text
from services.kit.money import decimal_text, from_float, rounded
from services.market.grid import MINUTES
from services.market.news_rule import earnings_window
from services.market.session import find_last_session, market_state, trading_minutes
from services.strategy.record import Confidence
from services.strategy.score import Score
from services.trade.idea import PLACES
from services.trade.management import invalidation_rules, management_rules
from services.trade.option_choice import option_alternatives
from services.trade.plan_inputs import ENGINE
from services.trade.plan_template import rationale

if TYPE_CHECKING:
    from services.trade.compose import Worked

SCHEMA = "plan/v1"
GAP_SHARE = Decimal("0.05")
"""Above this share of nights through the stop the plan carries a warning."""
Section = dict[str, object]


def plan_sections(worked: Worked) -> Section:
    """Return every section that does not depend on how the plan may be taken now."""
    inputs, idea = worked.inputs, worked.idea
    setup, listing = idea.setup, inputs.listing
    targets = tuple(one.price for one in worked.targets)
    options, rejects = option_alternatives(inputs, targets=targets, until=worked.ends.value)
    return {
        "schema": SCHEMA,
        "engine_version": ENGINE,
        "symbol": listing.id,
        "asset_class": listing.asset_class,
        "currency": listing.currency,
        "side": setup.side,
        "style": inputs.style,
        "timeframe": setup.timeframe,
        "as_of": inputs.as_of,
        "expires_at": setup.expires_at,
        "setup": {
            "id": setup.setup_id,
            "version": str(setup.version),
            "key": setup.key,
            "trigger_ts": setup.trigger_ts,
            "trigger_price": setup.trigger_price,
            "supporting": setup.supporting,
            "features": setup.features,
        },
        "entry": {
            "kind": setup.entry_kind,
            "lo": setup.entry_lo,
            "hi": setup.entry_hi,
            "worst": idea.worst,
            "reference": setup.trigger_price,
        },
        "stop": _stop(worked),
        "targets": _targets(worked),
        "management": management_rules(
            idea,
            worked.targets,
            cost=worked.cost,
            runner=worked.runner,
            give_back=inputs.record.give_back if inputs.record else None,
            policy=inputs.policy.plan,
        ),
        "invalidation": invalidation_rules(idea),
        "time_stop": worked.ends,
        "rr": _reward(worked),
        "gap_risk": worked.gap,
        "option_alternatives": options,
        "option_rejects": rejects,
        "rationale": rationale(worked),
        "trade_detail": _detail(worked),
        "flags": _flags(worked),
    }


def _stop(worked: Worked) -> Section:
    stop, figures = worked.idea.stop, worked.check.figures
    return {
        "price": stop.price,
        "method": worked.inputs.policy.plan.stop_method,
        "candidates": {name: rounded(price, PLACES) for name, price in stop.candidates.items()},
        "stop_distance": stop.distance,
        "risk_per_unit": figures.risk_per_unit if figures else None,
        "cost_per_unit": worked.cost,
        "atr": worked.idea.atr,
        "atr_multiple": rounded(stop.atr_multiple, 4),
    }


def _targets(worked: Worked) -> list[Section]:
    rows: list[Section] = [
        {
            "n": at,
            "price": one.price,
            "r": rounded(one.r, 4),
            "fraction": fraction,
            "p_reach": rounded(p, 4),
            "kind": "tp",
            "snapped_to": one.snapped_to,
        }
        for at, (one, fraction, p) in enumerate(
            zip(worked.targets, worked.fractions, worked.scaling.p, strict=True), 1
        )
    ]
    if worked.extension is not None:
        price, x, p = worked.extension
        rows.append(
            {
                "n": len(rows) + 1,
                "price": price,
                "r": rounded(x, 4),
                "fraction": worked.runner,
                "p_reach": rounded(p, 4),
                "kind": "runner_extension",
            }
        )
    return rows


def _reward(worked: Worked) -> Section:
    figures = worked.check.figures
    if figures is None:
        return {}
    return {
        "per_target": [one.rr for one in figures.targets],
        "blended": figures.blended,
        "band": figures.band,
        "p_breakeven_tp1": figures.p_breakeven_tp1,
        "ev_r": rounded(worked.scaling.ev_r, 4),
        "runner_fraction": worked.runner,
        "runner_conditional": rounded(worked.scaling.runner_conditional, 4),
    }


def confluence_section(score: Score) -> Section:
    """Return the anatomy of the score; what is missing has no value and is named."""
    return {
        "score": score.value,
        "coverage": score.coverage,
        "components": [
            {
                "name": one.name,
                "weight": one.weight,
                "value": one.value,
                "inputs": one.inputs,
                "source": one.bars,
            }
            for one in score.components
        ],
        "missing": score.missing,
        "flags": score.flags,
    }


def confidence_section(confidence: Confidence | None) -> Section | None:
    """Return the confidence with what it rests on; None says that there is none to give."""
    if confidence is None:
        return None
    return {
        "value": confidence.value,
        "tier": confidence.tier,
        "n": confidence.n,
        "wins": confidence.wins,
        "p0": confidence.p0,
        "p_breakeven_tp1": confidence.p_breakeven_tp1,
        "ci95": confidence.ci95,
        "calibrator_hash": confidence.calibrator_hash,
        "edge": confidence.edge,
        "flags": confidence.flags,
    }


def warnings_of(worked: Worked) -> list[Section]:
    """Return what to mind, by code: events, gaps, spreads, cut zones, setups not offered."""
    inputs, idea = worked.inputs, worked.idea
    found = [(one.code, one.message) for one in worked.check.findings if one.level == "warning"]
    found += inputs.others
    found += _event_warnings(worked)
    if idea.trimmed is not None:
        limit = decimal_text(inputs.policy.plan.zone_atr_max)
        found.append(
            ("ENTRY_ZONE_WIDE", f"cut at {limit} ATR, it reached to {decimal_text(idea.trimmed)}")
        )
    share = worked.gap.p_gap_through_stop if worked.gap else None
    if idea.style == "swing" and share is not None and share > GAP_SHARE:
        pct = decimal_text(rounded(100 * share, 2))
        found.append(("GAP_RISK", f"{pct}% of the last gaps over night went beyond this stop"))
    return [{"code": code, "detail": detail} for code, detail in sorted(set(found))]


def _event_warnings(worked: Worked) -> list[tuple[str, str]]:
    facts = worked.inputs.earnings
    if facts.day is None:
        return [("EARNINGS_UNKNOWN", facts.unknown_because)] if facts.unknown_because else []
    window = earnings_window_of(worked)
    return [("EARNINGS_IN_WINDOW", window)] if window else []


def earnings_window_of(worked: Worked) -> str:
    """Return the report that falls between the setup's session and the time stop, or nothing."""
    facts, idea = worked.inputs.earnings, worked.idea
    session = find_last_session(idea.context.calendar, idea.setup.trigger_ts)
    if facts.day is None or session is None:
        return ""
    window = earnings_window(
        idea.context.calendar,
        session.date,
        horizon_end=max(session.date, worked.ends.value.date()),
        earnings_date=facts.day,
        time=facts.time,
    )
    if not window.in_window:
        return ""
    firm = "confirmed" if facts.confirmed else "not confirmed"
    return f"{facts.day.isoformat()} {facts.time}, {firm}"


def actionability(worked: Worked) -> Section:
    """Return whether the market trades now and which order fits; it never touches confidence."""
    inputs, setup = worked.inputs, worked.idea.setup
    now = market_state(inputs.listing.calendar, inputs.as_of)
    state = "halted" if inputs.quote.halted else now.state
    return {
        "state": state,
        "next_open": instant_text(now.next_open),
        "order_type_hint": setup.entry_kind if state == "open" else f"{setup.entry_kind}_at_open",
    }


def _detail(worked: Worked) -> Section:
    inputs, idea = worked.inputs, worked.idea
    step = MINUTES.get(idea.setup.timeframe)
    left = trading_minutes(inputs.listing.calendar, inputs.as_of, idea.setup.expires_at)
    levels: Mapping[str, Decimal] = {one.name: from_float(one.price, PLACES) for one in idea.levels}
    return {"bars_to_trigger": left // (step or 390), "levels": levels}


def _flags(worked: Worked) -> list[str]:
    found = {*worked.idea.stop.flags, *worked.scaling.flags, *worked.inputs.score.flags}
    found |= set(worked.inputs.chain.flags)
    if worked.confidence is None or worked.confidence.tier == "prior":
        found.add("UNCALIBRATED")
    if worked.confidence is not None:
        found |= set(worked.confidence.flags)
    return sorted(found)
