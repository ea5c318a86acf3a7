"""Owns the rows and words of ranked ideas: picks, contracts, rejects, the weekend plan."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from services.kit.money import decimal_text, rounded
from services.research.option_pick import OptionPick, OptionPicks
from services.research.rank import Reject
from services.trade.plan_store import StoredPlan
from services.trade.wording import pct_words, price_words
from tools.wording.figures import Exact, Row
from tools.wording.market import empty_words
from tools.wording.plans import tier_words

_SHOWN = 3
_NAMED_MAX = 6


class RejectRow(Row):
    """A symbol that is not offered and the first rule that it failed."""

    symbol: str
    code: str
    detail: str


class PickRow(Row):
    """One ranked plan; its `plan_id` opens all of it."""

    rank: int
    symbol: str
    plan_id: str
    side: str
    style: str
    setup: str
    timeframe: str
    entry: Exact
    stop: Exact
    targets: tuple[Exact, ...]
    rr: Exact
    score: Exact | None = None
    confidence: Exact | None = None
    confidence_tier: str = "uncalibrated"
    edge: Exact | None = None
    state: str
    warnings: tuple[str, ...]


class ContractPick(Row):
    """One picked contract with every input of its rank; both deltas where both are known."""

    rank: int
    contract: str
    right: str
    expiry: str
    strike: Exact
    dte: int
    bid: Exact
    ask: Exact
    limit: Exact
    delta: Exact
    theta: Exact | None
    iv: Exact | None
    greeks_source: str
    provider_delta: Exact | None
    model_delta: Exact | None
    open_interest: int
    volume: int
    spread_pct: Exact
    score: Exact
    delta_fit: Exact
    liquidity: Exact
    cost_fit: Exact
    dte_fit: Exact
    breakeven: Exact
    extrinsic: Exact
    carry_annualised: Exact
    leverage: Exact
    cost_per_contract: Exact
    flags: tuple[str, ...]


def reject_rows(rejects: Iterable[Reject]) -> tuple[RejectRow, ...]:
    """Return every reject."""
    return tuple(RejectRow(symbol=one.symbol, code=one.code, detail=one.detail) for one in rejects)


def pick_rows(plans: Sequence[StoredPlan]) -> tuple[PickRow, ...]:
    """Return plans as rows, ranked as they stand."""
    return tuple(_pick_row(at, one.id, one.symbol, one.document) for at, one in enumerate(plans, 1))


def _pick_row(at: int, plan_id: str, symbol: str, body: Mapping[str, Any]) -> PickRow:
    sure = body.get("confidence") or {}
    return PickRow(
        rank=at,
        symbol=symbol,
        plan_id=plan_id,
        side=body["side"],
        style=body["style"],
        setup=body["setup"]["id"],
        timeframe=body["timeframe"],
        entry=body["entry"]["worst"],
        stop=body["stop"]["price"],
        targets=tuple(one["price"] for one in body["targets"]),
        rr=body["rr"]["blended"],
        score=body["confluence"].get("score"),
        confidence=sure.get("value"),
        confidence_tier=tier_words(sure),
        edge=sure.get("edge"),
        state=body["actionability"]["state"],
        warnings=tuple(f"{one['code']}: {one['detail']}" for one in body["warnings"]),
    )


def pick_words(rows: Sequence[PickRow], rejects: Sequence[Reject], scanned: int) -> str:
    """Return the best three of a scan in words, and what refused the others."""
    verb = "makes" if len(rows) == 1 else "make"
    head = f"{len(rows)} of {scanned} symbols {verb} a plan by the rules."
    if not rows:
        head = f"None of {scanned} symbols makes a plan by the rules now; nothing weaker is shown."
    said = [head, *(_row_words(one) for one in rows[:_SHOWN])]
    if len(rows) > _SHOWN:
        said.append(f"{len(rows) - _SHOWN} more are in the list.")
    return "\n".join([*said, *reject_words(rejects)])


def _row_words(one: PickRow) -> str:
    score = "" if one.score is None else f", score {decimal_text(rounded(one.score, 2))}"
    sure = f", confidence {one.confidence_tier}"
    if one.confidence is not None:
        sure = f", confidence {pct_words(one.confidence)} ({one.confidence_tier})"
    return (
        f"{one.rank}. {one.side.capitalize()} {one.symbol}, {one.setup} on {one.timeframe}: entry "
        f"{price_words(one.entry)}, stop {price_words(one.stop)}, target "
        f"{price_words(one.targets[0])}, reward for risk "
        f"{decimal_text(rounded(one.rr, 2))}{score}{sure} ({one.plan_id})."
    )


def reject_words(rejects: Sequence[Reject]) -> list[str]:
    """Return the rejects by their code, at most six symbols of each by name; none has no words."""
    if not rejects:
        return []
    named: dict[str, list[str]] = {}
    for one in rejects:
        named.setdefault(one.code, []).append(one.symbol)
    return [
        "Not offered: "
        + "; ".join(f"{code}: {_names(named[code])}" for code in sorted(named))
        + "."
    ]


def _names(symbols: Sequence[str]) -> str:
    left = len(symbols) - _NAMED_MAX
    return ", ".join(symbols[:_NAMED_MAX]) + (f" and {left} more" if left > 0 else "")


def contract_rows(found: OptionPicks) -> tuple[ContractPick, ...]:
    """Return the picked contracts as rows."""
    return tuple(_contract_row(at, one) for at, one in enumerate(found.picks, 1))


def _contract_row(at: int, one: OptionPick) -> ContractPick:
    seen, ranked, metrics, greeks = one.ranked.contract, one.ranked, one.metrics, one.greeks
    return ContractPick(
        rank=at,
        contract=seen.id,
        right=seen.right,
        expiry=one.contract.expiry.isoformat(),
        strike=seen.strike,
        dte=seen.dte,
        bid=seen.bid,
        ask=seen.ask,
        limit=one.limit,
        delta=greeks.delta or Decimal(0),
        theta=greeks.theta,
        iv=greeks.iv,
        greeks_source=greeks.source or "none",
        provider_delta=greeks.provider_delta,
        model_delta=greeks.model_delta,
        open_interest=seen.open_interest,
        volume=seen.volume,
        spread_pct=rounded(seen.spread_pct, 6),
        score=rounded(ranked.score, 4),
        delta_fit=rounded(ranked.delta_fit, 4),
        liquidity=rounded(ranked.liquidity, 4),
        cost_fit=rounded(ranked.cost, 4),
        dte_fit=rounded(ranked.dte_fit, 4),
        breakeven=rounded(metrics.breakeven, 6),
        extrinsic=rounded(metrics.extrinsic, 6),
        carry_annualised=rounded(metrics.carry_annualised, 6),
        leverage=rounded(metrics.leverage, 4),
        cost_per_contract=rounded(metrics.cost_per_contract, 2),
        flags=one.flags,
    )


def contract_words(found: OptionPicks, rows: Sequence[ContractPick]) -> str:
    """Return the best contracts in words, and how many others failed which rule first."""
    if found.absence is not None:
        return empty_words(f"options of {found.symbol}", found.absence)
    if not found.expiries:
        return f"{found.symbol} has no expiry within the days of {found.profile}."
    counts = ", ".join(f"{code} {count}" for code, count in found.rejects.items())
    lacks = ", ".join(f"{code} {count}" for code, count in found.missing.items())
    said = [f"No contract of {found.symbol} passes {found.profile}."] if not rows else []
    said += [
        (
            f"{one.rank}. {found.symbol} {one.expiry} {decimal_text(one.strike)} {one.right}: "
            f"at most {price_words(one.limit)}, delta {decimal_text(rounded(one.delta, 2))} "
            f"({one.greeks_source}), {one.dte} days, open interest {one.open_interest}, rank score "
            f"{decimal_text(rounded(one.score, 2))}."
        )
        for one in rows
    ]
    if counts:
        said.append(f"Rejected by first failed rule: {counts}.")
    if lacks:
        said.append(f"Why Greeks are missing: {lacks}.")
    return "\n".join(said)


def weekend_words(body: Mapping[str, Any]) -> str:
    """Return a weekend plan in words: the coming week, what was not offered, then its ideas."""
    swings, leaps = body["swings"], body["leaps"]
    said = [
        (
            f"Plan for the week after {body['session']}: {len(swings)} swings and {len(leaps)} "
            f"LEAPS out of {body['scanned']} symbols."
        ),
        _week_words(body["calendar"]),
    ]
    counts = Counter(one["code"] for one in body["swing_rejects"])
    if counts:
        told = ", ".join(f"{code} {counts[code]}" for code in sorted(counts))
        said.append(f"Swings not offered: {told}.")
    ranges = [words for one in body.get("watch", ())[:_SHOWN] if (words := _range_words(one))]
    if ranges:
        said.append(f"To watch, last week: {'; '.join(ranges)}.")
    said += [_swing_words(at, one) for at, one in enumerate(swings[:_SHOWN], 1)]
    if swings and not any(_has_edge(one) for one in swings):
        said.append(
            "None of them has a measured edge: these are levels to watch, not bets to take."
        )
    said += [
        (
            f"LEAPS: {one['symbol']} {one['expiry']} {one['strike']} call, at most "
            f"{price_words(Decimal(one['limit']))}."
        )
        for one in leaps[:_SHOWN]
    ]
    return "\n".join(said)


def _swing_words(at: int, one: Mapping[str, Any]) -> str:
    return (
        f"{at}. {one['side'].capitalize()} {one['symbol']}, {one['setup']} on {one['timeframe']}: "
        f"entry {price_words(Decimal(one['entry']['worst']))}, stop "
        f"{price_words(Decimal(one['stop']))}, target "
        f"{price_words(Decimal(one['targets'][0]))}{_chance_words(one)} ({one['plan_id']})."
    )


def _range_words(one: Mapping[str, Any]) -> str:
    if not one.get("week_high"):
        return ""
    low, high = (price_words(Decimal(one[name])) for name in ("week_low", "week_high"))
    return f"{one['symbol']} {low} to {high}"


def _has_edge(swing: Mapping[str, Any]) -> bool:
    sure = swing.get("confidence")
    return sure is not None and sure["tier"] != "prior" and Decimal(sure["edge"]) > 0


def _chance_words(swing: Mapping[str, Any]) -> str:
    """Return the stated chance beside break-even; nothing where none is stated."""
    sure = swing.get("confidence")
    if not sure:
        return ""
    stated, even = Decimal(sure["value"]), Decimal(sure["p_breakeven_tp1"])
    return (
        f", {tier_words(sure)} chance {pct_words(stated)} against {pct_words(even)} to break even"
    )


def watch_words(body: Mapping[str, Any]) -> list[str]:
    """Return a line for each symbol without a swing: where it stands, and what is nearest."""
    return [
        f"  {one['symbol']} {price_words(Decimal(one['close']))}, "
        f"{decimal_text(Decimal(one['below_high_pct']))} % below the year's high. {one['nearest']}"
        for one in body.get("watch", ())
    ]


def _week_words(week: Mapping[str, Any]) -> str:
    parts = [f"Sessions: {', '.join(week['sessions'])}."]
    for name, words in (("holidays", "Closed"), ("half_days", "Half days")):
        if week[name]:
            parts.append(f"{words}: {', '.join(week[name])}.")
    if week["earnings"]:
        told = ", ".join(f"{one['symbol']} {one['date']}" for one in week["earnings"])
        parts.append(f"Reports: {told}.")
    elif week.get("earnings_unknown_because"):
        parts.append(f"Reports are not known: {week['earnings_unknown_because']}.")
    return " ".join(parts)
