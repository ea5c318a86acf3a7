"""Owns the terminal's side of a conversation: what is typed and drawn, and the confirm prompt."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TextIO

from agent import conversation
from agent.events import TERMINAL, Envelope
from agent.follow import follow
from agent.log import Cursor, head
from app.background import start_loops
from app.home_lock import hold_home
from app.wiring import Product, open_first_user, prepare_database
from services.identity.user import principal_of
from services.kit.context import Context, Principal, Surface
from services.kit.errors import refuse
from services.kit.money import decimal_text
from services.orders import confirm, proposal, store
from services.orders.card import Card
from services.orders.change import get_change
from services.orders.change_tables import IN_FLIGHT
from services.orders.order import ENDED, Status
from services.orders.preview import ask_preview
from services.trade.wording import price_words

_SETTLE_S = 10.0
_LOOK_S = 0.05
_UNSHOWN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Desk:
    """A product and the person at this terminal."""

    product: Product
    principal: Principal

    def close(self) -> None:
        """Close the database."""
        self.product.close()


def open_desk(product: Product) -> Desk:
    """Bring the database up to date and take the local owner's seat at this terminal."""
    prepare_database(product)
    user = open_first_user(product)
    return Desk(product, principal_of(user, Surface.CLI, "terminal"))


@asynccontextmanager
async def working(desk: Desk) -> AsyncIterator[None]:
    """Run the product's loops here, unless a server on the same home already does."""
    async with AsyncExitStack() as stack:
        if stack.enter_context(hold_home(desk.product.settings.cornerman_home)):
            await stack.enter_async_context(start_loops(desk.product))
        yield
        await desk.product.coach.close()


@contextmanager
def person() -> Iterator[TextIO]:
    """Yield the terminal of a person, never a pipe. Raises `NO_TTY`."""
    try:
        line = io.FileIO("/dev/tty", "r+")  # a terminal cannot seek, so `open` refuses it
    except OSError as error:
        raise refuse("NO_TTY") from error
    with io.TextIOWrapper(line, encoding="utf-8", write_through=True) as terminal:
        yield terminal


async def ask(desk: Desk, conversation_id: str, text: str) -> AsyncIterator[Envelope]:
    """Send one message and yield the events of its run, the terminal one last."""
    runtime, principal = desk.product.runtime, desk.principal
    place: Cursor = await runtime.read_async(principal, lambda ctx: head(ctx, conversation_id))
    posted = await runtime.write_async(
        principal, lambda ctx: conversation.post_message(ctx, conversation_id, text)
    )
    desk.product.coach.start(principal, posted.run_id)
    stream = follow(runtime, desk.product.bus, principal, conversation_id, after=place)
    async for envelope in stream:
        yield envelope
        if envelope.run == posted.run_id and envelope.type in TERMINAL:
            await stream.aclose()  # type: ignore[attr-defined]
            return


def plain(text: str) -> str:
    r"""Return `text` as a terminal may show it: without control characters and direction marks.

    Line breaks and tabs stay. Worked: a red `\x1b[31mX` becomes `[31mX`, which paints nothing.
    """
    return "".join(
        letter
        for letter in text
        if letter in "\n\t" or unicodedata.category(letter) not in _UNSHOWN
    )


class Drawing:
    """Draws events as lines of text; remembers which proposals wait."""

    def __init__(self, say: Say) -> None:
        self._say: Say = lambda text: say(plain(text))
        self.pending: list[str] = []

    def draw(self, envelope: Envelope) -> None:
        """Draw one event."""
        body = envelope.body
        match envelope.type:
            case "tool.started":
                self._say(f"  · {body['label']} …")
            case "tool.finished":
                self._say(f"  {'✓' if body['ok'] else '✗'} {body['name']}{_sources(envelope)}")
            case "text.done":
                self._say(f"\n{body['text']}\n")
                for mark in body.get("marks", ()):
                    self._say(f"  [{mark['kind']}] {mark['text']}")
            case "proposal.pending":
                self.pending.append(str(body["proposal_id"]))
            case "run.error":
                self._say(f"\n{body['message']} ({body['code']})\n")
            case _:
                return


