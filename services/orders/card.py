"""Owns the confirm card: the canonical text a person reads, made from stored facts only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from services.kit.canonical import tagged_hash
from services.kit.clock import instant_text
from services.kit.context import Context
from services.kit.money import decimal_text, rounded
from services.ledger import portfolio
from services.orders.change import before_change
from services.orders.order import Order, OrderClass, OrderType, Side
from services.orders.preview import StoredPreview, find_preview
from services.orders.proposal import Proposal, summary
from services.trade.wording import price_words

_TAIL = 4
"""How many characters of an account's id stand beside its name; `Card.account` holds the whole."""


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled line; `note` says where the value comes from or what it assumes."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Typed:
    """What the person must type to confirm, and a hint that says it."""

    prompt: str
    expected_hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """The card as every surface draws it; `text` is the same in plain lines."""

    title: str
    lines: tuple[Line, ...]
    warnings: tuple[str, ...]
    mode: str
    provenance: str
    account: str
    typed: Typed | None
    expires_at: str

    @property
    def text(self) -> str:
        """Return the card as plain lines, for terminals and for its hash."""
        body = [
            f"{line.label}: {line.value}" + (f" ({line.note})" if line.note else "")
            for line in self.lines
        ]
        return "\n".join([self.title, *body, *(f"! {said}" for said in self.warnings)])

    @property
    def hash(self) -> str:
        """Return the tagged hash of exactly what is shown (`card/v1`)."""
        return tagged_hash("card/v1", self)

    def document(self) -> dict[str, Any]:
        """Return the card for the wire."""
        return {
            "title": self.title,
            "text": self.text,
            "warnings": list(self.warnings),
            "lines": [
                {"label": line.label, "value": line.value}
                | ({"note": line.note} if line.note else {})
                for line in self.lines
            ],
            "mode": self.mode,
            "provenance": self.provenance,
            "account": self.account,
            "typed": None
            if self.typed is None
            else {"prompt": self.typed.prompt, "expected_hint": self.typed.expected_hint},
            "expires_at": self.expires_at,
            "hash": self.hash,
        }


def card(ctx: Context, proposal: Proposal) -> Card:
    """Return the card of a proposal; the same stored facts give the same bytes."""
    order, book = proposal.order, portfolio.get_portfolio(ctx, proposal.portfolio_id)
    account = f"{book.name} ({order.mode}, {order.account_id})"
    tail = f"{book.name} …{order.account_id[-_TAIL:]}"
    shared = (Line("Account", tail), Line("Mode", _mode(order.mode)))
    ends = Line("Expires", instant_text(proposal.expires_at))
    lines: tuple[Line, ...]
    if proposal.kind == "cancel":
        lines = (
            Line("Cancel order", str(proposal.target_order_id)),
            Line("Order", summary(proposal).removeprefix("cancel ")),
            *shared,
            ends,
        )
        return _card(proposal, f"Cancel: {_headline(order)}", lines, account)
    if proposal.kind == "replace":
        before = before_change(ctx, proposal.id)
        lines = (*_change_lines(before, proposal), *shared, *_market_lines(proposal))
        lines += (*_cost_lines(proposal), ends)
        return _card(proposal, f"Change: {_headline(before)}", lines, account)
    lines = (
        Line("Order", _headline(order)),
        Line("Time in force", _tif(order)),
        *_exit_lines(order),
        *shared,
        *_market_lines(proposal),
        *_cost_lines(proposal),
        ends,
    )
    drawn = _card(proposal, _headline(order) + _exit_words(order), lines, account)
    return _with_preview(drawn, find_preview(ctx, proposal.id), order.currency)


def typed_phrase(order: Order) -> str:
    """Return what a person types when typing is asked for: symbol and quantity."""
    return f"{order.symbol} {decimal_text(order.quantity)}"


def _card(proposal: Proposal, title: str, lines: tuple[Line, ...], account: str) -> Card:
    order = proposal.order
    warned = any(guard["severity"] == "typed" for guard in proposal.guards)
    asks = proposal.kind != "cancel" and (warned or order.mode == "live")
    typed = Typed("Type symbol and quantity to confirm", typed_phrase(order)) if asks else None
    return Card(
        title=title,
        lines=lines,
        warnings=_warnings(proposal),
        mode=order.mode,
        provenance=order.provenance,
        account=account,
        typed=typed,
        expires_at=instant_text(proposal.expires_at),
    )


def _with_preview(drawn: Card, seen: StoredPreview | None, currency: str) -> Card:
    """Return the card with what the broker reckoned: a line before the last, or a warning first."""
    if seen is None:
        return drawn
    line, warning = seen.line(currency), seen.warning
    added = () if line is None else (Line(*line),)
    return replace(
        drawn,
        lines=(*drawn.lines[:-1], *added, *drawn.lines[-1:]),
        warnings=(*((warning,) if warning else ()), *drawn.warnings),
    )


