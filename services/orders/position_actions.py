"""Owns acting on a position: every action becomes cards for a person, none executes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal, NoReturn

from services.kit.context import Context
from services.kit.errors import Kind, Refusal, refuse
from services.kit.money import decimal_text
from services.market.feed import Feed
from services.orders.draft import OrderDraft
from services.orders.order import Side
from services.orders.position_facts import Position, get_held, get_position, held_symbols
from services.orders.proposal import Proposal
from services.orders.propose import propose, propose_cancel
from services.orders.replace import NewTerms, propose_replace, require_changeable
from services.orders.store import order_row
from services.trade.position_action import Change, PositionFacts, Working, moved_stop, part_units
from services.trade.position_check import Check, checklist
from services.trade.position_stop import keep_stop
from services.trade.wording import price_words

CLOSED_AT_ONCE = 20
"""Most positions that one `close all` makes cards for; the rest waits for another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is to be done with a position; `share` is of what is held, `stop` a quoted price."""

    action: Literal["trim", "close", "move_stop"]
    symbol: str
    units: Decimal | None = None
    share: Fraction | None = None
    stop: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A position that got no card, and the refusal that says why."""

    symbol: str
    code: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What an action came to: cards in the order to confirm them, the checklist, what is next.

    `stop` is the stop that is kept for the position after a move of it, `before` the one until
    then. `step` says what the cards leave to do; empty when they do all.
    """

    action: str
    symbol: str
    cards: tuple[Proposal, ...]
    checks: tuple[Check, ...]
    stop: Decimal | None = None
    before: Decimal | None = None
    step: str = ""
    skipped: tuple[Skipped, ...] = ()


def act(ctx: Context, ask: Ask, **origin: Any) -> Acted:
    """Prepare one action on one position as cards; `origin` is as `propose` takes it.

    Where open orders promise the units already, the cards cancel those first. Raises
    `POSITION_NONE`, `DQ_BLOCK`, what the rules of `position_action` raise, and what `propose` does.
    """
    position = get_position(ctx, ask.symbol)
    if ask.action == "move_stop":
        if ask.stop is None:
            raise refuse(
                "PARAM_INVALID",
                field="stop_price",
                name="stop_price",
                value="nothing",
                rule="say where the stop goes, such as 405",
            )
        return _move_stop(ctx, position, ask.stop, origin)
    facts = position.facts
    units = facts.quantity
    if ask.action == "trim":
        units = part_units(facts, units=ask.units, share=ask.share)
    return _close(ctx, position, Change(ask.action, units), origin)


def close_all(ctx: Context, **origin: Any) -> Acted:
    """Prepare a card for every position of the default portfolio; what refuses is told.

    Raises `POSITION_NONE` when nothing is held, and the first refusal when no card can be made.
    """
    cards: list[Proposal] = []
    checks: list[Check] = []
    steps: list[str] = []
    skipped: list[Refusal] = []
    names = held_symbols(ctx)
    for symbol in names[:CLOSED_AT_ONCE]:
        try:
            done = act(ctx, Ask(action="close", symbol=symbol), **origin)
        except Refusal as refusal:
            refusal.facts.setdefault("symbol", symbol)
            skipped.append(refusal)
            continue
        cards += done.cards
        checks += done.checks
        steps += [done.step] if done.step else []
    if not names:
        raise refuse("POSITION_NONE", symbol="position")
    if not cards:
        raise skipped[0]
    more = len(names) - CLOSED_AT_ONCE
    steps += [f"{more} positions are left; say it again for them"] if more > 0 else []
    return Acted(
        action="close_all",
        symbol="",
        cards=tuple(cards),
        checks=tuple(checks),
        step="; ".join(steps),
        skipped=tuple(Skipped(str(one.facts["symbol"]), one.code, one.message) for one in skipped),
    )


def _close(ctx: Context, position: Position, change: Change, origin: dict[str, Any]) -> Acted:
    facts = position.facts
    checks = checklist(facts, change)
    free = facts.quantity - facts.promised
    if change.units > free:
        cards = _cancels(ctx, facts.working, origin)
        step = f"when that is cancelled, say {change.action} again for {facts.symbol}"
    else:
        cards = (_order(ctx, position, change.units, origin=origin),)
        step = _left_over(facts, change)
    return Acted(action=change.action, symbol=facts.symbol, cards=cards, checks=checks, step=step)


def _left_over(facts: PositionFacts, change: Change) -> str:
    """Return what stays open after the cards: stop orders that cover units which are gone."""
    left = facts.quantity - change.units
    over = sum((one.units for one in facts.stops), Decimal(0)) > left
    return f"a stop order then covers more than the {decimal_text(left)} left" if over else ""


def _move_stop(ctx: Context, position: Position, price: Decimal, origin: dict[str, Any]) -> Acted:
    """Keep the new stop; a looser stop order is moved there in place, else there is a new one.

    Where the broker can not move it, its cancel is the card. Nothing of it is sent: until a stop
    order works there, the kept stop warns and bounds, no more.
    """
    facts = position.facts
    before = facts.stop
    stop = moved_stop(facts, price)
    checks = checklist(facts, Change("move_stop", stop=stop))
    keep_stop(ctx, position.portfolio_id, position.held, stop=stop, before=before)
    looser = [one for one in facts.stops if one.stop != stop]
    free = facts.quantity - facts.promised
    cards: tuple[Proposal, ...] = ()
    if looser:
        cards, step = _nearer(ctx, facts.symbol, stop, looser, origin=origin)
    elif free <= 0:
        step = "open orders hold all units, so no stop order can be made"
    else:
        cards, step = _stop_card(ctx, position, free, stop, origin)
    return Acted(
        action="move_stop",
        symbol=facts.symbol,
        cards=cards,
        checks=checks,
        stop=stop,
        before=before,
        step=step,
    )


def _nearer(
    ctx: Context, symbol: str, stop: Decimal, looser: Sequence[Working], *, origin: dict[str, Any]
) -> tuple[tuple[Proposal, ...], str]:
    """Return the cards that bring looser stop orders to `stop`, and what they leave to do.

    An order that is changed in place protects all the time; one that can not be is cancelled.
    """
    try:
        for one in looser:
            require_changeable(ctx, order_row(ctx, one.id))
        terms = NewTerms(type="stop", stop_price=stop)
        return tuple(propose_replace(ctx, one.id, terms, **origin) for one in looser), ""
    except Refusal as refusal:
        if refusal.kind is Kind.INTERNAL:
            raise
        if refusal.code != "REPLACE_UNAVAILABLE":
            return (), f"its stop order can not be moved now: {refusal.message}"
    return _cancels(ctx, looser, origin), _again(symbol, stop, looser)


def _again(symbol: str, stop: Decimal, looser: Sequence[Working]) -> str:
    """Return what to say when the looser orders are gone; a target that goes with one is named."""
    said, target = price_words(stop), next((one.target for one in looser if one.target), None)
    if target is None:
        return f"when that is cancelled, say it again and the order at {said} is made"
    both = f"protect {symbol} stop {said} target {price_words(target)}"
    return f"its target ends with it; when that is cancelled, say `{both}` and both are made anew"


def _stop_card(
    ctx: Context, position: Position, units: Decimal, stop: Decimal, origin: dict[str, Any]
) -> tuple[tuple[Proposal, ...], str]:
    """Return the card of a stop order that works until cancelled, or why there can be none now."""
    try:
        card = _order(ctx, position, units, stop=stop, origin=origin)
    except Refusal as refusal:
        return (), f"no stop order can be made now: {refusal.message}"
    return (card,), ""


def _order(
    ctx: Context,
    position: Position,
    units: Decimal,
    *,
    origin: dict[str, Any],
    stop: Decimal | None = None,
) -> Proposal:
    closing = Side.SELL if position.held.quantity > 0 else Side.BUY
    draft = OrderDraft(
        symbol=position.held.symbol,
        side=closing.value,
        quantity=units,
        type="market" if stop is None else "stop",
        stop_price=stop,
        tif="day" if stop is None else "gtc",
        portfolio_id=position.portfolio_id,
    )
    return propose(ctx, draft, **origin)


def _cancels(
    ctx: Context, working: Sequence[Working], origin: dict[str, Any]
) -> tuple[Proposal, ...]:
    return tuple(propose_cancel(ctx, one.id, **origin) for one in working)


def require_roll(ctx: Context, symbol: str) -> NoReturn:
    """Raise why a position can not be rolled: `POSITION_NONE`, or `ROLL_UNAVAILABLE`.

    Only an option rolls, as a close and an opening in order; no order here carries a contract of
    options yet, at any broker, so an option is refused as well.
    """
    held = get_held(ctx, symbol)
    instrument = ctx.port(Feed).instrument(ctx, held.listing)
    if instrument.asset_class != "option":
        raise refuse(
            "ROLL_UNAVAILABLE",
            symbol=held.symbol,
            reason="only options are rolled, and these are units of the instrument itself",
            todo="Close it, or move its stop; for a later entry make a plan.",
        )
    raise refuse(
        "ROLL_UNAVAILABLE",
        symbol=held.symbol,
        reason="this account takes no orders for options",
        todo="Roll it at the broker; the book follows what the broker reports.",
    )
