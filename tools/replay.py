"""Owns the tool `replay`: stored advice made again from its stored inputs, byte by byte."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.kit.context import Context
from services.research.replay_advice import replay_advice
from tools.registry import Args, Effect, Result, tool
from tools.wording.figures import Row
from tools.wording.plans import advice_sources


class ReplayArgs(Args):
    """Which plan, check or size."""

    ref: Annotated[str, Field(max_length=60, pattern=r"^(plan|res)_[0-9a-f]{16}$")] = Field(
        description="Id of a stored plan, or the ref of a check or size."
    )


class DifferenceRow(Row):
    """One member that came out otherwise."""

    path: str
    stored: str
    made: str


class ReplayResult(Result):
    """Whether every byte of it came out again; `differences` tell what did not."""

    symbol: str
    same: bool
    bytes_compared: int
    hashes: dict[str, str]
    differences: tuple[DifferenceRow, ...]


@tool(effect=Effect.READ, timeout_s=20.0)
def replay(ctx: Context, args: ReplayArgs) -> ReplayResult:
    """Make a stored plan, check or size again from its stored inputs and compare every byte."""
    found = replay_advice(ctx, args.ref)
    said = f"{args.ref} came out again, all {found.bytes_compared} bytes of it."
    if not found.same:
        first = found.differences[0] if found.differences else None
        at = f" The first is {first.path}: {first.stored} then, {first.made} now." if first else ""
        said = f"{args.ref} does not come out again: {len(found.differences)} differences.{at}"
    return ReplayResult(
        symbol=found.symbol,
        same=found.same,
        bytes_compared=found.bytes_compared,
        hashes=dict(found.hashes),
        differences=tuple(DifferenceRow.model_validate(one) for one in found.differences),
        summary=said,
        source=advice_sources(ctx, args.ref),
    )
