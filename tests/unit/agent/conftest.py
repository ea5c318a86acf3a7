"""Owns the coach's small world in tests: a real database, scripted models, and four honest tools."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

import services.audit
import services.chat
import services.kit.outbox
from agent import conversation
from agent.budget import CHAT, Limits
from agent.log import replay
from agent.loop import Coach
from agent.model.port import AssistantStep, ModelRequest, StepDone, TextDelta, ToolCall, Usage
from agent.reality import Card, Reality
from agent.toolbox import Toolbox
from services.kit import outbox
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.context import Context, Principal
from services.kit.db import Database, metadata
from services.kit.errors import refuse
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from tools.registry import Args, Effect, Result, Source, Tool

AS_OF = "2027-01-12T15:00:00.000Z"


class QuoteArgs(Args):
    symbols: tuple[str, ...]


class Row(Args):
    symbol: str
    bid: str
    ask: str
    last: str


class QuoteResult(Result):
    quotes: tuple[Row, ...]


class SizeArgs(Args):
    symbol: str
    side: str
    entry: str
    stop: str
    risk_pct: str | None = None


class SizeResult(Result):
    symbol: str
    side: str
    quantity: str
    entry: str
    stop: str
    risk_pct: str


class OrderArgs(Args):
    symbol: str
    side: str
    quantity: str
    type: str = "market"
    limit_price: str | None = None
    stop_price: str | None = None
    tif: str = "day"
    basis_ref: str | None = None


class OrderResult(Result):
    proposal_id: str
    symbol: str
    quantity: str


class NewsArgs(Args):
    symbol: str


class NewsResult(Result):
    headlines: tuple[str, ...]


QUOTES = {
    "AAPL": Row(symbol="AAPL", bid="190.00", ask="190.10", last="190.05"),
    "MSFT": Row(symbol="MSFT", bid="400.00", ask="400.20", last="400.10"),
}


@dataclass
class World:
    """The tools' state: what was proposed, which calls ran, and what is really so."""

    cards: list[Card] = field(default_factory=list)
    deals: list = field(default_factory=list)
    held: dict[str, Decimal] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    slow_s: float = 0.0
    headline: str = "nothing new"
    at_once: int = 0
    most_at_once: int = 0

    def look(self, _ctx: Context) -> Reality:
        return Reality(
            cards=tuple(self.cards), deals=tuple(self.deals), held=tuple(self.held.items())
        )

    def quote(self, _ctx: Context, args: QuoteArgs) -> QuoteResult:
        import time

        self.ran.append("quote")
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self.slow_s)
        self.at_once -= 1
        unknown = [one for one in args.symbols if one not in QUOTES]
        if unknown:
            raise refuse("SYMBOL_UNKNOWN", kind="symbol", value=unknown[0])
        rows = tuple(QUOTES[one] for one in args.symbols)
        return QuoteResult(
            summary=" ".join(f"{row.symbol} last is {row.last}." for row in rows),
            quotes=rows,
            source=(
                Source(provider="replay", dataset="quotes", as_of=AS_OF, provenance="SIMULATED"),
            ),
        )

    def size(self, _ctx: Context, args: SizeArgs) -> SizeResult:
        self.ran.append("size")
        return SizeResult(
            summary=f"{args.symbol}: 175 shares.",
            symbol=args.symbol,
            side=args.side,
            quantity="175",
            entry=args.entry,
            stop=args.stop,
            risk_pct="0.01",
        )

    def propose_order(self, ctx: Context, args: OrderArgs) -> OrderResult:
        self.ran.append("propose_order")
        proposal_id = ctx.ids.new("p")
        outbox.put(
            ctx,
            "proposal.pending",
            proposal_id,
            {
                "proposal_id": proposal_id,
                "version": 1,
                "expires_at": AS_OF,
                "run_id": ctx.trace,
                "summary": f"{args.side} {args.quantity} {args.symbol}",
            },
            dedupe=f"{proposal_id}:1",
        )
        self.cards.append(
            Card(
                proposal_id=proposal_id,
                symbol=args.symbol,
                side=args.side,
                quantity=Decimal(args.quantity),
                status="pending",
            )
        )
        return OrderResult(
            summary=f"Card: {args.side} {args.quantity} {args.symbol}.",
            proposal_id=proposal_id,
            symbol=args.symbol,
            quantity=args.quantity,
        )

    def news(self, _ctx: Context, _args: NewsArgs) -> NewsResult:
        self.ran.append("news")
        return NewsResult(summary="One headline.", headlines=(self.headline,))

    def tools(self) -> dict[str, Tool]:
        made = [
            ("quote", Effect.READ, QuoteArgs, QuoteResult, self.quote, False),
            ("size", Effect.COMPUTE, SizeArgs, SizeResult, self.size, False),
            ("news", Effect.READ, NewsArgs, NewsResult, self.news, True),
            ("propose_order", Effect.PROPOSE, OrderArgs, OrderResult, self.propose_order, False),
        ]
        return {
            name: Tool(name, effect, f"The {name} tool.", args, result, run, tainted, 5.0)
            for name, effect, args, result, run, tainted in made
        }


