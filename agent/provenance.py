"""Owns the provenance gate: every value of a proposed order comes from the person or a service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agent.figures import Figure, figures_in, word_numbers
from agent.intent import own_words, sides_of
from agent.position_grounds import check_action
from agent.transcript import Entry, Result
from services.kit.errors import refuse
from services.kit.money import decimal_text, parse_decimal

BASIS_TOOLS = frozenset({"size", "plan_check", "plan"})
"""Tools whose clean results may be the basis of an order in a later turn."""
_PRICE_CUE = re.compile(
    r"(?:@|\bat|\blimit(?: price)?(?: of)?|\bstop(?:[ -]?loss)?(?: price)?(?: at| of)?"
    r"|\btargets?(?: of| at)?|\bentry(?: at)?"
    r"|\b(?:above|below|under|over|around|near)|\bprice(?: of)?)"
    r"\s*:?\s*$",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"\b(?:all|everything|close|exit|whole|entire|full|liquidate|unwind|out of|protect"
    r"|my (?:position|holding|shares|stock))\b",
    re.IGNORECASE,
)
_HALF = re.compile(r"\bhalf\b", re.IGNORECASE)
_REFERS = re.compile(
    r"\b(?:it|that|this|them|those|the (?:trade|plan|order|setup|card|position)"
    r"|same|instead|as (?:planned|sized)|go ahead)\b",
    re.IGNORECASE,
)
_COMMON = frozenset(
    [
        "a",
        "all",
        "am",
        "an",
        "any",
        "are",
        "as",
        "at",
        "be",
        "big",
        "by",
        "can",
        "do",
        "for",
        "go",
        "good",
        "had",
        "has",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "in",
        "is",
        "it",
        "low",
        "ma",
        "me",
        "my",
        "new",
        "next",
        "no",
        "now",
        "of",
        "on",
        "one",
        "open",
        "or",
        "out",
        "own",
        "play",
        "real",
        "run",
        "see",
        "so",
        "some",
        "tell",
        "that",
        "the",
        "they",
        "this",
        "to",
        "two",
        "up",
        "us",
        "very",
        "was",
        "way",
        "we",
        "well",
        "what",
        "who",
        "will",
        "with",
        "you",
    ]
)
_NUMBER_FIELDS = (
    "limit_price",
    "stop_price",
    "stop_loss",
    "take_profit",
    "entry_limit",
    "target",
    "stop",
    "level",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """One clean sizing or plan result: what it was about and the figures it holds."""

    ref: str
    symbol: str
    side: str
    quantities: frozenset[Decimal]
    prices: frozenset[Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Everything a proposed order may be made of in this turn.

    `held` maps symbols to quantities; `clean_symbols` come from clean results of this turn,
    `refs` are the citation ids of the conversation's clean results.
    """

    text: str
    held: Mapping[str, Decimal]
    clean_symbols: frozenset[str] = frozenset()
    basis: tuple[Basis, ...] = ()
    orders: frozenset[str] = frozenset()
    refs: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def names(self, symbol: str) -> bool:
        """Return True when the person's own words of this turn hold the symbol or its company.

        A symbol that is a common word as well must stand in capitals: `buy it` is not `IT`.
        """
        said = own_words(self.text)
        flags = 0 if symbol.lower() in _COMMON else re.IGNORECASE
        pattern = rf"(?<![A-Za-z0-9]){re.escape(symbol)}(?![A-Za-z0-9])"
        company = self.aliases.get(symbol)
        return re.search(pattern, said, flags) is not None or (
            company is not None
            and re.search(rf"\b{re.escape(company)}\b", said, re.IGNORECASE) is not None
        )

    def knows(self, symbol: str) -> bool:
        """Return True when the symbol comes from the person, the book, or clean results."""
        return bool(symbol) and (
            self.names(symbol)
            or symbol in self.held
            or symbol in self.clean_symbols
            or symbol in self.watched
            or symbol in {one.symbol for one in self.live_basis}
        )

    @property
    def live_basis(self) -> tuple[Basis, ...]:
        """Return the results that this turn may build on.

        A turn that names another symbol than a result's does not mean that result.
        """
        named = [one for one in self.basis if self.names(one.symbol)]
        if named:
            return tuple(named)
        refers = _REFERS.search(self.text) or not figures_in(self.text)
        return self.basis[-2:] if refers else ()


def check_call(arguments: Mapping[str, Any], grounds: Grounds) -> None:
    """Raise `PROVENANCE_REFUSED` for the first value of a proposing call without an origin."""
    symbol = str(arguments.get("symbol") or "").upper()
    if symbol and not grounds.knows(symbol):
        raise _refused("symbol", symbol)
    if "action" in arguments:
        named = [one for one in grounds.held if grounds.names(one)]
        check_action(arguments, own_words(grounds.text), named=named)
    order_id = arguments.get("order_id")
    if order_id and str(order_id) not in grounds.orders and str(order_id) not in grounds.text:
        raise _refused("order_id", str(order_id)[:60])
    basis = [one for one in grounds.live_basis if one.symbol == symbol]
    ref = arguments.get("basis_ref")
    if ref and str(ref) not in grounds.refs:
        raise _refused("basis_ref", str(ref)[:60])
    if ref:
        basis += [one for one in grounds.basis if one.ref == str(ref) and one.symbol == symbol]
    _check_side(arguments, grounds, basis)
    _check_numbers(arguments, grounds, basis, symbol)


