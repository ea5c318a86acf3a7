"""Owns strategy policies: named, hashed documents of what a strategy does; approved by a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.kit.canonical import tagged_hash
from services.kit.context import Context
from services.kit.errors import refuse
from services.research.config import BacktestConfig, FoldTerms, RuleTerms, SetupTerms
from services.strategy.detect import DETECTORS
from services.strategy.documents import Document, find_leading, get_document, store_document

KIND = "strategy/v1"
_CONFIG: TypeAdapter[BacktestConfig] = TypeAdapter(BacktestConfig)
_SETTLED = ("rule", "setup", "costs", "size", "kind", "timeframe")
"""What of a config is the strategy; symbols, spans and names are of one run."""


def parse_config(body: Mapping[str, Any]) -> BacktestConfig:
    """Return the config of a document; numbers may be texts. Raises `PARAM_INVALID`."""
    unknown = sorted(set(body) - set(BacktestConfig.__dataclass_fields__))
    if unknown:
        raise refuse(
            "PARAM_INVALID", name=unknown[0][:40], value="", rule="is no part of a backtest"
        )
    try:
        return _CONFIG.validate_python(dict(body))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise refuse(
            "PARAM_INVALID", field=where, name=where, value="", rule=str(first["msg"])[:200]
        ) from error


def strategy_names() -> tuple[str, ...]:
    """Return the strategies that can be asked for by name: detectors, rules, and all detectors."""
    rules = ("ema_cross", "vwap_deviation", "volume_spike")
    return tuple(dict.fromkeys(("setups", *sorted(one.id for one in DETECTORS), *rules)))


def named_config(name: str, symbols: tuple[str, ...], timeframe: str) -> BacktestConfig:
    """Return the run of a named strategy: a detector with its plans, or a rule with its defaults.

    Where both have a name the detector is meant. Raises `PARAM_INVALID` with the names.
    """
    if name not in strategy_names():
        rule = f"must be one of {', '.join(strategy_names())}"
        raise refuse("PARAM_INVALID", field="strategy", name="strategy", value=name, rule=rule)
    detectors = {one.id: one for one in DETECTORS}
    if name == "setups" or name in detectors:
        ids = () if name == "setups" else (name,)
        return BacktestConfig(
            name=name, kind="setup", symbols=symbols, timeframe=timeframe, setup=SetupTerms(ids=ids)
        )
    terms = RuleTerms(name=name)  # type: ignore[arg-type]
    return BacktestConfig(name=name, kind="rule", symbols=symbols, timeframe=timeframe, rule=terms)


def with_folds(config: BacktestConfig, asked: Mapping[str, int | None]) -> BacktestConfig:
    """Return a run by folds when any term of them is named; else the run as it is.

    A step is as long as a test. Raises `PARAM_INVALID`.
    """
    terms = {name: value for name, value in asked.items() if value is not None}
    if not terms:
        return config
    if "test_months" in terms:
        terms.setdefault("step_months", terms["test_months"])
    return replace(config, folds=FoldTerms(**terms))


def strategy_body(config: BacktestConfig) -> dict[str, object]:
    """Return the document `strategy/v1`: the numbers that decide trades, and nothing of one run."""
    body = {name: getattr(config, name) for name in _SETTLED}
    return {name: value for name, value in body.items() if name not in ("rule", "setup")} | {
        config.kind: getattr(config, config.kind)
    }


def strategy_hash(config: BacktestConfig) -> str:
    """Return the tagged hash of the strategy alone; runs on other symbols share it."""
    return tagged_hash(KIND, strategy_body(config))


def store_strategy(ctx: Context, config: BacktestConfig) -> Document:
    """Store the strategy of a config under its hash; its approval is an audited act of a person."""
    return store_document(ctx, KIND, config.name, strategy_body(config))


def dry_run_config(
    ctx: Context, digest: str, *, symbols: tuple[str, ...], timeframe: str | None = None
) -> BacktestConfig:
    """Return the run of a stored strategy over the history of some symbols.

    Raises `DOCUMENT_UNKNOWN`, and `PARAM_INVALID` for a document of another kind.
    """
    found = get_document(ctx, digest)
    if found.kind != KIND:
        raise refuse("PARAM_INVALID", name="strategy", value=found.kind, rule="no strategy")
    body = {"name": found.key, "symbols": list(symbols), **found.body}
    return parse_config({**body, "timeframe": timeframe or body["timeframe"]})


def approved_hash(ctx: Context, name: str) -> str | None:
    """Return the hash of the strategy that a person approved last under a name, or None."""
    found = find_leading(ctx, KIND, name)
    return None if found is None else found.hash
