"""Owns running an errand: which calls come next, from what is known so far; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.model import (
    alert_errands,
    book_errands,
    bracket_errands,
    change_errands,
    idea_errands,
    position_errands,
    record_errands,
)
from agent.model.note_errands import note_of, topic_of
from agent.model.phrases import Errand, Wish
from agent.model.plan_words import asks_part

Call = tuple[str, dict[str, Any]]
_DAY = re.compile(r"\b(20[0-9]{2}-[01][0-9]-[0-3][0-9])\b", re.ASCII)
_STYLE = re.compile(r"\b(intraday|swing|leaps)\b", re.IGNORECASE | re.ASCII)
_CARDS_MAX = 5
"""Most cards that one sentence may ask for, such as `sell everything`."""
_HEALTH_MAX = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished call of this turn or an earlier one."""

    name: str
    ok: bool
    ref: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What the rule model sees: results of this turn, of earlier ones, oldest first, and the tools.

    `offered` names the tools of this turn; None stands for all of them.
    """

    now: Sequence[Outcome]
    before: Sequence[Outcome]
    offered: frozenset[str] | None = None

    def done(self, name: str) -> Outcome | None:
        """Return this turn's newest result of the tool `name`."""
        return next((item for item in reversed(self.now) if item.name == name), None)

    def recall(self, *names: str) -> Outcome | None:
        """Return the newest good result of one of the tools, this turn or earlier."""
        both = [*self.before, *self.now]
        return next((item for item in reversed(both) if item.ok and item.name in names), None)

    def may(self, name: str) -> bool:
        """Return True when this turn offers the tool `name`."""
        return self.offered is None or name in self.offered


def next_calls(wish: Wish, known: Known) -> list[Call]:
    """Return the calls to make now; an empty list means that the answer can be given."""
    if any(not item.ok for item in known.now):
        return []
    calls = _STEPS.get(wish.errand, _nothing)(wish, known)
    return [call for call in calls if known.may(call[0])]


def _nothing(_wish: Wish, _known: Known) -> list[Call]:
    return []


def _once(name: str, known: Known, **arguments: Any) -> list[Call]:
    given = {key: value for key, value in arguments.items() if value not in (None, (), [])}
    return [] if known.done(name) else [(name, given)]


def _quote(wish: Wish, known: Known) -> list[Call]:
    symbols = list(wish.symbols) or _recalled_symbol(known)
    if not symbols:
        return []
    asking = _once("quote", known, symbols=symbols)
    return asking or (_once("news", known, symbols=symbols[:5]) if asks_why(wish) else [])


def asks_why(wish: Wish) -> bool:
    """Return True for a question about the reason of a move. Worked: `why is AAPL up?`."""
    return wish.errand is Errand.QUOTE and wish.text.lstrip().lower().startswith("why")


def _earnings(wish: Wish, known: Known) -> list[Call]:
    symbols = list(wish.symbols) or _recalled_symbol(known)
    return _once("earnings", known, symbols=symbols) if symbols else []


def _health(wish: Wish, known: Known) -> list[Call]:
    """Return the look at the data of the symbols named or meant, or of all that are known."""
    meant = _recalled_symbol(known) if wish.refers_back else []
    return _once("data_health", known, symbols=list(wish.symbols[:_HEALTH_MAX]) or meant)


def _chain(wish: Wish, known: Known) -> list[Call]:
    """Return the call for the options of one symbol: a date of the sentence is the expiry."""
    symbols, day = list(wish.symbols) or _recalled_symbol(known), _DAY.search(wish.text)
    if not symbols:
        return []
    sides = {side for side in ("call", "put") if re.search(rf"\b{side}s?\b", wish.text.lower())}
    right = sides.pop() if len(sides) == 1 else None
    return _once("chain", known, symbol=symbols[0], expiry=day[1] if day else None, right=right)


def _bars(wish: Wish, known: Known) -> list[Call]:
    symbols = list(wish.symbols) or _recalled_symbol(known)
    if not symbols:
        return []
    return _once("bars", known, symbol=symbols[0], timeframe=wish.timeframe or "1d", count=20)


