"""Lints every tool's schema in both dialects, and compares them with the readable snapshot.

`CORNERMAN_UPDATE_SNAPSHOT=1` writes the snapshot anew; without it a difference is a failure.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from services.orders import confirm
from tools.registry import Effect, all_tools

SNAPSHOT = Path(__file__).parent / "schemas.json"
REACHABLE = {
    "alert_delete",
    "alert_list",
    "alert_set",
    "alert_update",
    "audit_trail",
    "backtest",
    "balances",
    "bars",
    "cancel_order",
    "chain",
    "data_health",
    "earnings",
    "fills",
    "freeze_list",
    "help",
    "journal_add",
    "journal_list",
    "market_status",
    "news",
    "options_picks",
    "orders",
    "picks",
    "plan",
    "plan_check",
    "portfolio",
    "position_action",
    "positions",
    "propose_bracket",
    "propose_order",
    "quote",
    "replace_order",
    "replay",
    "risk_state",
    "score",
    "size",
    "untaken",
    "weekend_plan",
}
FROM_THE_SESSION = {
    "account",
    "account_id",
    "user",
    "user_id",
    "tenant",
    "tenant_id",
    "mode",
    "broker",
    "portfolio_id",
    "token",
    "typed",
}
DIALECTS = ("plain", "strict")


def schema(tool, dialect):
    return tool.parameters(strict=dialect == "strict")


def nodes(item, depth=0):
    if isinstance(item, dict):
        yield item, depth
        for key, value in item.items():
            yield from nodes(value, depth + (key == "properties" or key == "items"))
    elif isinstance(item, list):
        for value in item:
            yield from nodes(value, depth)


def test_the_model_reaches_these_tools_and_no_other():
    assert set(all_tools()) == REACHABLE
    assert {one.effect for one in all_tools().values()} <= set(Effect)
    assert not {"halt", "resume", "confirm", "execute"} & set(all_tools())


def test_the_tools_that_prepare_orders_are_cards():
    proposing = {name for name, one in all_tools().items() if one.effect is Effect.PROPOSE}
    cards = {"propose_order", "propose_bracket", "replace_order", "cancel_order", "position_action"}
    assert proposing == cards


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", sorted(REACHABLE))
def test_a_schema_holds_only_what_every_endpoint_accepts(name, dialect):
    tool = all_tools()[name]
    body = schema(tool, dialect)
    assert body["type"] == "object"
    assert "anyOf" not in body
    assert "$defs" not in body
    assert len(body["properties"]) <= 100
    for field in body["properties"]:
        assert re.fullmatch(r"[a-z][a-z0-9_]{1,40}", field)
    for node, depth in nodes(body):
        assert depth <= 5
        assert not {"default", "prefixItems", "patternProperties", "$ref", "title"} & {
            key for key in node if key not in body["properties"]
        }, node
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
        assert node.get("type") != "number", "figures are text"
    if dialect == "strict":
        assert body["required"] == list(body["properties"])


@pytest.mark.parametrize("name", sorted(REACHABLE))
def test_every_field_is_bounded_and_described(name):
    for field, item in all_tools()[name].parameters()["properties"].items():
        assert item.get("description"), field
        bounded = {"enum", "maxLength", "maxItems", "maximum", "const"} & set(item)
        assert bounded, f"{name}.{field} has no bound"
        if item["type"] == "array":
            assert "maxLength" in item["items"], field


@pytest.mark.parametrize("name", sorted(REACHABLE))
def test_who_and_where_is_never_an_argument(name):
    assert not FROM_THE_SESSION & set(all_tools()[name].parameters()["properties"])


def _models(model, seen):
    if model in seen:
        return seen
    seen.add(model)
    for field in model.model_fields.values():
        stack = [field.annotation]
        while stack:
            kind = stack.pop()
            stack += list(getattr(kind, "__args__", ()))
            if isinstance(kind, type) and hasattr(kind, "model_fields"):
                _models(kind, seen)
            assert kind is not confirm.Challenge
            assert kind is not float, f"{model.__name__} holds a float"
    return seen


@pytest.mark.parametrize("name", sorted(REACHABLE))
def test_no_result_can_hold_a_token_or_a_float(name):
    for model in _models(all_tools()[name].result, set()):
        assert not {"token", "challenge", "secret", "typed"} & set(model.model_fields)


def test_the_schemas_are_those_of_the_snapshot():
    found = {
        name: {
            "description": one.description,
            "effect": one.effect.value,
            **{dialect: schema(one, dialect) for dialect in DIALECTS},
        }
        for name, one in all_tools().items()
    }
    text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
    if os.environ.get("CORNERMAN_UPDATE_SNAPSHOT") == "1":
        SNAPSHOT.write_text(text, encoding="utf-8")
    assert SNAPSHOT.read_text(encoding="utf-8") == text, (
        "the schemas changed: look at the difference, then set CORNERMAN_UPDATE_SNAPSHOT=1"
    )