def _check_side(arguments: Mapping[str, Any], grounds: Grounds, basis: list[Basis]) -> None:
    side = arguments.get("side")
    said = sides_of(grounds.text)
    if side in ("buy", "sell") and said and side not in said:
        raise _refused("side", str(side))
    planned = {one.side for one in basis if one.side}
    if side in ("buy", "sell") and not said and planned and side not in planned:
        raise _refused("side", str(side))


def _check_numbers(
    arguments: Mapping[str, Any], grounds: Grounds, basis: list[Basis], symbol: str
) -> None:
    if arguments.get("quantity") is not None:
        allowed = _user_quantities(grounds) | {n for one in basis for n in one.quantities}
        allowed |= _held_parts(grounds, symbol)
        _require("quantity", arguments["quantity"], allowed)
    prices = _user_prices(grounds.text) | {n for one in basis for n in one.prices}
    for name in _NUMBER_FIELDS:
        if arguments.get(name) is not None:
            _require(name, arguments[name], prices)


def _require(field: str, value: object, allowed: Iterable[Decimal]) -> None:
    number = parse_decimal(str(value), field)
    if number not in set(allowed):
        raise _refused(field, decimal_text(number))


def _refused(field: str, value: str) -> Exception:
    return refuse("PROVENANCE_REFUSED", field=field, value=value)


def _user_quantities(grounds: Grounds) -> set[Decimal]:
    """Return the numbers that can be a quantity: no prices, no percentages, no R."""
    said = own_words(grounds.text)
    plain = {
        one.value
        for one in figures_in(said)
        if one.unit == "plain" and one.value > 0 and not _is_price(said, one)
    }
    return plain | {number for number in word_numbers(said) if number > 0}


def _is_price(text: str, figure: Figure) -> bool:
    return _PRICE_CUE.search(text[: figure.start]) is not None


def _user_prices(text: str) -> set[Decimal]:
    said = own_words(text)
    return {one.value for one in figures_in(said) if one.unit in ("plain", "money")}


def _held_parts(grounds: Grounds, symbol: str) -> set[Decimal]:
    """Return the held quantity, or half of it, when the person's words ask for that."""
    held = abs(grounds.held.get(symbol, Decimal(0)))
    said = own_words(grounds.text)
    parts = set()
    if held and _ALL.search(said):
        parts.add(held)
    if held and _HALF.search(said):
        parts.add((held / 2).to_integral_value(rounding="ROUND_DOWN"))
    return parts


def basis_of(entries: Iterable[Entry]) -> tuple[Basis, ...]:
    """Return the clean sizing and plan results of a conversation, oldest first."""
    found = [entry.result for entry in entries if entry.result is not None]
    return tuple(
        _basis(one)
        for one in found
        if one.ok and one.clean and not one.tainted and one.name in BASIS_TOOLS
    )


def _basis(result: Result) -> Basis:
    numbers = dict(_numbers(result.payload))
    for name, value in _numbers(arguments_of(result.arguments)):
        numbers.setdefault(f"args.{name}", value)
    quantities = {
        value
        for name, value in numbers.items()
        if re.search(r"(?:quantity|qty|shares|units)(?:$|[.\[])", name)
    }
    prices = {
        value
        for name, value in numbers.items()
        if re.search(r"(?:entry|stop|target|limit|price|level|runner)", name)
    }
    side = str(_find(result.payload, "side") or arguments_of(result.arguments).get("side") or "")
    symbol = _find(result.payload, "symbol") or arguments_of(result.arguments).get("symbol") or ""
    return Basis(
        ref=result.ref,
        symbol=str(symbol).upper(),
        side={"long": "buy", "short": "sell"}.get(side, side),
        quantities=frozenset(quantities),
        prices=frozenset(prices),
    )


def arguments_of(text: str) -> dict[str, Any]:
    """Return the object of an arguments text, or an empty one when it is none."""
    try:
        value = json.loads(text, parse_float=Decimal)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def symbols_in(document: Any) -> frozenset[str]:
    """Return every symbol that a document names under `symbol` or `symbols`."""
    found: set[str] = set()
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key in ("symbol", "symbols"):
                listed = value if isinstance(value, (list, tuple)) else [value]
                found |= {one.upper() for one in listed if isinstance(one, str)}
            found |= symbols_in(value)
    elif isinstance(document, (list, tuple)):
        for item in document:
            found |= symbols_in(item)
    return frozenset(found)


def is_clean(arguments: str, grounds: Grounds) -> bool:
    """Return True when every symbol in a call's arguments has an origin; none at all is clean."""
    return all(grounds.knows(symbol) for symbol in sorted(symbols_in(arguments_of(arguments))))


def _find(document: Any, name: str) -> Any:
    if isinstance(document, Mapping):
        if name in document:
            return document[name]
        nested = (_find(value, name) for value in document.values())
        return next((value for value in nested if value is not None), None)
    return None


def _numbers(document: Any, path: str = "") -> Iterable[tuple[str, Decimal]]:
    if isinstance(document, Mapping):
        for key, value in document.items():
            yield from _numbers(value, f"{path}.{key}" if path else str(key))
    elif isinstance(document, (list, tuple)):
        for at, item in enumerate(document):
            yield from _numbers(item, f"{path}[{at}]")
    elif (
        isinstance(document, str) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,12})?", document)
    ) or (isinstance(document, (int, Decimal)) and not isinstance(document, bool)):
        yield path, Decimal(document)
