"""Owns the words of a plan: sentences from templates, every number out of the plan itself."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from services.kit.money import decimal_text, rounded
from services.trade.wording import pct_words, price_words

if TYPE_CHECKING:
    from services.trade.compose import Worked

NAMES = {
    "orb": "opening-range breakout",
    "vwap_reclaim": "reclaim of VWAP",
    "ema_pullback": "pullback to the average",
    "range_breakout": "range breakout",
    "ma_cross": "crossing of averages",
    "vwap_deviation": "return to VWAP",
    "volume_spike": "volume spike",
    "weekly_breakout": "weekly breakout",
}
_METHODS = {
    "structure_ema": "beyond the setup's structure and the 20-bar average",
    "atr": "by the average range",
    "structure": "beyond the setup's structure",
    "tightest": "at the tightest of three candidates",
}


def setup_name(setup_id: str) -> str:
    """Return a setup's name in words. Worked: `orb` is `opening-range breakout`."""
    return NAMES.get(setup_id, setup_id)


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def plan_words(body: Mapping[str, Any]) -> str:
    """Return a stored plan in two or three sentences, from its own figures."""
    entry, stop, reward = body["entry"], body["stop"], body["rr"]
    zone = price_words(Decimal(entry["lo"]))
    if entry["hi"] != entry["lo"]:
        zone += f" to {price_words(Decimal(entry['hi']))}"
    targets = ", ".join(
        f"{price_words(Decimal(one['price']))} ({decimal_text(rounded(Decimal(one['r']), 2))}R)"
        for one in body["targets"]
    )
    symbol = body["symbol"].rpartition(":")[2]
    said = [
        (
            f"{body['side'].capitalize()} {symbol} by {_article(setup_name(body['setup']['id']))} "
            f"on {body['timeframe']} bars: entry by {entry['kind']} at {zone}, stop "
            f"{price_words(Decimal(stop['price']))}, targets {targets}."
        ),
        (
            f"Reward for risk is {decimal_text(rounded(Decimal(reward['blended']), 2))} net of "
            f"costs ({reward['band']})."
        ),
        body["rationale"][-1],
    ]
    if body["warnings"]:
        said.append("Mind: " + "; ".join(one["detail"] for one in body["warnings"]) + ".")
    if body["actionability"]["state"] != "open":
        said.append(f"The market is {body['actionability']['state']}: no entry before it opens.")
    return " ".join(said)


def rationale(worked: Worked) -> list[str]:
    """Return why this plan, this entry, this stop, these targets and this confidence."""
    return [_setup(worked), _entry(worked), _stop(worked), *_targets(worked), _score(worked),
            confidence_words(worked)]  # fmt: skip


def _setup(worked: Worked) -> str:
    setup = worked.idea.setup
    read = ", ".join(
        f"{name} {decimal_text(rounded(value, 2))}"
        for name, value in sorted(setup.features.items())
    )
    backed = f" It is backed by {', '.join(setup.supporting)}." if setup.supporting else ""
    return (
        f"{_sentence(_article(setup_name(setup.setup_id)))} ({setup.side}, {setup.timeframe} "
        f"bars) triggered at the close of {price_words(setup.trigger_price)}: {read}.{backed}"
    )


def _entry(worked: Worked) -> str:
    setup = worked.idea.setup
    zone = price_words(setup.entry_lo)
    if setup.entry_hi != setup.entry_lo:
        zone += f" to {price_words(setup.entry_hi)}"
    return (
        f"Entry by {setup.entry_kind} at {zone}; risk and reward are measured from "
        f"{price_words(worked.idea.worst)}, the worst of it."
    )


def _stop(worked: Worked) -> str:
    idea = worked.idea
    clamped = " It was moved to the allowed distance." if "STOP_CLAMPED" in idea.stop.flags else ""
    return (
        f"Stop {price_words(idea.stop.price)}, {_METHODS[worked.inputs.policy.plan.stop_method]}: "
        f"{price_words(idea.stop.distance)} away, "
        f"{decimal_text(rounded(idea.stop.atr_multiple, 2))} times "
        f"the average range of {price_words(idea.atr)}.{clamped}"
    )


def _targets(worked: Worked) -> list[str]:
    shown = ", ".join(
        f"{price_words(one.price)} ({decimal_text(rounded(one.r, 2))}R, {pct_words(p)})"
        for one, p in zip(worked.targets, worked.scaling.p, strict=True)
    )
    record, figures = worked.inputs.record, worked.check.figures
    basis = f"from {record.n} past setups" if record else "from no history"
    if "TARGETS_DEFAULT" in worked.scaling.flags:
        basis = "the defaults, as fewer than 50 past setups are known"
    said = [f"Targets {shown}, {basis}."]
    if figures is not None and figures.blended is not None:
        said.append(
            f"Reward for risk is {decimal_text(rounded(figures.blended, 2))} net of costs "
            f"({figures.band}); the expected value is "
            f"{decimal_text(rounded(worked.scaling.ev_r, 4))}R a trade."
        )
    if worked.extension is not None:
        said.append(
            f"A runner of {pct_words(worked.runner)} stays for {price_words(worked.extension[0])}."
        )
    return said


def _score(worked: Worked) -> str:
    score = worked.inputs.score
    if score.value is None:
        lacking = ", ".join(score.missing)
        return f"No confluence score: too little of it is known (missing: {lacking})."
    missing = f", without {', '.join(score.missing)}" if score.missing else ""
    return (
        f"Confluence {decimal_text(score.value)} of 1 from {pct_words(score.coverage)} of its "
        f"weight{missing}; it is a score, not a chance."
    )


def confidence_words(worked: Worked) -> str:
    """Return the confidence in words: measured, a prior, or uncalibrated."""
    found = worked.confidence
    if found is None:
        return "Confidence: uncalibrated."
    even = pct_words(found.p_breakeven_tp1)
    if found.tier == "prior":
        known = f"{found.wins} of {found.n} past setups" if found.n else "no past setup"
        return (
            f"Confidence {pct_words(found.value)} for target 1, uncalibrated: a prior from "
            f"{known}; break-even is {even}."
        )
    return (
        f"Confidence {pct_words(found.value)} for target 1 ({found.tier}, {found.n} past setups); "
        f"break-even is {even}."
    )
