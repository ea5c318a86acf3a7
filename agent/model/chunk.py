"""Owns the lenient decoding of one chunk or body: every field that arrives is untrusted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import orjson

from agent.model.port import Usage


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of a tool call; `whole` marks a call of a body that did not stream."""

    index: int | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    is_object: bool = False
    whole: bool = False
    place: int = 0


@dataclass(frozen=True, slots=True)
class WireError:
    """An error object that an endpoint put into its answer."""

    message: str
    code: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one event says; `ended` is the proper end, `broken` says why reading stopped."""

    text: str = ""
    reasoning: str = ""
    fragments: tuple[Fragment, ...] = ()
    finish: str = ""
    usage: Usage | None = None
    error: WireError | None = None
    whole: bool = False
    ended: bool = False
    broken: str = ""


class NotACompletion(ValueError):
    """A document that is JSON but no part of a completion, or no JSON at all."""


def load_document(body: bytes) -> Any:
    """Return the JSON value of `body`. Raises `NotACompletion`.

    Bytes that are no UTF-8 become U+FFFD.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _load_leniently(body)


def _load_leniently(body: bytes) -> Any:
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as broken:
        raise NotACompletion("no JSON") from broken


def decode_chunk(body: bytes) -> Chunk:
    """Return what one event's JSON says; empty for anything unknown. Raises `NotACompletion`."""
    document = _unwrapped(load_document(body))
    if not isinstance(document, Mapping):
        return Chunk()
    chunk = _document_chunk(document)
    if chunk.fragments:
        _require_utf8(body)
    if any(piece.is_object for piece in chunk.fragments):
        chunk = _document_chunk(_unwrapped(_load_exactly(body)))
    return chunk


def _require_utf8(body: bytes) -> None:
    """A replaced character in a tool call could change an order: then the chunk is broken."""
    try:
        body.decode()
    except UnicodeDecodeError as broken:
        raise NotACompletion("no UTF-8 in a tool call") from broken


def _unwrapped(document: Any) -> Any:
    """Return the only member of a list of one: some gateways wrap their errors so."""
    return document[0] if isinstance(document, list) and len(document) == 1 else document


def _document_chunk(document: Mapping[str, Any]) -> Chunk:
    error = find_error(document)
    if error is not None:
        return Chunk(error=error)
    usage = _usage_of(document)
    choice = _first_choice(document)
    if choice is None:
        return Chunk(usage=usage)
    return replace(_choice_chunk(choice), usage=usage or decode_usage(choice.get("usage")))


def decode_body(body: bytes) -> Chunk:
    """Return the chunk of a whole answer that did not stream.

    Raises `NotACompletion` when it has neither an error nor a choice with a message.
    """
    document = _unwrapped(load_document(body))
    if not isinstance(document, Mapping):
        raise NotACompletion("no object")
    if find_error(document) is None:
        choice = _first_choice(document)
        if choice is None or not isinstance(choice.get("message", choice.get("delta")), Mapping):
            raise NotACompletion("no choice with a message")
    chunk = decode_chunk(body)
    return replace(chunk, whole=True, ended=chunk.error is None)


def find_error(document: Mapping[str, Any]) -> WireError | None:
    """Return the error object of a document, top level or in choice 0, if it has one."""
    found = document.get("error")
    choice = _first_choice(document)
    if not found and choice is not None:
        found = choice.get("error")
        if not found and choice.get("finish_reason") == "error":
            found = "the endpoint reports an error"
    if not found and document.get("object") == "error":
        found = document
    return wire_error(found) if found else None


def wire_error(found: object) -> WireError:
    """Return an error object, or any other value in its place, as text, code and status."""
    if not isinstance(found, Mapping):
        return WireError(message=_words(found) or "the endpoint reports an error")
    raw_code = found.get("code")
    code = _words(raw_code) or _words(found.get("type"))
    status = _count(found.get("status_code")) or _count(found.get("status")) or _count(raw_code)
    message = _words(found.get("message")) or _words(found.get("msg")) or code
    known = 400 <= status <= 599
    return WireError(message or "the endpoint reports an error", code, status if known else None)


def _words(value: object) -> str:
    if isinstance(value, str):
        return value.strip()[:500]
    return "" if value is None or isinstance(value, bool) else str(value)[:500]


