"""Owns preferences: the settings that a person may edit in the page, typed, audited, per tenant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import SecretStr
from sqlalchemy import Column, Text, UniqueConstraint, select

from services import audit
from services.kit.context import Context
from services.kit.db import UtcDateTime, tenant_table
from services.kit.errors import refuse
from services.kit.settings import Settings

app_settings = tenant_table(
    "app_settings",
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("changed_at", UtcDateTime(), nullable=False),
    Column("changed_by", Text, nullable=False),
    UniqueConstraint("tenant_id", "name", name="uq_app_settings_tenant_id_name"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One editable setting: its default, the whole-value pattern it must match, and its meaning."""

    name: str
    default: str
    pattern: str
    rule: str
    about: str


CATALOGUE = {
    choice.name: choice
    for choice in (
        Choice(
            name="theme",
            default="auto",
            pattern="auto|dark|light",
            rule="auto, dark or light",
            about="Colours of the page.",
        ),
        Choice(
            name="symbol",
            default="AAPL",
            pattern=r"[A-Z][A-Z0-9.-]{0,14}",
            rule="a symbol of up to 15 characters",
            about="Symbol that the desk opens with.",
        ),
        Choice(
            name="timeframe",
            default="1d",
            pattern="1m|5m|15m|30m|60m|1d",
            rule="1m, 5m, 15m, 30m, 60m or 1d",
            about="Timeframe that the chart opens with.",
        ),
        Choice(
            name="time_zone",
            default="exchange",
            pattern="exchange|local|utc",
            rule="exchange, local or utc",
            about="Zone in which the page writes times.",
        ),
    )
}
"""Every editable setting; what is not here comes from the environment and is shown read-only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting as the page shows it; a secret's value is only `set` or empty."""

    name: str
    value: str
    source: Literal["default", "environment", "edited"]
    editable: bool
    about: str
    rule: str = ""


def list_settings(ctx: Context) -> list[Setting]:
    """Return the editable settings first, then those of the environment, read-only."""
    edited = {
        row.name: row.value
        for row in ctx.db.rows(select(app_settings).order_by(app_settings.c.name))
    }
    mine = [_editable(choice, edited.get(choice.name)) for choice in CATALOGUE.values()]
    return mine + [_fixed(ctx.settings, name) for name in Settings.model_fields]


def get_setting(ctx: Context, name: str) -> Setting:
    """Return one setting by name. Raises `SETTING_UNKNOWN`."""
    for setting in list_settings(ctx):
        if setting.name == name:
            return setting
    raise refuse("SETTING_UNKNOWN", name=name)


def change_settings(ctx: Context, values: dict[str, str]) -> list[Setting]:
    """Store new values, all or none, each with its audit event; return every setting.

    Raises `SETTING_UNKNOWN`, `SETTING_LOCKED` for one that the environment owns, and
    `SETTING_INVALID` with the rule it breaks.
    """
    for name, value in sorted(values.items()):
        choice = CATALOGUE.get(name)
        if choice is None:
            raise refuse(
                "SETTING_LOCKED" if name in Settings.model_fields else "SETTING_UNKNOWN", name=name
            )
        if not re.fullmatch(choice.pattern, value, re.ASCII):
            raise refuse(
                "SETTING_INVALID",
                field=name,
                name=name,
                fault="not allowed",
                todo=f"Give {choice.rule}.",
            )
        _store(ctx, name, value)
    return list_settings(ctx)


def _store(ctx: Context, name: str, value: str) -> None:
    found = ctx.db.row(select(app_settings).where(app_settings.c.name == name))
    before = CATALOGUE[name].default if found is None else found.value
    if before == value:
        return
    row: dict[str, Any] = {
        "value": value,
        "changed_at": ctx.now,
        "changed_by": ctx.principal.user_id,
    }
    if found is None:
        ctx.db.insert(app_settings, {"id": ctx.ids.new("set"), "name": name, **row})
    else:
        ctx.db.change(app_settings.update().where(app_settings.c.name == name).values(**row))
    audit.record(ctx, "setting.changed", name, before=before, after=value)


def _editable(choice: Choice, value: str | None) -> Setting:
    return Setting(
        name=choice.name,
        value=choice.default if value is None else value,
        source="default" if value is None else "edited",
        editable=True,
        about=choice.about,
        rule=choice.rule,
    )


def _fixed(settings: Settings, name: str) -> Setting:
    value = getattr(settings, name)
    if isinstance(value, SecretStr):
        shown = "set" if value.get_secret_value() else ""
    else:
        shown = str(value).lower() if isinstance(value, bool) else str(value)
    given = name in settings.model_fields_set
    return Setting(
        name=name,
        value=shown,
        source="environment" if given else "default",
        editable=False,
        about=Settings.model_fields[name].description or "",
    )
