"""Owns the request body: a model request in the words that one endpoint accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agent.model.call import CallIds, read_arguments
from agent.model.port import Message, ModelRequest, ToolCall, ToolSpec
from agent.model.profile import ProviderProfile
from agent.model.schema import build_strict_schema

_WIRE_ID = re.compile(r"[A-Za-z0-9]{9}")
_NAME_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")
_NAME_LENGTH_MAX = 64
UNANSWERED = '{"error":"this call was not run"}'


def build_body(request: ModelRequest, profile: ProviderProfile, *, model: str) -> dict[str, Any]:
    """Return the JSON body of a streaming chat completion.

    Never holds an empty tool list, a tool choice without tools, a null or list content where
    the profile does not want one, or arguments of an earlier call that are no JSON object.
    """
    messages = repaired(request.messages)
    if not profile.calls_tools:
        messages = _as_text(messages)
    body: dict[str, Any] = {"model": model, "messages": _messages(messages, profile)}
    body["stream"] = True
    if profile.stream_usage:
        body["stream_options"] = {"include_usage": True}
    if profile.max_tokens_field:
        body[profile.max_tokens_field] = request.max_tokens
    if request.temperature is not None and profile.temperature_allowed:
        body["temperature"] = request.temperature
    if request.seed is not None and profile.seed_allowed:
        body["seed"] = request.seed
    if profile.calls_tools:
        _add_tools(body, request, profile)
    return body


def _add_tools(body: dict[str, Any], request: ModelRequest, profile: ProviderProfile) -> None:
    tools = request.tools or _past_tools(request.messages)
    if not tools:
        return
    body["tools"] = [_tool(spec, strict=profile.strict) for spec in tools]
    if (request.tool_choice == "none" or not request.tools) and profile.tool_choice:
        body["tool_choice"] = "none"
    elif profile.parallel_tool_calls:
        body["parallel_tool_calls"] = True


def _past_tools(messages: tuple[Message, ...]) -> tuple[ToolSpec, ...]:
    """Return bare specs of the tools that the history calls: some gateways insist on them."""
    names = dict.fromkeys(_name(call.name) for message in messages for call in message.calls)
    empty = {"type": "object", "properties": {}}
    return tuple(ToolSpec(name, "Not offered any more.", empty) for name in names)


def _tool(spec: ToolSpec, *, strict: bool) -> dict[str, Any]:
    parameters: Mapping[str, Any] = spec.parameters
    function: dict[str, Any] = {"name": spec.name, "description": spec.description}
    if strict:
        parameters = spec.strict_parameters or build_strict_schema(spec.parameters)
        function["strict"] = True
    function["parameters"] = parameters
    return {"type": "function", "function": function}


def repaired(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the history with sound calls: each has a valid, unique id and exactly one result.

    Results follow their calls in call order. Ids of another form are rewritten, arguments that
    are no JSON object become `{}`, an unanswered call gets an error result, and a result
    without a call is left out.
    """
    out: list[Message] = []
    used: dict[str, None] = {}
    ids = CallIds("history", {call.id for message in messages for call in message.calls})
    at = 0
    while at < len(messages):
        message = messages[at]
        at += 1
        if message.role == "tool":
            continue
        if not message.calls:
            out.append(message)
            continue
        results: list[Message] = []
        while at < len(messages) and messages[at].role == "tool":
            results.append(messages[at])
            at += 1
        calls = tuple(_sound_call(call, ids, used) for call in message.calls)
        out.append(replace(message, calls=calls))
        out.extend(_results(message.calls, calls, results))
    return tuple(out)


def _sound_call(call: ToolCall, ids: CallIds, used: dict[str, None]) -> ToolCall:
    wire_id = call.id if _WIRE_ID.fullmatch(call.id) and call.id not in used else ids.new()
    used[wire_id] = None
    try:
        read_arguments(call.arguments)
    except ValueError:
        return ToolCall(wire_id, _name(call.name), "{}")
    return ToolCall(wire_id, _name(call.name), call.arguments)


def _name(name: str) -> str:
    return _NAME_CHARACTER.sub("_", name)[:_NAME_LENGTH_MAX] or "unnamed"


def _results(
    given: tuple[ToolCall, ...], calls: tuple[ToolCall, ...], results: list[Message]
) -> list[Message]:
    """Return one result for each call; calls that share an id take their results in order."""
    left = list(results)
    out: list[Message] = []
    for old, new in zip(given, calls, strict=True):
        found = next((result for result in left if result.call_id == old.id), None)
        if found is not None:
            left.remove(found)
        content = found.content if found is not None else UNANSWERED
        out.append(Message("tool", content, call_id=new.id))
    return out


def _as_text(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the history for an endpoint without tools: results become text of the user side."""
    names = {call.id: call.name for message in messages for call in message.calls}
    out: list[Message] = []
    for message in messages:
        if message.role == "tool":
            name = names.get(message.call_id or "", "tool")
            out.append(Message("user", f"Result of {name}:\n{message.content}"))
        elif message.content or not message.calls:
            out.append(replace(message, calls=()))
    return tuple(out)


def _messages(messages: tuple[Message, ...], profile: ProviderProfile) -> list[dict[str, Any]]:
    if profile.single_system or profile.system_role == "user_prefix":
        messages = _one_system(messages)
    if profile.system_role == "user_prefix":
        messages = _without_system(messages)
    if profile.merge_same_role:
        messages = _merged(messages)
    return [_message(message, profile) for message in messages]


def _one_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    texts = [message.content for message in messages if message.role == "system"]
    rest = tuple(message for message in messages if message.role != "system")
    return (Message("system", "\n\n".join(texts)), *rest) if texts else rest


def _without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if not messages or messages[0].role != "system":
        return messages
    system, rest = messages[0], messages[1:]
    if rest and rest[0].role == "user":
        first = replace(rest[0], content=f"{system.content}\n\n{rest[0].content}")
        return (first, *rest[1:])
    return (Message("user", system.content), *rest)


def _merged(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    out: list[Message] = []
    for message in messages:
        last = out[-1] if out else None
        if (
            last is not None
            and last.role == message.role
            and message.role != "tool"
            and not last.calls
            and not message.calls
        ):
            out[-1] = replace(last, content=f"{last.content}\n\n{message.content}")
        else:
            out.append(message)
    return tuple(out)


def _message(message: Message, profile: ProviderProfile) -> dict[str, Any]:
    role: str = message.role
    if role == "system" and profile.system_role == "developer":
        role = "developer"
    out: dict[str, Any] = {"role": role, "content": message.content}
    if message.call_id is not None:
        out["tool_call_id"] = message.call_id
    if message.calls:
        out["tool_calls"] = [_call(call) for call in message.calls]
        if not message.content:
            _set_empty_content(out, profile)
        if profile.reasoning_echo:
            out[profile.reasoning_echo] = message.reasoning
    return out


def _set_empty_content(out: dict[str, Any], profile: ProviderProfile) -> None:
    match profile.empty_content:
        case "empty_string":
            out["content"] = ""
        case "null":
            out["content"] = None
        case "omit":
            del out["content"]


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}