def _first_choice(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    choices = document.get("choices")
    if isinstance(choices, Mapping):
        choices = [choices]
    if not isinstance(choices, list):
        return None
    for at, choice in enumerate(choices):
        if isinstance(choice, Mapping):
            index = _whole_number(choice.get("index"))
            if index == 0 or (index is None and at == 0):
                return choice
    return None


def _choice_chunk(choice: Mapping[str, Any]) -> Chunk:
    finish = choice.get("finish_reason")
    chunk = Chunk(finish=finish.strip() if isinstance(finish, str) else "")
    delta, whole = choice.get("delta"), False
    if not isinstance(delta, Mapping):
        delta, whole = choice.get("message"), True
    if not isinstance(delta, Mapping):
        return chunk
    reasoning = delta.get("reasoning_content") or delta.get("reasoning")
    return replace(
        chunk,
        text=_content(delta.get("content")),
        reasoning=reasoning if isinstance(reasoning, str) else "",
        fragments=_fragments(delta, whole=whole),
        whole=whole,
    )


def _content(content: object) -> str:
    """Return the text of a string, or of the text parts of a list."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    return "".join(_part_text(part) for part in parts)


def _part_text(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in ("text", "output_text"):
        return ""
    text = part.get("text")
    if isinstance(text, Mapping):
        text = text.get("value")
    return text if isinstance(text, str) else ""


def _fragments(delta: Mapping[str, Any], *, whole: bool) -> tuple[Fragment, ...]:
    calls = delta.get("tool_calls")
    if isinstance(calls, Mapping):
        calls = [calls]
    if not isinstance(calls, list) or not calls:
        legacy = delta.get("function_call")
        calls = [{"function": legacy}] if isinstance(legacy, Mapping) else []
    found = (
        _fragment(call, place) for place, call in enumerate(calls) if isinstance(call, Mapping)
    )
    return tuple(replace(piece, whole=whole) for piece in found if piece is not None)


def _fragment(call: Mapping[str, Any], place: int) -> Fragment | None:
    function = call.get("function")
    if not isinstance(function, Mapping):
        function = call
    name, arguments, call_id = function.get("name"), function.get("arguments"), call.get("id")
    if isinstance(call_id, int) and not isinstance(call_id, bool):
        call_id = str(call_id)
    is_object = isinstance(arguments, (Mapping, list))
    piece = Fragment(
        index=_whole_number(call.get("index")),
        call_id=call_id.strip() if isinstance(call_id, str) else "",
        name=name if isinstance(name, str) else "",
        arguments=compact_json(arguments)
        if is_object
        else arguments
        if isinstance(arguments, str)
        else "",
        is_object=is_object,
        place=place,
    )
    return piece if piece.call_id or piece.name or piece.arguments else None


def compact_json(value: object) -> str:
    """Return JSON text with sorted keys and exact numbers; a Decimal keeps every digit."""
    if isinstance(value, Mapping):
        rows = sorted((json.dumps(str(key)), compact_json(item)) for key, item in value.items())
        return "{" + ",".join(f"{key}:{item}" for key, item in rows) + "}"
    if isinstance(value, list):
        return "[" + ",".join(compact_json(item) for item in value) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _load_exactly(body: bytes) -> Any:
    return json.loads(body.decode("utf-8", "replace"), strict=False, parse_float=Decimal)


def _usage_of(document: Mapping[str, Any]) -> Usage | None:
    usage = decode_usage(document.get("usage"))
    vendor = document.get("x_groq")
    if usage is None and isinstance(vendor, Mapping):
        usage = decode_usage(vendor.get("usage"))
    return usage


def decode_usage(usage: object) -> Usage | None:
    """Return the token counts of a usage object; None when it has none."""
    if not isinstance(usage, Mapping):
        return None
    if "prompt_tokens" not in usage and "completion_tokens" not in usage:
        return None
    return Usage(
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        cached_tokens=_detail(usage, "prompt_tokens_details", "cached_tokens")
        or _count(usage.get("prompt_cache_hit_tokens")),
        reasoning_tokens=_detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int:
    details = usage.get(group)
    return _count(details.get(name)) if isinstance(details, Mapping) else 0


def _count(value: object) -> int:
    number = _whole_number(value)
    return number if number is not None and 0 <= number < 2**53 else 0


def _whole_number(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 16:
        return int(value)
    return None