def _change_lines(before: Order, proposal: Proposal) -> tuple[Line, ...]:
    """Return what a change makes of a working order: the whole of it, then old and new values."""
    order, target = proposal.order, str(proposal.target_order_id)
    pairs = (
        ("Type", before.type.value, order.type.value),
        ("Limit price", _price(before.limit_price), _price(order.limit_price)),
        ("Stop price", _price(before.stop_price), _price(order.stop_price)),
        ("Time in force", _tif(before), _tif(order)),
    )
    changes = tuple(Line(name, f"{old} → {new}") for name, old, new in pairs if old != new)
    becomes = Line("Becomes", f"{_headline(order)}, {order.tif}", "quantity and side stay")
    return (Line("Change order", target), becomes, *changes)


def _headline(order: Order) -> str:
    price = {
        OrderType.MARKET: "at market",
        OrderType.LIMIT: f"limit {_price(order.limit_price)}",
        OrderType.STOP: f"stop {_price(order.stop_price)}",
    }[order.type]
    verb = "Buy" if order.side is Side.BUY else "Sell"
    return f"{verb} {decimal_text(order.quantity)} {order.symbol} {price}"


def _tif(order: Order) -> str:
    return {"day": "day (ends at the session's close)", "gtc": "good till cancelled"}[order.tif]


def _exit_lines(order: Order) -> tuple[Line, ...]:
    """Return what is sold once the order has filled, or the stop beside a sale's limit."""
    target, stop = _price(order.take_profit), _price(order.stop_loss)
    if order.order_class is OrderClass.OCO:
        note = "the first that trades ends the other"
        return (Line("Or sell", f"at market once {stop} trades", note),)
    if not order.has_exits:
        return ()
    ways = [f"limit {target}"] if order.take_profit is not None else []
    ways += [f"at market once {stop} trades"] if order.stop_loss is not None else []
    note = "placed when the order has filled, good till cancelled"
    note += "; the first that trades ends the other" if len(ways) > 1 else ""
    return (Line("Then sell", f"what was bought, {' or '.join(ways)}", note),)


def _exit_words(order: Order) -> str:
    """Return the exits for a title; empty without any."""
    if order.order_class is OrderClass.OCO:
        return f" or stop {_price(order.stop_loss)}"
    named = (("stop", order.stop_loss), ("target", order.take_profit))
    said = " and ".join(f"{name} {_price(price)}" for name, price in named if price is not None)
    return f", with {said}" if said else ""


def _mode(mode: str) -> str:
    return "paper (no real money)" if mode == "paper" else "LIVE (real money)"


def _price(price: Decimal | None) -> str:
    return "-" if price is None else price_words(price)


def _quoted(text: str | None) -> str:
    return _price(None if text is None else Decimal(text))


def _market_lines(proposal: Proposal) -> tuple[Line, ...]:
    quote, order = proposal.quote, proposal.order
    seen = f"{quote['provenance']}, {quote['source']}, as of {quote['ts']}"
    band = (
        f"at most {_price(order.worst_price)}"
        if order.side is Side.BUY
        else f"about {_price(order.worst_price)}"
    )
    if order.type is OrderType.LIMIT:
        word = "at most" if order.side is Side.BUY else "at least"
        band = f"{word} {_price(order.limit_price)}"
    return (
        Line("Quote", f"bid {_quoted(quote['bid'])}, ask {_quoted(quote['ask'])}", seen),
        Line("Price band", f"{band} {order.currency} each"),
    )


def _cost_lines(proposal: Proposal) -> tuple[Line, ...]:
    risk, order = proposal.risk, proposal.order
    money = order.currency
    lines = [
        Line("Notional", f"{_money(risk['notional'])} {money}"),
        Line("Commission", f"{_money(risk['commission'])} {money}", "estimate"),
    ]
    if order.side is Side.BUY:
        lines.append(Line("Estimated cost", f"{_money(risk['cost'])} {money}"))
    if "money" in risk:
        times = f", {risk['r']} R" if "r" in risk else ""
        lines.append(
            Line(
                "Risk to the stop",
                f"{_money(risk['money'])} {money}{times}",
                f"stop {_price(order.protective_stop)}; {_placed(order)}",
            )
        )
    if "reward" in risk:
        times = _times(risk["reward"], risk.get("money"))
        at = f"target {_price(order.take_profit)}; before tax, if it is reached"
        lines.append(Line("Gain at the target", f"{_money(risk['reward'])} {money}{times}", at))
    return tuple(lines)


def _placed(order: Order) -> str:
    placed = order.has_exits and order.stop_loss is not None
    return "it is placed with this order" if placed else "it is not placed by this order"


def _times(reward: str, risk: str | None) -> str:
    if risk is None or Decimal(risk) <= 0:
        return ""
    return f", {decimal_text(rounded(Decimal(reward) / Decimal(risk), 2))} times the risk"


def _money(text: str) -> str:
    return f"{rounded(Decimal(text), 2):,f}"


def _warnings(proposal: Proposal) -> tuple[str, ...]:
    order = proposal.order
    said = [
        str(guard["reason"]) for guard in proposal.guards if guard["severity"] in ("warn", "typed")
    ]
    if proposal.kind == "order" and order.protective_stop is None and order.side is Side.BUY:
        said.append("no stop is known, so the risk is not measured")
    if order.provenance != "LIVE":
        said.append(f"prices are {order.provenance}, not live")
    if proposal.taint:
        said.append("some values came from outside text: " + ", ".join(proposal.taint))
    return tuple(said)
