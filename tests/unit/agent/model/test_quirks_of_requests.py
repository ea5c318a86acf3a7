"""The quirks of requests: what the body may and may not hold, and what a refusal teaches."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.model.port import Message, ModelRequest, ToolCall
from agent.model.profile import PRESETS, ProviderProfile, find_preset
from agent.model.schema import build_strict_schema
from agent.model.wire import UNANSWERED, build_body
from services.kit.errors import Refusal, refuse
from tests.fakes.model_server import error_answer, text_answer
from tests.unit.agent.model.asking import ASK, CLOCK, QUOTE, ask

AUTO, OPENAI = PRESETS["auto"], PRESETS["openai"]
CALLED = (
    Message("system", "You coach."),
    Message("user", "Price of AAPL?"),
    Message("assistant", "", (ToolCall("aaaaaaaa1", "quote", '{"symbol":"AAPL"}'),)),
    Message("tool", '{"last":"190.05"}', call_id="aaaaaaaa1"),
)


def body_of(request: ModelRequest, profile: ProviderProfile = AUTO) -> dict[str, Any]:
    return build_body(request, profile, model="m")


def test_q12_ids_in_history_are_nine_letters_and_digits() -> None:
    messages = (
        *CALLED[:2],
        Message("assistant", "", (ToolCall("call_J3ajtA7qivswzXp8A9sJ7foO", "quote", "{}"),)),
        Message("tool", "{}", call_id="call_J3ajtA7qivswzXp8A9sJ7foO"),
    )
    sent = body_of(ModelRequest(messages))["messages"]
    made = sent[2]["tool_calls"][0]["id"]
    assert len(made) == 9
    assert made.isalnum()
    assert sent[3]["tool_call_id"] == made


def test_q11_ids_reused_in_later_turns_become_unique() -> None:
    sent = body_of(ModelRequest((*CALLED, *CALLED[1:])))["messages"]
    ids = [call["id"] for message in sent for call in message.get("tool_calls", ())]
    assert len(set(ids)) == 2
    assert [message["tool_call_id"] for message in sent if message["role"] == "tool"] == ids


@pytest.mark.parametrize("broken", ['{"symbol": "AA', "[1]", "", "NaN"])
def test_q16_broken_arguments_in_history_become_an_empty_object(broken: str) -> None:
    messages = (
        *CALLED[:2],
        replace(CALLED[2], calls=(ToolCall("aaaaaaaa1", "quote", broken),)),
        CALLED[3],
    )
    assert (
        body_of(ModelRequest(messages))["messages"][2]["tool_calls"][0]["function"]["arguments"]
        == "{}"
    )


def test_an_unanswered_call_gets_an_error_result_and_an_orphan_result_is_left_out() -> None:
    orphan = Message("tool", "x", call_id="bbbbbbbb2")
    sent = body_of(ModelRequest((orphan, *CALLED[:3], Message("user", "And?"))))["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool", "user"]
    assert sent[3]["content"] == UNANSWERED


REFUSED = [
    ("Q25", "stream_options", "Unrecognized request argument supplied: stream_options"),
    ("Q26", "strict", "Invalid field tools[0].function.strict"),
    ("Q27", "parallel_tool_calls", "parallel_tool_calls is not supported with this model"),
    ("seed", "seed", "'seed' : property 'seed' is unsupported"),
    ("temperature", "temperature", "Unsupported value: 'temperature'"),
]


def holds(body: dict[str, Any], field: str) -> bool:
    return field in body or any(field in tool["function"] for tool in body.get("tools", ()))


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize(("row", "field", "message"), REFUSED, ids=[row[0] for row in REFUSED])
async def test_a_refused_optional_field_is_dropped_and_remembered(
    row: str, field: str, message: str, status: int
) -> None:
    request = replace(ASK, seed=7, temperature=0.0)
    asked = await ask([error_answer(status, message), text_answer("ok")], request, profile=OPENAI)
    first, second = asked.requests
    assert holds(first, field)
    assert not holds(second, field)
    dropped = {name for name in first if name not in second}
    assert dropped <= {field}
    assert asked.waits == []
    assert not holds(build_body(request, asked.profile, model="m"), field)


async def test_the_token_limit_changes_its_name_when_told_so() -> None:
    message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    asked = await ask([error_answer(400, message, param="max_tokens"), text_answer("ok")])
    assert "max_completion_tokens" in asked.requests[1]
    assert "max_tokens" not in asked.requests[1]


async def test_a_field_is_dropped_only_once() -> None:
    with pytest.raises(Refusal) as refused:
        await ask([error_answer(400, "stream_options"), error_answer(400, "stream_options")])
    assert refused.value.code == "MODEL_BAD_REQUEST"


async def test_a_refusal_that_names_nothing_of_ours_is_final() -> None:
    with pytest.raises(Refusal) as refused:
        await ask([error_answer(400, "context length exceeded"), text_answer("no")])
    assert refused.value.code == "MODEL_BAD_REQUEST"
    assert refused.value.facts["reason"] == "context length exceeded"


@pytest.mark.parametrize("profile", PRESETS.values(), ids=lambda profile: profile.name)
def test_q28_no_empty_tools_and_no_tool_choice_without_tools(profile: ProviderProfile) -> None:
    body = body_of(ModelRequest(ASK.messages, tool_choice="none"), profile)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(body)


def test_q28_tools_stay_when_the_history_has_calls() -> None:
    body = body_of(ModelRequest(CALLED))
    assert [tool["function"]["name"] for tool in body["tools"]] == ["quote"]
    assert body["tool_choice"] == "none"
    last = body_of(ModelRequest(CALLED, (QUOTE, CLOCK), "none"))
    assert len(last["tools"]) == 2
    assert last["tool_choice"] == "none"


@pytest.mark.parametrize(
    ("policy", "content"), [("empty_string", ""), ("null", None), ("omit", "absent")]
)
def test_q29_an_assistant_without_text_carries_what_the_profile_wants(
    policy: Any, content: object
) -> None:
    sent = body_of(ModelRequest(CALLED), replace(AUTO, empty_content=policy))["messages"]
    assert sent[2].get("content", "absent") == content


@pytest.mark.parametrize("profile", PRESETS.values(), ids=lambda profile: profile.name)
def test_q29_no_preset_sends_null_content(profile: ProviderProfile) -> None:
    assert all(
        isinstance(message["content"], str)
        for message in body_of(ModelRequest(CALLED), profile)["messages"]
    )


@pytest.mark.parametrize("profile", PRESETS.values(), ids=lambda profile: profile.name)
def test_q30_tool_content_is_always_text(profile: ProviderProfile) -> None:
    sent = body_of(ModelRequest(CALLED), profile)["messages"]
    assert any('{"last":"190.05"}' in message["content"] for message in sent)


@pytest.mark.parametrize("profile", PRESETS.values(), ids=lambda profile: profile.name)
def test_q31_only_known_fields_are_sent_back(profile: ProviderProfile) -> None:
    known = {"role", "content", "tool_calls", "tool_call_id"} | {profile.reasoning_echo}
    for message in body_of(ModelRequest(CALLED), profile)["messages"]:
        assert set(message) <= known
        for call in message.get("tool_calls", ()):
            assert (set(call), set(call["function"])) == (
                {"id", "type", "function"},
                {"name", "arguments"},
            )


def test_q36_a_strange_name_in_history_is_made_harmless() -> None:
    messages = (
        *CALLED[:2],
        replace(CALLED[2], calls=(ToolCall("aaaaaaaa1", "quote<|channel|>analysis", "{}"),)),
        CALLED[3],
    )
    name = body_of(ModelRequest(messages))["messages"][2]["tool_calls"][0]["function"]["name"]
    assert name == "quote__channel__analysis"


def test_q37_reasoning_goes_back_only_where_it_is_wanted() -> None:
    thought = ModelRequest((*CALLED[:2], replace(CALLED[2], reasoning="hm"), CALLED[3]))
    assert "reasoning_content" not in json.dumps(body_of(thought))
    assert body_of(thought, PRESETS["deepseek"])["messages"][2]["reasoning_content"] == "hm"


async def test_q37_reasoning_that_is_refused_is_not_sent_again() -> None:
    asked = await ask(
        [error_answer(400, "reasoning_content is not accepted"), text_answer("ok")],
        ModelRequest(CALLED),
        profile=PRESETS["deepseek"],
    )
    assert "reasoning_content" not in json.dumps(asked.requests[1])


def test_q38_one_system_message_and_no_developer_role() -> None:
    request = ModelRequest((*ASK.messages, Message("system", "Be brief.")))
    sent = body_of(request)["messages"]
    assert [(message["role"], message["content"]) for message in sent] == [
        ("system", "You coach.\n\nBe brief."),
        ("user", "Price of AAPL?"),
    ]
    assert len(body_of(request, OPENAI)["messages"]) == 3


async def test_q38_a_refused_system_role_becomes_a_preface() -> None:
    message = "Unsupported value: 'messages[0].role' does not support 'system' with this model."
    asked = await ask([error_answer(400, message, param="messages[0].role"), text_answer("ok")])
    assert asked.requests[1]["messages"] == [
        {"role": "user", "content": "You coach.\n\nPrice of AAPL?"}
    ]


def test_q41_the_refusal_of_an_unknown_tool_lists_the_valid_names() -> None:
    assert "clock, quote" in refuse("TOOL_UNKNOWN", name="shell", names="clock, quote").message


@pytest.mark.parametrize("profile", PRESETS.values(), ids=lambda profile: profile.name)
def test_q42_results_survive_a_switch_of_the_endpoint(profile: ProviderProfile) -> None:
    sent = body_of(ModelRequest((*CALLED, Message("user", "And?")), (QUOTE,)), profile)["messages"]
    results = [message for message in sent if '{"last":"190.05"}' in message["content"]]
    assert len(results) == 1
    if profile.calls_tools:
        assert results[0]["tool_call_id"] == sent[sent.index(results[0]) - 1]["tool_calls"][0]["id"]


def test_a_narrating_endpoint_gets_no_tools_and_no_system_role() -> None:
    profile = find_preset("https://api.chat-data.com/v1")
    body = body_of(ModelRequest(CALLED, (QUOTE,)), profile)
    assert not profile.calls_tools
    assert {message["role"] for message in body["messages"]} == {"user"}
    assert set(body) == {"model", "messages", "stream"}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://r.openai.azure.com/openai/v1", "azure"),
        ("http://127.0.0.1:11434/v1", "ollama"),
        ("http://localhost:1234/v1", "lmstudio"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://evil-openrouter.ai/v1", "auto"),
        ("https://models.example/v1", "auto"),
    ],
)
def test_a_known_host_has_its_preset(url: str, name: str) -> None:
    assert find_preset(url).name == name


def test_the_strict_dialect_requires_everything_and_allows_null() -> None:
    plain = {
        "type": "object",
        "required": ["a"],
        "properties": {
            "a": {"type": "string", "pattern": "^x$"},
            "b": {"type": "integer", "minimum": 1},
            "c": {"enum": ["x"], "type": "string"},
            "d": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "e": {"type": "object", "properties": {"default": {"type": "string"}}},
        },
    }
    assert build_strict_schema(plain) == {
        "type": "object",
        "additionalProperties": False,
        "required": ["a", "b", "c", "d", "e"],
        "properties": {
            "a": {"type": "string"},
            "b": {"type": ["integer", "null"]},
            "c": {"anyOf": [{"enum": ["x"], "type": "string"}, {"type": "null"}]},
            "d": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "e": {
                "type": ["object", "null"],
                "additionalProperties": False,
                "required": ["default"],
                "properties": {"default": {"type": ["string", "null"]}},
            },
        },
    }


def test_the_plain_dialect_is_sent_unchanged_without_a_strict_key() -> None:
    function = body_of(ASK)["tools"][0]["function"]
    assert function == {
        "name": "quote",
        "description": "Latest quote.",
        "parameters": QUOTE.parameters,
    }
