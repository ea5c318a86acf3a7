"""Owns what each kind of endpoint accepts, as data, and how a profile learns from a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

MaxTokensField = Literal["max_tokens", "max_completion_tokens", ""]
SystemRole = Literal["system", "developer", "user_prefix"]
EmptyContent = Literal["empty_string", "omit", "null"]


@dataclass(frozen=True, slots=True)
class ProviderProfile:
    """What one endpoint accepts. The defaults are those of an unknown but usual server.

    `single_system` merges all system messages into the first; `empty_content` is what an
    assistant message with calls and no text carries; `reasoning_echo` names the field in which
    the endpoint wants a model's own reasoning back; `context_tokens` bounds a request.
    """

    name: str
    calls_tools: bool = True
    strict: bool = False
    parallel_tool_calls: bool = False
    stream_usage: bool = True
    max_tokens_field: MaxTokensField = "max_tokens"
    tool_choice: bool = True
    system_role: SystemRole = "system"
    single_system: bool = True
    empty_content: EmptyContent = "empty_string"
    reasoning_echo: str = ""
    temperature_allowed: bool = True
    seed_allowed: bool = True
    merge_same_role: bool = False
    context_tokens: int = 32_768


_AUTO = ProviderProfile("auto")
_PRESETS = (
    _AUTO,
    ProviderProfile(
        "openai",
        strict=True,
        parallel_tool_calls=True,
        single_system=False,
        max_tokens_field="max_completion_tokens",
        context_tokens=128_000,
    ),
    ProviderProfile(
        "azure",
        strict=True,
        parallel_tool_calls=True,
        single_system=False,
        max_tokens_field="max_completion_tokens",
        context_tokens=128_000,
    ),
    ProviderProfile("ollama", tool_choice=False, context_tokens=8_192),
    ProviderProfile("mistral", stream_usage=False, seed_allowed=False, merge_same_role=True),
    ProviderProfile("groq", parallel_tool_calls=True, context_tokens=128_000),
    ProviderProfile("openrouter", context_tokens=64_000),
    ProviderProfile("gemini", seed_allowed=False, context_tokens=200_000),
    ProviderProfile("deepseek", reasoning_echo="reasoning_content", context_tokens=64_000),
    ProviderProfile("lmstudio", tool_choice=False, context_tokens=8_192),
    ProviderProfile("llama.cpp", merge_same_role=True, context_tokens=8_192),
    ProviderProfile("vllm"),
    ProviderProfile(
        "chat-data",
        calls_tools=False,
        stream_usage=False,
        max_tokens_field="",
        tool_choice=False,
        system_role="user_prefix",
        temperature_allowed=False,
        seed_allowed=False,
        merge_same_role=True,
        context_tokens=8_192,
    ),
)
PRESETS: Mapping[str, ProviderProfile] = {profile.name: profile for profile in _PRESETS}

_HOSTS = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure"),
    ("api.mistral.ai", "mistral"),
    ("api.groq.com", "groq"),
    ("openrouter.ai", "openrouter"),
    ("ollama.com", "ollama"),
    ("generativelanguage.googleapis.com", "gemini"),
    ("api.deepseek.com", "deepseek"),
    ("chat-data.com", "chat-data"),
)
_LOCAL_PORTS = {11434: "ollama", 1234: "lmstudio"}


def find_preset(base_url: str) -> ProviderProfile:
    """Return the preset of a known host, or `auto`, which starts usual and learns.

    Ports 11434 and 1234 on this machine are those of Ollama and LM Studio.
    """
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    for known, name in _HOSTS:
        if host == known.lstrip(".") or host.endswith("." + known.lstrip(".")):
            return PRESETS[name]
    if host in ("localhost", "127.0.0.1", "::1"):
        return PRESETS[_LOCAL_PORTS.get(parts.port or 0, "auto")]
    return _AUTO


_DROPPED: Mapping[str, Mapping[str, Any]] = {
    "stream_options": {"stream_usage": False},
    "parallel_tool_calls": {"parallel_tool_calls": False},
    "strict": {"strict": False},
    "tool_choice": {"tool_choice": False},
    "max_completion_tokens": {"max_tokens_field": "max_tokens"},
    "max_tokens": {"max_tokens_field": "max_completion_tokens"},
    "seed": {"seed_allowed": False},
    "temperature": {"temperature_allowed": False},
    "reasoning_content": {"reasoning_echo": ""},
}
OPTIONAL_FIELDS = tuple(_DROPPED)
_ROLES = {"developer": "developer_role", "system": "system_role"}
_CHANGES: Mapping[str, Mapping[str, Any]] = {
    **_DROPPED,
    "developer_role": {"system_role": "system"},
    "system_role": {"system_role": "user_prefix"},
}


def without_field(profile: ProviderProfile, field: str) -> ProviderProfile:
    """Return the profile that sends everything but `field`.

    The two names of the token limit replace each other; a refused developer role becomes
    `system`, a refused system role a preface of the first user message.
    """
    return replace(profile, **_CHANGES[field])


def find_refused_field(body: Mapping[str, Any], param: str, message: str) -> str | None:
    """Return the optional field of `body` that a 400 or 422 names, the error's `param` first.

    Worked: `param="max_tokens"` for a body with `max_tokens` gives `max_tokens`.
    """
    if "role" in param and body["messages"][0]["role"] in message:
        return _ROLES.get(body["messages"][0]["role"])
    sent = [field for field in OPTIONAL_FIELDS if _is_sent(body, field)]
    for text in (param, message):
        for field in sent:
            if re.search(rf"(?<![A-Za-z0-9_]){field}(?![A-Za-z0-9_])", text):
                return field
    return None


def _is_sent(body: Mapping[str, Any], field: str) -> bool:
    if field == "strict":
        return any("strict" in tool["function"] for tool in body.get("tools", ()))
    if field == "reasoning_content":
        return any(field in message for message in body["messages"])
    return field in body
