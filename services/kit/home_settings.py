"""Owns the settings of where an installation lives, who opens it, and what it listens to."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class HomeSettings(BaseModel):
    """The first part of `Settings`; the environment variable is the field's name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    cornerman_home: Path = Field(
        Path("~/.cornerman"),
        description=(
            "Folder of the database, signing key, audit anchors, backups and the `KILL` file."
        ),
    )
    cornerman_mode: Literal["local", "served"] = Field(
        "local",
        description=(
            "`local`: loopback only, one owner. `served`: several users behind https; weak "
            "configuration is refused."
        ),
    )
    host: str = Field(
        "127.0.0.1",
        max_length=255,
        description="Address to listen on; local mode accepts loopback addresses only.",
    )
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    database_url: SecretStr = Field(
        SecretStr(""),
        description=(
            "SQLite or PostgreSQL URL of the runtime role; empty means a SQLite file in "
            "`CORNERMAN_HOME`."
        ),
    )
    database_owner_url: SecretStr = Field(
        SecretStr(""),
        description="PostgreSQL URL of the owner role, used by `cornerman migrate` only.",
    )
    public_base_url: str = Field(
        "", max_length=300, description="Address that people open; https in served mode."
    )
    cornerman_secret: SecretStr = Field(
        SecretStr(""), description="Secret of a served installation, at least 32 characters."
    )
    admin_name: str = Field(
        "owner", min_length=1, max_length=64, description="Login name of the first administrator."
    )
    admin_password: SecretStr = Field(
        SecretStr(""),
        description="Password of the first administrator in served mode, at least 12 characters.",
    )
    served_sqlite_ok: bool = Field(
        False, description="Allow SQLite in served mode; PostgreSQL is the rule there."
    )
    cors_allowlist: str = Field(
        "",
        max_length=2000,
        description="Comma-separated https origins that may call the API and frame the chat.",
    )
    allowed_hosts: str = Field(
        "",
        max_length=2000,
        description=(
            "Comma-separated host names this server answers to; empty means its own address."
        ),
    )
    trust_proxy: bool = Field(
        False,
        description=(
            "Take the client address from `X-Forwarded-For`; only behind a proxy of your own."
        ),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line that is written."
    )
    request_body_limit: int = Field(
        262_144, ge=1024, le=10_485_760, description="Largest request body in bytes."
    )

    @field_validator("cornerman_home")
    @classmethod
    def _home(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the allow-listed origins."""
        return tuple(
            part.strip().rstrip("/") for part in self.cors_allowlist.split(",") if part.strip()
        )

    @property
    def runtime_database_url(self) -> str:
        """Return the URL the product runs on."""
        given = self.database_url.get_secret_value()
        return given or f"sqlite:///{self.cornerman_home / 'cornerman.db'}"

    @property
    def owner_database_url(self) -> str:
        """Return the URL that migrations run on."""
        return self.database_owner_url.get_secret_value() or self.runtime_database_url
