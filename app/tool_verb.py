"""Owns running one tool for a person at a terminal, with the same traces as at every other door."""

from __future__ import annotations

from app.terminal import Desk
from services.kit.context import Context
from services.orders.refused import record_refused
from tools.registry import Effect, ToolResult, call, get_tool


class _UndoneError(Exception):
    """Carries a refused call out of its transaction, which is rolled back."""

    def __init__(self, done: ToolResult) -> None:
        super().__init__(done.name)
        self.done = done


def use_tool(desk: Desk, name: str, arguments: str) -> ToolResult:
    """Run one call; a refused one changes nothing, and a refused proposal is audited.

    Raises `TOOL_UNKNOWN`.
    """
    tool, runtime = get_tool(name), desk.product.runtime
    if not tool.writes:
        return runtime.read(desk.principal, lambda ctx: call(ctx, name, arguments))

    def act(ctx: Context) -> ToolResult:
        done = call(ctx, name, arguments)
        if not done.ok:
            raise _UndoneError(done)
        return done

    try:
        return runtime.write(desk.principal, act)
    except _UndoneError as undone:
        if tool.effect is Effect.PROPOSE:
            code = str((undone.done.error or {}).get("code", ""))
            runtime.write(desk.principal, lambda ctx: record_refused(ctx, name, code, arguments))
        return undone.done