class Script:
    """A model that answers with the given steps in order; a callable step sees the request."""

    name = "script"

    def __init__(self, *steps, calls_tools: bool = True, pieces: int = 7) -> None:
        self.steps = list(steps)
        self.requests: list[ModelRequest] = []
        self.calls_tools = calls_tools
        self._pieces = pieces
        self._count = 0

    async def stream(self, request: ModelRequest, *, deadline=None) -> AsyncIterator:
        self.requests.append(request)
        step = self.steps.pop(0) if self.steps else ""
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            await asyncio.sleep(step)
            step = "too late"
        text, calls = ("", step) if isinstance(step, list) else (step, [])
        if isinstance(step, tuple):
            text, calls = step
        for at in range(0, len(text), self._pieces):
            yield TextDelta(text[at : at + self._pieces])
        made = []
        for name, arguments in calls:
            self._count += 1
            body = arguments if isinstance(arguments, str) else json.dumps(arguments)
            made.append(ToolCall(f"call{self._count:05d}", name, body))
        yield StepDone(AssistantStep(text, tuple(made), "stop", Usage(10, 5)))


@pytest.fixture
def runtime(tmp_path: Path, clock, settings) -> Iterator[Runtime]:
    database = Database(f"sqlite:///{tmp_path / 'coach.db'}")
    tables = [*services.chat.ALL, services.audit.audit_events, outbox.outbox_rows]
    metadata.create_all(database.engine, tables=tables)
    made = Runtime(database, clock, CountedIds(), settings, ports={Bus: MemoryBus()})
    yield made
    made.close()


@pytest.fixture
def world() -> World:
    return World()


@dataclass
class Talk:
    """One conversation driven through the real loop."""

    runtime: Runtime
    owner: Principal
    world: World
    limits: Limits
    id: str

    def coach(self, *steps, fallback=None, **options) -> tuple[Coach, Script]:
        script = Script(*steps, **options)
        coach = Coach(
            self.runtime,
            model=script,
            fallback=fallback or Script("fallback"),
            toolbox=Toolbox(self.world.tools()),
            look=self.world.look,
            limits=self.limits,
        )
        return coach, script

    def post(self, text: str, **more) -> str:
        return self.runtime.write(
            self.owner, lambda ctx: conversation.post_message(ctx, self.id, text, **more)
        ).run_id

    async def say(self, text: str, *steps, fallback=None, **options) -> Script:
        run_id = self.post(text)
        coach, script = self.coach(*steps, fallback=fallback, **options)
        await coach.run(self.owner, run_id)
        return script

    def events(self):
        return self.runtime.read(self.owner, lambda ctx: replay(ctx, self.id, limit=2000))

    def bodies(self, kind: str) -> list[dict]:
        return [dict(event.body) for event in self.events() if event.type == kind]

    def items(self) -> list[dict]:
        return self.runtime.read(self.owner, lambda ctx: conversation.messages(ctx, self.id))[
            "items"
        ]


@pytest.fixture
def make_talk(runtime: Runtime, owner: Principal, world: World) -> Callable[..., Talk]:
    def make(limits: Limits = CHAT) -> Talk:
        opened = runtime.write(owner, conversation.start)
        return Talk(runtime, owner, world, limits, opened.id)

    return make


@pytest.fixture
def talk(make_talk) -> Talk:
    return make_talk()
