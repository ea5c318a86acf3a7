"""Owns running an errand: which calls come next, from what is known so far; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.model.phrases import Errand, Wish

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One finished call of this turn or an earlier one."""

    name: str
    ok: bool
    ref: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What the rule model sees: results of this turn, and of earlier turns, oldest first."""

    now: Sequence[Outcome]
    before: Sequence[Outcome]

    def done(self, name: str) -> Outcome | None:
        """Return this turn's newest result of the tool `name`."""
        return next((item for item in reversed(self.now) if item.name == name), None)

    def recall(self, *names: str) -> Outcome | None:
        """Return the newest good result of one of the tools, this turn or earlier."""
        both = [*self.before, *self.now]
        return next((item for item in reversed(both) if item.ok and item.name in names), None)


def next_calls(wish: Wish, known: Known) -> list[Call]:
    """Return the calls to make now; an empty list means that the answer can be given."""
    if any(not item.ok for item in known.now):
        return []
    return _STEPS.get(wish.errand, _nothing)(wish, known)


def _nothing(_wish: Wish, _known: Known) -> list[Call]:
    return []


def _once(name: str, known: Known, **arguments: Any) -> list[Call]:
    given = {key: value for key, value in arguments.items() if value not in (None, (), [])}
    return [] if known.done(name) else [(name, given)]


def _quote(wish: Wish, known: Known) -> list[Call]:
    symbols = list(wish.symbols) or _recalled_symbol(known)
    return _once("quote", known, symbols=symbols) if symbols else []


def _bars(wish: Wish, known: Known) -> list[Call]:
    symbols = list(wish.symbols) or _recalled_symbol(known)
    return _once("bars", known, symbol=symbols[0], timeframe=wish.timeframe or "1d",
                 count=20) if symbols else []


def _recalled_symbol(known: Known) -> list[str]:
    last = known.recall("plan_check", "size", "quote", "propose_order")
    if last is None:
        return []
    if last.name == "quote":
        return [last.body["quotes"][0]["symbol"]]
    return [str(last.body["symbol"])]


def _plan_arguments(wish: Wish, known: Known) -> dict[str, Any] | None:
    symbols = list(wish.symbols) or _recalled_symbol(known)
    if not symbols or wish.stop is None:
        return None
    return {"symbol": symbols[0], "side": wish.side or "long", "entry": wish.entry,
            "stop": wish.stop, "targets": list(wish.targets)}


def _plan(wish: Wish, known: Known) -> list[Call]:
    arguments = _plan_arguments(wish, known)
    if arguments is None:
        return _quote(wish, known)
    return _once("plan_check", known, **arguments) or _size_of_plan(wish, known)


def _size_of_plan(wish: Wish, known: Known) -> list[Call]:
    plan = known.recall("plan_check")
    if plan is None or plan.body.get("errors"):
        return []
    body = plan.body
    return _once("size", known, symbol=body["symbol"], side=body["side"], entry=body["entry"],
                 stop=body["stop"], risk_pct=wish.risk)


def _size(wish: Wish, known: Known) -> list[Call]:
    if wish.stop is not None:
        return _plan(wish, known)
    base = known.recall("plan_check", "size")
    if base is None:
        return _quote(wish, known)
    body = base.body
    return _once("size", known, symbol=body["symbol"], side=body["side"], entry=body["entry"],
                 stop=body["stop"], risk_pct=wish.risk)


def _order(wish: Wish, known: Known) -> list[Call]:
    if known.done("propose_order"):
        return []
    if wish.side == "short" and wish.everything and wish.quantity is None:
        return _close(wish, known)
    if wish.quantity is None:
        return _order_from_plan(wish, known)
    if not wish.symbols and not (symbols := _recalled_symbol(known)):
        return []
    symbol = wish.symbol or symbols[0]
    if wish.stop and not wish.stop_order and not known.done("plan_check"):
        return [("plan_check", {"symbol": symbol, "side": wish.side or "long", "stop": wish.stop,
                                **({"entry": wish.limit} if wish.limit else {})})]
    basis = known.done("plan_check")
    if basis is not None and basis.body.get("errors"):
        return []
    return [_proposal(wish, symbol, wish.quantity, basis)]


