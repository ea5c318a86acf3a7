"""Owns grounding: the verdict on every figure of a sentence, against the facts of its turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

from agent.facts import Fact, Ledger
from agent.figures import Figure, figures_in


class Verdict(StrEnum):
    """How a figure stands to the facts."""

    GROUNDED = "grounded"
    DERIVED = "derived"
    USER = "user"
    ATTRIBUTED = "attributed"
    CONVENTIONAL = "conventional"
    UNVERIFIED = "unverified"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One figure with its verdict; `fact` is what it rests on, or what contradicts it."""

    figure: Figure
    verdict: Verdict
    fact: Fact | None = None


_STRICT: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"bid", ("bid",)),
    (r"ask|offered?", ("ask",)),
    (
        (
            r"last|trad(?:es|ed|ing)|quoted|(?<!average )(?<!avg )(?<!limit )(?<!stop )(?<!entry )"
            r"(?<!target )(?<!fill )(?<!exit )prices?"
        ),
        ("last", "price", "mid"),
    ),
    (r"equity|account value", ("equity",)),
    (r"cash|buying power", ("cash", "available", "posted", "free")),
    (r"unreali[sz]ed(?: p&l| profit| loss)?", ("unrealised", "unrealised_pnl")),
    (r"(?<!un)reali[sz]ed(?: p&l| profit| loss)?", ("realised", "realised_pnl")),
)
"""Words that name a fact of the market or the book: another value than that fact is false."""
_LOOSE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"stop(?:[ -]?loss)?", ("stop", "stop_price")),
    (r"entry|enter", ("entry", "entry_price", "limit_price")),
    (r"limit", ("limit_price", "limit")),
    (r"targets?", ("target", "targets", "price")),
    (r"quantity|shares of|hold(?:s|ing)?|bought|sold", ("quantity", "filled_quantity")),
)
"""Words that name a choice of the person as well: the person's own figure is no contradiction."""
_BETWEEN = r"(?:\s+(?:is|was|are|at|of|now|currently|price|stands|to|a|the|live|for|about|near))*"


