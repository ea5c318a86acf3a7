"""Owns the rule model's errands about the coach's record: its score, and backtests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from services.research.strategy_policy import strategy_names

if TYPE_CHECKING:
    from agent.model.errands import Known
    from agent.model.phrases import Wish

Call = tuple[str, dict[str, Any]]
_CALLS = r"(?:calls?|plans?|picks?|ideas?|setups?|suggestions?|forecasts?|predictions?|advice)"
_FROM_A_QUESTION = r"^(?!\W*(?:why|explain|plan|buy|sell|short)\b)(?!.*\b(?:this|that) plan\b).*?"
SCORE = (
    _FROM_A_QUESTION + r"(?:\bscore ?board\b|\btrack record\b|^\W*(?:your )?(?:score|record)\W*$"
    r"|\byour (?:own )?(?:score|record|results|accuracy|calibration|hit rate|stats|statistics)\b"
    r"|\bhow (?:good|bad|accurate|reliable|well|often)\b.{0,30}\byour?\b.{0,30}\b" + _CALLS + r"\b"
    r"|\bhow (?:did|do|have|are|were) your\b.{0,20}\b" + _CALLS + r"\b"
    r"|\bhow (?:accurate|reliable|calibrated|often (?:right|wrong)) are you\b"
    r"|\bhow often are you (?:right|wrong)\b|\bare your " + _CALLS + r" (?:any )?good\b)"
)
"""How a person asks what became of what the coach said."""
BACKTEST = (
    r"^\W*(?:please |run (?:a |the )?)?back-?test\b|\bhow (?:is|was|did) (?:the|that|my) back"
)
"""How a person asks for a dry run over history, or for the one that was started."""
_FOLDS = re.compile(r"\bwalk[- ]?forward\b|\bout[- ]of[- ]sample\b|\bfolds?\b", re.IGNORECASE)
_ID = re.compile(r"\bbt_[a-z0-9]{6,40}\b", re.ASCII)
_TRAIN_MONTHS, _TEST_MONTHS = 24, 6
_SYMBOLS_MAX = 5


def score(_wish: Wish, known: Known) -> list[Call]:
    """Return the call for the coach's own record."""
    return [] if known.done("score") else [("score", {})]


def backtest(wish: Wish, known: Known) -> list[Call]:
    """Return the call that starts a backtest, or that reads the one named or started last."""
    if known.done("backtest"):
        return []
    strategy, named = strategy_of(wish.text), _ID.search(wish.text)
    last = known.recall("backtest")
    symbols = [one for one in wish.symbols if one.lower() not in _WORDS]
    if named is None and strategy and symbols:
        terms = {"train_months": _TRAIN_MONTHS, "test_months": _TEST_MONTHS}
        asked = {"strategy": strategy, "symbols": symbols[:_SYMBOLS_MAX]}
        return [("backtest", {**asked, **(terms if _FOLDS.search(wish.text) else {})})]
    ref = named[0] if named else str(last.body["id"]) if last else ""
    return [("backtest", {"id": ref})] if ref else []


def strategy_of(text: str) -> str | None:
    """Return the strategy that a sentence names. Worked: `backtest ema cross` is `ema_cross`."""
    said = re.sub(r"[\s_-]+", " ", text.lower())
    names = sorted(strategy_names(), key=len, reverse=True)
    return next((one for one in names if re.search(rf"\b{one.replace('_', ' ')}\b", said)), None)


_WORDS = frozenset(part for name in strategy_names() for part in name.split("_"))
"""Words of strategies' names: none of them is a symbol here."""
EXAMPLE = "backtest ema_cross on GOOG, walk-forward"