def _recalled_symbol(known: Known) -> list[str]:
    last = known.recall("plan", "plan_check", "size", "quote", "bars", "propose_order")
    if last is None:
        return []
    if last.name == "quote":
        return [str(last.body["quotes"][0]["symbol"])]
    return [str(last.body["symbol"])]


def _plan_call(wish: Wish, known: Known) -> list[Call]:
    """Return the check of the levels that the person named, with what an earlier plan leaves."""
    symbols = list(wish.symbols) or _recalled_symbol(known)
    if not symbols or wish.stop is None:
        return []
    earlier = known.recall("plan", "plan_check", "size")
    same = earlier is not None and not wish.symbols
    side = wish.side or (str(earlier.body["side"]) if earlier and same else "long")
    entry = wish.entry or (wish.limit if wish.errand is Errand.ORDER else None)
    targets = list(wish.targets)
    return _once("plan_check", known, symbol=symbols[0], side=side, entry=entry, stop=wish.stop,
                 targets=targets)  # fmt: skip


def _plan(wish: Wish, known: Known) -> list[Call]:
    if wish.stop is None:
        return _made_plan(wish, known)
    return _plan_call(wish, known) or _size_of(known.done("plan_check"), wish, known)


def _made_plan(wish: Wish, known: Known) -> list[Call]:
    """Return the call that finds a plan for a symbol, then its size; without the tool a quote."""
    symbols = list(wish.symbols) or _recalled_symbol(known)
    if not symbols or not known.may("plan"):
        return _quote(wish, known)
    style = _STYLE.search(wish.text)
    asked = _once(
        "plan", known, symbol=symbols[0], side=wish.side, style=style[1].lower() if style else None
    )
    return asked or _size_of(known.done("plan"), wish, known)


def _size_of(base: Outcome | None, wish: Wish, known: Known) -> list[Call]:
    if base is None or base.body.get("errors"):
        return []
    risk = wish.risk or ("half" if wish.half else None)
    if base.name == "plan":
        return _once("size", known, plan_id=base.ref, risk_pct=risk)
    levels = {name: base.body[name] for name in ("symbol", "side", "entry", "stop")}
    return _once("size", known, **levels, risk_pct=risk)


def _size(wish: Wish, known: Known) -> list[Call]:
    if wish.stop is not None:
        return _plan(wish, known)
    base = known.recall("plan", "plan_check", "size")
    if base is not None and base.name == "size" and base.body.get("plan_id"):
        base = known.recall("plan") or base
    if base is None or (wish.symbols and base.body["symbol"] != wish.symbol):
        return _quote(wish, known)
    return _size_of(base, wish, known)


def _order(wish: Wish, known: Known) -> list[Call]:
    if position_errands.leaves(wish) and known.may(position_errands.TOOL):
        return position_errands.act(wish, known)
    if not known.may("propose_order"):
        return _quote(wish, known) if wish.symbols else []
    if known.done("propose_order") or wish.unread is not None:
        return []
    if wish.sells and not _opens_short(wish, known):
        return _sale(wish, known)
    if wish.quantity is None:
        return _sized_order(wish, known)
    return _counted_order(wish, wish.quantity, known)


def _bracket(wish: Wish, known: Known) -> list[Call]:
    """Return the steps of an entry with its exits; without a number the plan before is sized."""
    symbol, basis = order_symbol(wish, known), None
    if wish.quantity is None and not bracket_errands.protects(wish):
        basis = basis_of(wish, known)
        if basis is not None and basis.name in ("plan_check", "plan"):
            return _size_of(basis, wish, known)
        symbol = str(basis.body["symbol"]) if basis else None
        wish = bracket_errands.with_target(wish, basis, known)
    return bracket_errands.act(wish, known, symbol=symbol, basis=basis)