def _ends(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words}){_BETWEEN}[\s:=`\"*]*[$\u00a3\u20ac]?$", re.IGNORECASE)


_CUE_ENDS = tuple(
    (_ends(words), fields, strict)
    for cues, strict in ((_STRICT, True), (_LOOSE, False))
    for words, fields in cues
)
_QUOTES = re.compile(r"`[^`]*`|\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb")
_LIST = re.compile(r"(?m)^\s*[0-9]{1,2}[.)]\s")
_SETTING = re.compile(
    r"\b(?:EMA|SMA|RSI|ATR|VWAP|MACD|ADX|S&P|Russell|Nasdaq|top|rule|step|version"
    r"|option|line|point|chapter|Q)\s*\(?#?$",
    re.IGNORECASE,
)
_PERIOD = re.compile(
    r"^[ -](?:day|minute|min|hour|week|month|year|session|bar|period|step)s?\b", re.IGNORECASE
)
_ABOUT = re.compile(
    r"(?:\b(?:about|roughly|around|approximately|nearly|some|circa)\s|~\s?)$", re.IGNORECASE
)
_LOSS = re.compile(
    r"\b(?:loss(?:es)?|lost|down|fell|fall|drop(?:ped)?|lower|decline[ds]?|below"
    r"|negative|minus|off|short|under)\b",
    re.IGNORECASE,
)
_GAIN = re.compile(r"\b(?:gain(?:ed|s)?|up|rose|profit|higher|increase[ds]?)\b", re.IGNORECASE)
_SHARE_FIELD = re.compile(
    r"pct|percent|fraction|ratio|return|change|weight|share_of|confidence"
    r"|rate|margin|drift"
)
_EXACT_FIELD = re.compile(r"quantity|qty|shares|count|lots|units")
_QUOTED_LETTERS = 2
_TOLERANCE = Decimal("0.05")


def judge(sentence: str, ledger: Ledger, *, before: str = "") -> list[Judged]:
    """Return the verdict on every figure of `sentence`, in order.

    `before` is the text before it; its last symbol counts when the sentence names none.
    Worked: with AAPL last 190.05 in the ledger, `AAPL last is 190.05` is grounded and
    `AAPL last is 195.05` is contradicted.
    """
    if ledger.says(sentence):
        return [Judged(figure=figure, verdict=Verdict.GROUNDED) for figure in figures_in(sentence)]
    entities = _entities(sentence, ledger) or _entities(before, ledger)[-1:]
    return [_judge_one(figure, sentence, ledger, entities) for figure in figures_in(sentence)]


def _entities(text: str, ledger: Ledger) -> list[str]:
    """Return the known symbols of a text in order of their last appearance."""
    spots = []
    for entity in sorted(ledger.entities):
        found = list(re.finditer(rf"(?<![A-Za-z0-9]){re.escape(entity)}(?![A-Za-z0-9])", text))
        if found:
            spots.append((found[-1].start(), entity))
    return [entity for _, entity in sorted(spots)]


def _judge_one(figure: Figure, sentence: str, ledger: Ledger, entities: list[str]) -> Judged:
    if _conventional(figure, sentence):
        return Judged(figure=figure, verdict=Verdict.CONVENTIONAL)
    if _quoted(figure, sentence):
        return Judged(figure=figure, verdict=Verdict.ATTRIBUTED)
    near = _nearest(entities, sentence, figure)
    scope = [fact for fact in ledger.facts if not fact.user and _concerns(fact, near, entities)]
    cued, strict = _cued(figure, sentence, scope, near)
    match = _first(figure, sentence, cued) or (
        None if cued and strict else _first(figure, sentence, scope)
    )
    if match is not None:
        return Judged(figure=figure, verdict=Verdict.GROUNDED, fact=match)
    if cued and strict:
        return Judged(figure=figure, verdict=Verdict.CONTRADICTED, fact=cued[0])
    return _second_look(figure, sentence, ledger, scope, cued) or _without_match(
        figure, sentence, ledger, near
    )


def _quoted(figure: Figure, sentence: str) -> bool:
    """Return True inside a quotation that has words of its own, not just the figure."""
    return any(
        found.start() < figure.start
        and figure.end < found.end()
        and len(re.findall(r"[A-Za-z]", found[0])) >= _QUOTED_LETTERS
        for found in _QUOTES.finditer(sentence)
    )


def _second_look(
    figure: Figure, sentence: str, ledger: Ledger, scope: Sequence[Fact], cued: Sequence[Fact]
) -> Judged | None:
    """Return the verdict by the person's words, a formula, or a contradicted choice."""
    said = next((fact for fact in ledger.facts if fact.user and fact.value == figure.value), None)
    if said is not None:
        return Judged(figure=figure, verdict=Verdict.USER, fact=said)
    if _derived(figure, sentence, scope[:40]):
        return Judged(figure=figure, verdict=Verdict.DERIVED)
    if cued:
        return Judged(figure=figure, verdict=Verdict.CONTRADICTED, fact=cued[0])
    return None


def _without_match(figure: Figure, sentence: str, ledger: Ledger, near: str) -> Judged:
    """Tell a figure of the wrong symbol or sign (contradicted) from one of nowhere."""
    others = [fact for fact in ledger.facts if not fact.user and fact.entity not in ("", near)]
    wrong = _first(figure, sentence, others) if near else None
    telling = len(str(abs(figure.value)).replace(".", "").strip("0")) >= 3
    flipped = [
        fact
        for fact in ledger.facts
        if not fact.user and fact.value and abs(fact.value) == abs(figure.value)
    ]
    if (wrong is not None and telling) or (flipped and telling):
        return Judged(figure=figure, verdict=Verdict.CONTRADICTED, fact=wrong or flipped[0])
    return Judged(figure=figure, verdict=Verdict.UNVERIFIED)


def _conventional(figure: Figure, sentence: str) -> bool:
    before, after = sentence[: figure.start], sentence[figure.end :]
    if (
        figure.unit == "plain"
        and figure.places == 0
        and (_SETTING.search(before) or _PERIOD.search(after))
    ):
        return True
    return any(found.start() <= figure.start < found.end() for found in _LIST.finditer(sentence))


def _nearest(entities: list[str], sentence: str, figure: Figure) -> str:
    """Return the symbol that a figure belongs to: the last one before it, else the next."""
    best = ""
    for entity in entities:
        spots = [found.start() for found in re.finditer(re.escape(entity), sentence)]
        if not spots:
            best = best or entity
        elif any(spot < figure.start for spot in spots):
            last = max(spot for spot in spots if spot < figure.start)
            if not best or last >= max(
                [found.start() for found in re.finditer(re.escape(best), sentence[: figure.start])]
                or [-1]
            ):
                best = entity
    return best or (entities[0] if entities else "")


def _concerns(fact: Fact, near: str, entities: list[str]) -> bool:
    if not fact.entity or not entities:
        return True
    return fact.entity == near or (
        fact.entity in entities and bool(_EXACT_FIELD.search(fact.field))
    )


def _cued(
    figure: Figure, sentence: str, scope: Sequence[Fact], near: str
) -> tuple[list[Fact], bool]:
    """Return the facts of the field that the words before a figure name, and if they bind it.

    A bare whole number is bound loosely: `the last 5 trades` is no price.
    """
    if figure.unit not in ("plain", "money"):
        return [], False
    before = sentence[: figure.start].rstrip("(").rstrip("+-\u2212")
    for pattern, names, strict in _CUE_ENDS:
        if pattern.search(before):
            named = [fact for fact in scope if fact.field in names and fact.entity == near]
            whole = figure.places <= 0 and figure.unit == "plain"
            return ([], False) if whole and strict else (named, strict)
    return [], False


def _first(figure: Figure, sentence: str, facts: Iterable[Fact]) -> Fact | None:
    return next((fact for fact in facts if _agrees(figure, sentence, fact)), None)


def _agrees(figure: Figure, sentence: str, fact: Fact) -> bool:
    """Return True when the figure, as precisely as it is written, states the fact."""
    for value in _readings(figure, fact):
        if _equal(figure, value, sentence, fact):
            return True
        if (
            value < 0 < figure.value
            and _LOSS.search(sentence)
            and not (_GAIN.search(sentence))
            and _equal(figure, -value, sentence, fact)
        ):
            return True
    return False


def _readings(figure: Figure, fact: Fact) -> list[Decimal]:
    """Return the fact in the unit of the figure; a fraction is also read as a percentage."""
    share = _SHARE_FIELD.search(fact.field) is not None or fact.field in ("user", "digest")
    if figure.unit == "pct":
        return [fact.value * 100, fact.value] if share else []
    if figure.unit == "bps":
        return [fact.value * 10_000, fact.value] if share or "bps" in fact.field else []
    return [fact.value]


def _equal(figure: Figure, value: Decimal, sentence: str, fact: Fact) -> bool:
    if figure.value == value:
        return True
    if figure.value * value < 0:
        return False
    if figure.places != 0:
        step = figure.step
        cut = (value / step).to_integral_value(rounding=ROUND_DOWN) * step
        return cut == figure.value or abs(value - figure.value) * 2 <= step
    if _EXACT_FIELD.search(fact.field) or not _ABOUT.search(sentence[: figure.start]):
        return False
    return abs(value - figure.value) <= abs(value) * _TOLERANCE


_DIFFERENCE = re.compile(
    r"\b(?:below|above|away|spread|difference|gap|between|apart|distance|from"
    r"|per share|move[ds]?)\b",
    re.IGNORECASE,
)
_PRODUCT = re.compile(
    r"\b(?:notional|costs?|worth|value|total|risking|risk|altogether)\b", re.IGNORECASE
)
_RATIO = re.compile(r"\b(?:times|ratio|reward|multiple)\b|R\b", re.IGNORECASE)
_SUM = re.compile(r"\b(?:together|total|sum|combined|overall)\b", re.IGNORECASE)


def _derived(figure: Figure, sentence: str, facts: Sequence[Fact]) -> bool:
    """Return True when a closed formula over the facts of one symbol gives the figure.

    A formula counts only with a word of it in the sentence; integers are left out unless money,
    because small whole numbers match by chance.
    """
    if figure.places == 0 and figure.unit not in ("money", "pct", "r", "ratio"):
        return False
    values = sorted({fact.value for fact in facts if fact.value > 0})
    made: set[Decimal] = set()
    if _DIFFERENCE.search(sentence):
        made |= _differences(values, as_pct=figure.unit == "pct")
    if _PRODUCT.search(sentence) and figure.unit != "pct":
        whole = [v for v in values if v == v.to_integral_value()]
        made |= {a * b for a in whole for b in values}
    if _RATIO.search(sentence) or figure.unit in ("r", "ratio"):
        made |= {a / b for a in values for b in values if a != b}
    if _SUM.search(sentence):
        made |= {
            sum((f.value for f in facts if f.field == name), Decimal(0))
            for name in sorted({fact.field for fact in facts})
        }
    formula = Fact(value=Decimal(0), field="derived")
    return any(_equal(figure, value, sentence, formula) for value in sorted(made))


def _differences(values: Sequence[Decimal], *, as_pct: bool) -> set[Decimal]:
    if as_pct:
        return {abs(a - b) / b * 100 for a in values for b in values if a != b}
    return {abs(a - b) for a in values for b in values if a != b}
