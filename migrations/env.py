"""Owns how Alembic reaches the database: the URL, one transaction, guards at the end."""

from __future__ import annotations

import os
from pathlib import Path

from alembic import context

from services.kit.environment import load_settings
from services.schema import run_migrations


def _url() -> str:
    if context.config.attributes.get("url"):
        return str(context.config.attributes["url"])
    settings = load_settings(os.environ, Path(".env"))
    settings.cornerman_home.mkdir(parents=True, exist_ok=True)
    return settings.owner_database_url


run_migrations(context.config.attributes, _url())