def _counted_order(wish: Wish, quantity: str, known: Known) -> list[Call]:
    """Return the steps of an order with its number: its own stop is checked first."""
    symbol, basis = order_symbol(wish, known), known.done("plan_check")
    if symbol is None or (basis is not None and basis.body.get("errors")):
        return []
    if wish.stop and not wish.stop_order and basis is None:
        return _plan_call(wish, known)
    return [_proposal(wish, symbol, quantity, basis)]


def order_symbol(wish: Wish, known: Known) -> str | None:
    """Return the symbol that an order is about: the one named, or the one referred back to."""
    if wish.symbols:
        return wish.symbol
    recalled = _recalled_symbol(known) if wish.refers_back or "more" in wish.text else []
    return recalled[0] if recalled else None


def _opens_short(wish: Wish, known: Known) -> bool:
    """Return True for `sell it` after a plan to sell short."""
    plan = known.recall("size", "plan_check", "plan")
    return (
        plan is not None
        and wish.quantity is None
        and wish.refers_back
        and not wish.everything
        and plan.body["side"] == "short"
        and not wish.symbols
    )


def _sized_order(wish: Wish, known: Known) -> list[Call]:
    """Return the steps of an order without a number: by its own stop, or by the plan before."""
    if wish.stop and not wish.stop_order:
        checking = _plan_call(wish, known)
        plan = known.done("plan_check")
        if checking or plan is None or plan.body.get("errors"):
            return checking
        sizing = _size_of(plan, wish, known)
        return sizing or _from_basis(wish, known.done("size"))
    basis = basis_of(wish, known)
    if basis is None:
        return _quote(wish, known)
    if basis.name in ("plan_check", "plan"):
        return _size_of(basis, wish, known)
    return _from_basis(wish, basis)


def basis_of(wish: Wish, known: Known) -> Outcome | None:
    """Return the newest plan or size that an order without a number may mean."""
    found = known.recall("size", "plan_check", "plan")
    if found is None or (wish.symbols and found.body["symbol"] != wish.symbol):
        return None
    if wish.side and found.body["side"] != wish.side:
        return None
    return found


def _from_basis(wish: Wish, basis: Outcome | None) -> list[Call]:
    if basis is None:
        return []
    mine = Wish(errand=Errand.ORDER, side=str(basis.body["side"]), limit=wish.limit, tif=wish.tif)
    return [_proposal(mine, str(basis.body["symbol"]), str(basis.body["quantity"]), basis)]


def _sale(wish: Wish, known: Known) -> list[Call]:
    """Return the steps of selling what is held: a number, a half, or all of it."""
    if wish.quantity is not None:
        symbol = order_symbol(wish, known)
        return [_proposal(wish, symbol, wish.quantity, None)] if symbol else []
    if known.done("positions") is None:
        return [("positions", {})]
    if not (wish.everything or wish.half):
        return []
    return [
        _proposal(wish, str(row["symbol"]), quantity, None)
        for row in held_rows(wish, known)[:_CARDS_MAX]
        if (quantity := _part_of(str(row["quantity"]), half=wish.half)) != "0"
    ]


def held_rows(wish: Wish, known: Known) -> list[Mapping[str, Any]]:
    """Return the holdings that a sale means: the named ones, or all there are."""
    listed = known.done("positions")
    rows = list(listed.body["positions"]) if listed else []
    return [row for row in rows if not wish.symbols or row["symbol"] in wish.symbols]


