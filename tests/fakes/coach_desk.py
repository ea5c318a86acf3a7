"""Owns a person who talks to the coach by rules: real tools, real replay feed, real paper broker."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent import conversation
from agent.log import replay as replay_log
from agent.loop import Coach
from agent.model.rules import RuleModel
from agent.toolbox import Toolbox
from app.look import look
from app.wiring import known_names
from services.kit.clock import HandClock
from services.kit.context import Principal
from services.kit.work import Runtime
from services.market import replay
from services.orders import confirm, execute, proposal, store


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One answer: its words, the calls in order, the marks, and how the run ended."""

    text: str
    calls: tuple[tuple[str, bool], ...]
    marks: tuple[object, ...]
    unverified: tuple[str, ...]
    stop: str

    @property
    def tools(self) -> list[str]:
        return [name for name, _ in self.calls]


def clean(turn: Turn) -> Turn:
    """No figure without a source, no sentence replaced, and something said."""
    assert turn.unverified == (), turn
    assert turn.marks == (), turn
    assert turn.text.strip(), turn
    assert turn.stop == "final", turn
    return turn


@dataclass(slots=True)
class CoachDesk:
    """Says things, confirms cards, lets the market and the executor go on."""

    runtime: Runtime
    owner: Principal
    clock: HandClock
    talk: str = ""
    _rules: RuleModel | None = field(default=None)

    def __post_init__(self) -> None:
        self.write(replay.resume_at_boot)
        self.talk = self.write(conversation.start).id
        self._rules = RuleModel(known_names())

    def read(self, act):
        return self.runtime.read(self.owner, act)

    def write(self, act):
        return self.runtime.write(self.owner, act)

    async def say(self, text: str) -> Turn:
        place = len(self._events())
        posted = self.write(lambda ctx: conversation.post_message(ctx, self.talk, text))
        coach = Coach(
            self.runtime, model=self._rules, fallback=self._rules, toolbox=Toolbox(), look=look
        )
        await coach.run(self.owner, posted.run_id)
        events = [one for one in self._events()[place:] if one.run == posted.run_id]
        done = [one.body for one in events if one.type == "text.done"]
        end = events[-1]
        assert end.type == "run.finished", end
        return Turn(
            text="\n".join(str(body["text"]) for body in done),
            calls=tuple(
                (one.body["name"], one.body["ok"]) for one in events if one.type == "tool.finished"
            ),
            marks=tuple(mark for body in done for mark in body.get("marks", ())),
            unverified=tuple(end.body["unverified"]),
            stop=end.body["stop_reason"],
        )

    def _events(self):
        return self.read(lambda ctx: replay_log(ctx, self.talk, limit=5000))

    def cards(self) -> list[proposal.Proposal]:
        return self.read(lambda ctx: proposal.list_proposals(ctx, "pending"))

    def confirm(self) -> str:
        """Confirm the one pending card and return its order's id, not yet worked."""
        (card,) = self.cards()
        shown = self.write(lambda ctx: confirm.issue(ctx, card.id))
        done = confirm.confirm(
            self.runtime,
            self.owner,
            confirm.Attempt(
                proposal_id=card.id,
                token=shown.token,
                version=shown.version,
                order_hash=shown.order_hash,
                typed=shown.card.typed.expected_hint if shown.card.typed else None,
            ),
        )
        return str(done.body["order_id"])

    def work(self, seconds: int = 5, rounds: int = 4) -> None:
        """Let the executor and the market go on together."""
        for _ in range(rounds):
            execute.work_once(self.runtime)
            self.clock.advance(seconds=seconds)
        execute.work_once(self.runtime)

    def orders(self) -> list[store.OrderView]:
        return self.read(lambda ctx: store.list_orders(ctx))

    async def buy(self, text: str) -> Turn:
        """Say an order, confirm its card and let it fill."""
        said = await self.say(text)
        self.confirm()
        self.work()
        return said