def _order_from_plan(wish: Wish, known: Known) -> list[Call]:
    sized = known.recall("size", "plan_check")
    if sized is None or (wish.symbols and sized.body["symbol"] != wish.symbol):
        return _quote(wish, known)
    if sized.name == "plan_check":
        return _size_of_plan(wish, known)
    side = wish.side if wish.symbols and wish.side else sized.body["side"]
    mine = Wish(errand=Errand.ORDER, side=str(side), limit=wish.limit, tif=wish.tif)
    return [_proposal(mine, str(sized.body["symbol"]), str(sized.body["quantity"]), sized)]


def _close(wish: Wish, known: Known) -> list[Call]:
    if known.done("positions") is None:
        return [("positions", {})]
    held = _held(wish, known)
    if held is None:
        return []
    return [_proposal(wish, str(held["symbol"]), str(held["quantity"]), None)]


def _held(wish: Wish, known: Known) -> Mapping[str, Any] | None:
    listed = known.done("positions")
    rows = list(listed.body["positions"]) if listed else []
    named = [row for row in rows if row["symbol"] in wish.symbols]
    if named:
        return dict(named[0])
    return dict(rows[0]) if len(rows) == 1 and not wish.symbols else None


def _proposal(wish: Wish, symbol: str, quantity: str, basis: Outcome | None) -> Call:
    kind = "stop" if wish.stop_order else "limit" if wish.limit else "market"
    arguments: dict[str, Any] = {
        "symbol": symbol, "side": "sell" if wish.side == "short" else "buy", "quantity": quantity,
        "type": kind, "tif": wish.tif or "day"}
    if wish.limit and kind == "limit":
        arguments["limit_price"] = wish.limit
    if wish.stop_order:
        arguments["stop_price"] = wish.stop
    if basis is not None:
        arguments["basis_ref"] = basis.ref
    return "propose_order", arguments


def _cancel(wish: Wish, known: Known) -> list[Call]:
    if known.done("cancel_order"):
        return []
    if wish.ref:
        return [("cancel_order", {"order_id": wish.ref})]
    if known.done("orders") is None:
        return [("orders", {})]
    found = open_orders(wish, known)
    return [("cancel_order", {"order_id": found[0]["id"]})] if len(found) == 1 else []


def open_orders(wish: Wish, known: Known) -> list[Mapping[str, Any]]:
    """Return the open orders that the wish may mean."""
    listed = known.done("orders")
    rows = [row for row in (listed.body["orders"] if listed else []) if row["open"]]
    return [row for row in rows if not wish.symbols or row["symbol"] in wish.symbols]


def _why(wish: Wish, known: Known) -> list[Call]:
    last = known.recall("propose_order", "cancel_order")
    ref = wish.ref or (str(last.body["proposal_id"]) if last else None)
    if wish.symbols or ref is None:
        return _once("journal_list", known, query=wish.symbol)
    return _once("audit_trail", known, ref=ref)


def _holdings(_wish: Wish, known: Known) -> list[Call]:
    return _once("portfolio", known) or _once("journal_list", known, limit=20)


def _note(wish: Wish, known: Known) -> list[Call]:
    text = wish.text.strip()
    for lead in ("note that", "note:", "note", "journal:", "journal", "remember that", "remember"):
        if text.lower().startswith(lead):
            text = text[len(lead):].lstrip(" :,")
            break
    return _once("journal_add", known, text=text)


_STEPS: dict[Errand, Callable[[Wish, Known], list[Call]]] = {
    Errand.QUOTE: _quote, Errand.BARS: _bars, Errand.PLAN: _plan, Errand.SIZE: _size,
    Errand.ORDER: _order, Errand.CANCEL: _cancel, Errand.WHY: _why, Errand.HOLDINGS: _holdings,
    Errand.NOTE: _note,
    Errand.ORDERS: lambda _wish, known: _once("orders", known),
    Errand.PORTFOLIO: lambda _wish, known: _once("portfolio", known),
    Errand.JOURNAL: lambda wish, known: _once("journal_list", known, query=wish.symbol),
    Errand.HELP: lambda _wish, known: _once("help", known),
}
