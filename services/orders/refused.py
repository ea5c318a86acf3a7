"""Owns the trace of a proposal that was refused: what was asked for and the code; nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from services import audit
from services.kit.context import Context

KIND = "proposal_refused"
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,40}", re.ASCII)
_TEXT_MAX = 4000
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,8})?", re.ASCII)
_KEPT = {
    "basis_ref": _WORD,
    "symbol": _WORD,
    "side": _WORD,
    "quantity": _NUMBER,
    "protective_stop": _NUMBER,
}


def record_refused(
    ctx: Context, what: str, code: str, wanted: str | Mapping[str, Any], **origin: str
) -> None:
    """Audit that the proposal `what` was refused with `code`; its own unit was rolled back.

    `wanted` are its arguments, as an object or as its JSON text. Only plain values of them are
    kept: nobody has judged the others.
    """
    wanted = _decoded(wanted) if isinstance(wanted, str) else wanted
    named = {
        name: value
        for name, shape in _KEPT.items()
        if isinstance(value := wanted.get(name), str) and shape.fullmatch(value)
    }
    audit.record(ctx, KIND, what, code=code, **named, **origin)


def _decoded(text: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text[:_TEXT_MAX])
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