def _part_of(quantity: str, *, half: bool) -> str:
    """Return the whole quantity, or half of its whole units. Worked: half of `25` is `12`."""
    return str(int(quantity.partition(".")[0]) // 2) if half else quantity


def _proposal(wish: Wish, symbol: str, quantity: str, basis: Outcome | None) -> Call:
    kind = "stop" if wish.stop_order else "limit" if wish.limit else "market"
    arguments: dict[str, Any] = {
        "symbol": symbol,
        "side": "sell" if wish.side == "short" else "buy",
        "quantity": quantity,
        "type": kind,
        "tif": wish.tif or "day",
    }
    if kind == "limit":
        arguments["limit_price"] = wish.limit
    if kind == "stop":
        arguments["stop_price"] = wish.stop
    if basis is not None:
        arguments["basis_ref"] = basis.ref
    return "propose_order", arguments


def _cancel(wish: Wish, known: Known) -> list[Call]:
    if known.done("cancel_order") or not known.may("cancel_order"):
        return []
    if wish.ref and wish.ref.startswith("ord_"):
        return [("cancel_order", {"order_id": wish.ref})]
    if known.done("orders") is None:
        return [("orders", {})]
    found = open_orders(wish, known)
    if len(found) != 1 and not wish.everything:
        return []
    return [("cancel_order", {"order_id": row["id"]}) for row in found[:_CARDS_MAX]]


def open_orders(wish: Wish, known: Known) -> list[Mapping[str, Any]]:
    """Return the open orders that the wish may mean."""
    listed = known.done("orders")
    rows = [row for row in (listed.body["orders"] if listed else []) if row["open"]]
    return [row for row in rows if not wish.symbols or row["symbol"] in wish.symbols]


def _why(wish: Wish, known: Known) -> list[Call]:
    asked = asks_part(wish.text)
    if asked and not wish.ref and (known.recall("plan") or not _settled(asked, known)):
        return []
    last = known.recall("propose_order", "cancel_order")
    ref = wish.ref or (str(last.body["proposal_id"]) if last else None)
    if wish.symbols or ref is None:
        return _once("journal_list", known, query=wish.symbol)
    return _once("audit_trail", known, ref=ref)


def _settled(part: str, known: Known) -> bool:
    """Return True when a card or check may explain a part; of a mere plan word it may always."""
    return part in ("plan", "trade") or bool(known.recall("propose_order", "plan_check", "size"))


_STEPS: dict[Errand, Callable[[Wish, Known], list[Call]]] = {
    Errand.QUOTE: _quote,
    Errand.BARS: _bars,
    Errand.ALERT: alert_errands.alert,
    Errand.ALERT_LIST: lambda _wish, known: _once("alert_list", known),
    Errand.ALERT_CHANGE: alert_errands.change,
    Errand.ALERT_DROP: alert_errands.drop,
    Errand.NEWS: lambda wish, known: _once("news", known, symbols=list(wish.symbols[:5])),
    Errand.EARNINGS: _earnings,
    Errand.CHAIN: _chain,
    Errand.MARKET: lambda _wish, known: _once("market_status", known),
    Errand.HEALTH: _health,
    Errand.FREEZES: lambda _wish, known: _once("freeze_list", known),
    Errand.PLAN: _plan,
    Errand.PICKS: idea_errands.picks,
    Errand.OPTION_PICKS: idea_errands.option_picks,
    Errand.WEEKEND: idea_errands.weekend,
    Errand.REPLAY: idea_errands.replay,
    Errand.SCORE: record_errands.score,
    Errand.BACKTEST: record_errands.backtest,
    Errand.SIZE: _size,
    Errand.ORDER: _order,
    Errand.BRACKET: _bracket,
    Errand.MANAGE: position_errands.act,
    Errand.CANCEL: _cancel,
    Errand.CHANGE: change_errands.act,
    Errand.WHY: _why,
    Errand.HOLDINGS: lambda _wish, known: (
        _once("portfolio", known) or _once("journal_list", known, limit=50)
    ),
    Errand.NOTE: lambda wish, known: _once("journal_add", known, text=note_of(wish.text)),
    Errand.ORDERS: lambda _wish, known: _once("orders", known),
    Errand.FILLS: book_errands.fills,
    Errand.BALANCES: book_errands.balances,
    Errand.RISK: book_errands.risk,
    Errand.PORTFOLIO: lambda _wish, known: _once("portfolio", known),
    Errand.JOURNAL: lambda wish, known: _once(
        "journal_list", known, query=wish.symbol, days=wish.days
    ),
    Errand.HELP: lambda wish, known: _once("help", known, topic=topic_of(wish.text)),
}
