"""Owns the record of every model request: its hash, its redacted body, its cost and its faults."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from agent.egress import Egress
from agent.model.port import AssistantStep, ModelRequest
from agent.projection import shown
from services.chat import requests
from services.kit.canonical import canonical, tagged_hash
from services.kit.context import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request with what it came to."""

    run_id: str
    step: int
    model: str
    request: ModelRequest
    answer: AssistantStep
    prompt_hash: str
    duration_ms: int


def append_record(ctx: Context, asked: Asked, egress: Egress) -> str:
    """Store one model request in the caller's transaction and return its id."""
    body = canonical(shown(request_document(asked.request), egress))
    usage = asked.answer.usage
    record_id = ctx.ids.new("q")
    ctx.db.insert(
        requests,
        {
            "id": record_id,
            "run_id": asked.run_id,
            "user_id": ctx.principal.user_id,
            "step": asked.step,
            "model": asked.model,
            "at": ctx.now,
            "request_hash": tagged_hash("model_request/v1", json.loads(body)),
            "body": zlib.compress(body),
            "prompt_hash": asked.prompt_hash,
            "tools_hash": tagged_hash(
                "tool_schemas/v1", [dict(spec.parameters) for spec in asked.request.tools]
            ),
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "cached_tokens": usage.cached_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            "estimated": usage.estimated,
            "finish": asked.answer.finish or "",
            "faults": " ".join(asked.answer.faults),
            "duration_ms": asked.duration_ms,
        },
    )
    return record_id


def request_document(request: ModelRequest) -> dict[str, Any]:
    """Return a request as a plain document; its hash names the request everywhere."""
    return {
        "messages": [
            {
                "role": message.role,
                "content": message.content,
                "call_id": message.call_id,
                "calls": [
                    {"id": call.id, "name": call.name, "arguments": call.arguments}
                    for call in message.calls
                ]
                or None,
            }
            for message in request.messages
        ],
        "tools": [{"name": spec.name, "description": spec.description} for spec in request.tools],
        "tool_choice": request.tool_choice,
        "max_tokens": request.max_tokens,
        "seed": request.seed,
        "temperature": None if request.temperature is None else str(request.temperature),
    }


def read_bodies(ctx: Context, run_id: str) -> list[dict[str, Any]]:
    """Return the stored request bodies of a run in order; for replays and audits."""
    rows = ctx.db.rows(
        select(requests.c.body)
        .where(requests.c.run_id == run_id)
        .order_by(requests.c.step, requests.c.id)
    )
    return [json.loads(zlib.decompress(row.body)) for row in rows]
