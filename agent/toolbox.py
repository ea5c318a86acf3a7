"""Owns the coach's hold on the tools: what a turn is offered, and the gates before a call runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from agent.intent import Intent, allows, intent_of
from agent.model.port import ToolCall, ToolSpec
from agent.provenance import Grounds, arguments_of, basis_of, check_call, is_clean, symbols_in
from agent.reality import Reality
from agent.transcript import Entry, Result
from services.kit.canonical import canonical
from services.kit.context import Context
from services.kit.errors import Refusal, refuse
from tools.registry import Effect, Tool, ToolResult, all_tools, error_body, parse_arguments

EFFECTS = frozenset({Effect.NOTE, Effect.PROPOSE})
"""Effects that leave something behind; their values pass the provenance gate."""


class Rejected(Exception):
    """Rolls a unit of work back and carries the error result out of it."""

    def __init__(self, result: ToolResult) -> None:
        super().__init__(result.digest)
        self.result = result


@dataclass(slots=True)
class Turn:
    """What one turn is about: the person's words, and every result so far.

    `names` are the company names that the person may say instead of a symbol.
    """

    text: str
    history: list[Entry] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def intent(self) -> Intent:
        """Return the intent of the person's own words."""
        return intent_of(self.text)

    def grounds(self, reality: Reality) -> Grounds:
        """Return what a proposed order may be made of, from rows as they are now."""
        past = [*self.history, *(Entry(role="tool", result=one) for one in self.results)]
        clean = [one for one in self.results if one.ok and one.clean and not one.tainted]
        symbols = {symbol for one in clean for symbol in symbols_in(one.payload)}
        refs = {
            entry.result.ref
            for entry in past
            if entry.result and entry.result.ok and entry.result.clean and not entry.result.tainted
        }
        held: dict[str, Decimal] = {}
        for symbol, quantity in reality.held:
            held[symbol] = held.get(symbol, Decimal(0)) + quantity
        return Grounds(
            text=self.text,
            aliases=self.names,
            held=held,
            clean_symbols=frozenset(symbols),
            basis=basis_of(past),
            refs=frozenset(refs),
            orders=frozenset(deal.order_id for deal in reality.deals),
            watched=reality.watched,
        )


class Toolbox:
    """The registered tools, or a given set of them."""

    def __init__(self, tools: Mapping[str, Tool] | None = None) -> None:
        self._tools = all_tools() if tools is None else tools

    def specs(self, intent: Intent) -> tuple[ToolSpec, ...]:
        """Return the tools that a turn of this intent is offered, by name."""
        return tuple(
            ToolSpec(tool.name, tool.description, tool.parameters(), tool.parameters(strict=True))
            for name, tool in sorted(self._tools.items())
            if allows(intent, name, tool.effect)
        )

    def find(self, name: str) -> Tool | None:
        """Return the tool of exactly this name; there is no guessing."""
        return self._tools.get(name)

    def leaves_something(self, name: str) -> bool:
        """Return True when the tool notes or proposes: such calls run one after the other."""
        tool = self.find(name)
        return tool is not None and tool.effect in EFFECTS

    def perform(self, ctx: Context, call: ToolCall, turn: Turn, reality: Reality) -> ToolResult:
        """Pass every gate and run one call; a refusal becomes an error result.

        The gates in order: the name exists, the turn's intent offers it, the arguments are valid,
        and the values of a lasting effect have an origin.
        """
        try:
            tool = self._offered(call.name, turn.intent)
            args = parse_arguments(tool, call.arguments)
            if tool.effect in EFFECTS:
                check_call(arguments_of(call.arguments), turn.grounds(reality))
            result = tool.run(ctx, args)
        except Refusal as refusal:
            return failed(call.name, refusal)
        return ToolResult(
            call.name, ok=True, result=result.model_dump(mode="json"), tainted=tool.tainted
        )

    def _offered(self, name: str, intent: Intent) -> Tool:
        tool = self.find(name)
        if tool is None:
            raise refuse("TOOL_UNKNOWN", name=name[:60], names=", ".join(sorted(self._tools)))
        if not allows(intent, name, tool.effect):
            raise refuse("TOOL_NOT_OFFERED", name=name)
        return tool


def failed(name: str, refusal: Refusal) -> ToolResult:
    """Return the error result of a refusal."""
    return ToolResult(name, ok=False, error=error_body(refusal))


def kept(call: ToolCall, result: ToolResult, turn: Turn, reality: Reality) -> Result:
    """Return a result as the transcript keeps it, with its cleanness judged now."""
    return Result(
        call_id=call.id,
        name=call.name[:60],
        ok=result.ok,
        digest=result.digest,
        ref=result.ref,
        arguments=call.arguments,
        payload=dict(result.result if result.ok else result.error or {}),
        source=tuple(result.source),
        tainted=result.tainted,
        clean=result.ok and is_clean(call.arguments, turn.grounds(reality)),
    )


def canonical_arguments(text: str) -> str:
    """Return the arguments in canonical form, so that equal calls compare equal."""
    body: dict[str, Any] = arguments_of(text)
    return canonical(body).decode() if body else text.strip()