def _sources(envelope: Envelope) -> str:
    sources = envelope.body.get("source", ())
    if not sources:
        return ""
    first = sources[0]
    return (
        f"  [{first.get('provenance', '')} {first['provider']} {first['dataset']}, "
        f"as of {first['as_of'][:19].replace('T', ' ')}]"
    )


def json_line(envelope: Envelope) -> str:
    """Return an event as one JSON line."""
    return json.dumps(envelope.wire(), ensure_ascii=True)


def confirm_here(desk: Desk, proposal_id: str, terminal: TextIO) -> bool:
    """Show the card on the person's terminal, ask, and confirm exactly what was shown.

    Paper asks for `y`; a live order asks for what the card says to type. Returns False when the
    person does not want it. Raises what `confirm` raises.
    """
    runtime, principal = desk.product.runtime, desk.principal
    ask_preview(runtime, principal, proposal_id)
    shown = runtime.write(principal, lambda ctx: confirm.issue(ctx, proposal_id))
    terminal.write(card_text(shown.card))
    wanted = shown.card.typed
    prompt = "Confirm this order? [y/N]"
    if wanted:
        prompt = plain(f"{wanted.prompt} ({wanted.expected_hint}):")
    terminal.write(f"{prompt} ")
    typed = terminal.readline().strip()
    if not typed or (wanted is None and typed.lower() not in ("y", "yes")):
        return False
    confirm.confirm(
        runtime,
        principal,
        confirm.Attempt(
            proposal_id=proposal_id,
            token=shown.token,
            version=shown.version,
            order_hash=shown.order_hash,
            typed=typed if wanted else None,
        ),
    )
    return True


def card_text(card: Card) -> str:
    """Return the card as lines for a terminal; the words are the service's."""
    title, lines = card.title, card.lines
    width = max(len(line.label) for line in lines)
    rows = [
        f"  {line.label:<{width}}  {line.value}{f'  ({line.note})' if line.note else ''}"
        for line in lines
    ]
    warnings = [f"  ! {warning}" for warning in card.warnings]
    rule = "─" * 60
    return plain("\n".join(["", rule, f"  {title}", rule, *rows, *warnings, rule, ""]))


async def settled(desk: Desk, proposal_id: str) -> str:
    """Wait a bounded time for what was confirmed to end; return the state in words."""
    runtime, principal = desk.product.runtime, desk.principal
    for _ in range(int(_SETTLE_S / _LOOK_S)):
        if await runtime.read_async(principal, lambda ctx: _is_over(ctx, proposal_id)):
            break
        await asyncio.sleep(_LOOK_S)
    return await runtime.read_async(principal, lambda ctx: order_words(ctx, proposal_id))


def _is_over(ctx: Context, proposal_id: str) -> bool:
    """Return True when the order has ended, or the change of one is no longer on its way."""
    if proposal.get_proposal(ctx, proposal_id).kind == "replace":
        return get_change(ctx, proposal_id).state not in IN_FLIGHT
    order = store.find_order_of(ctx, proposal_id)
    return order is not None and order.state in ENDED


def order_words(ctx: Context, proposal_id: str) -> str:
    """Return where a proposal and its order stand, in one line."""
    found = proposal.get_proposal(ctx, proposal_id)
    order = store.find_order_of(ctx, proposal_id)
    if order is None:
        if found.status is Status.CONFIRMED and found.kind == "replace":
            change = get_change(ctx, proposal_id)
            why = f": {change.reason}" if change.reason else ""
            return f"{proposal.summary(found)}: {change.state}{why}."
        if found.status is Status.CONFIRMED:
            return f"{proposal.summary(found)}: confirmed."
        return f"{proposal.summary(found)}: {found.status.value}. {found.status_reason}".strip()
    filled = ""
    if order.avg_price is not None:
        units = decimal_text(order.filled_quantity)
        filled = f", {units} filled at {price_words(order.avg_price)}"
    return (
        f"{proposal.summary(found)}: {order.state.value.lower().replace('_', ' ')}{filled} "
        f"({order.id})"
    )


def read_line() -> str | None:
    """Return one typed line, or None at the end of input."""
    if sys.stdin.isatty():
        sys.stdout.write("you> ")
        sys.stdout.flush()
    line = sys.stdin.readline()
    return line.strip() if line else None
