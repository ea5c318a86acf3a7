"""Owns the settings: their names, limits and defaults, read once at boot and refused when wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

_LIMIT = re.compile(r"[1-9][0-9]{0,5}/(second|minute|hour|day)", re.ASCII)
Rate = Annotated[
    str, Field(description="`20/minute` form: a whole number per second, minute, hour or day.")
]

RETIRED = {
    "ALLOWED_WS_ORIGINS": "CORS_ALLOWLIST",
    "CORS_ORIGINS": "CORS_ALLOWLIST",
    "FRONTEND_ORIGINS": "CORS_ALLOWLIST",
    "RATE_ENABLED": "LIMIT_READ and its siblings",
    "RATE_MAX": "LIMIT_READ and its siblings",
    "RATE_WINDOW_MS": "LIMIT_READ and its siblings",
}
"""Names of earlier products, refused at boot with the name to use instead."""
RETIRED_PREFIXES = {
    "SUPABASE_": "DATABASE_URL",
    "VITE_": "nothing: the page is served from the same origin",
}


class Settings(BaseModel):
    """Every setting. The environment variable is the field's name in capitals."""

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
    limit_login: Rate = Field("5/minute", description="Login attempts per address and name.")
    limit_chat: Rate = Field("20/minute", description="Chat messages per user.")
    limit_chat_day: Rate = Field("200/day", description="Chat messages per user and day.")
    limit_confirm: Rate = Field("10/minute", description="Confirm and challenge requests per user.")
    limit_mutate: Rate = Field("60/minute", description="Other changing requests per user.")
    limit_read: Rate = Field("300/minute", description="Reading requests per user.")
    limit_stream: Rate = Field("60/minute", description="Event streams opened per user.")
    openai_api_key: SecretStr = Field(
        SecretStr(""), description="Key of an OpenAI-compatible model endpoint."
    )
    openai_base_url: str = Field(
        "https://api.openai.com/v1", max_length=300, description="Base URL of the model endpoint."
    )
    openai_model: str = Field(
        "", max_length=120, description="Model name; empty leaves the built-in rules in charge."
    )
    chatdata_api_key: SecretStr = Field(
        SecretStr(""),
        description="Key of a chat-data.com endpoint; set either this or `OPENAI_API_KEY`.",
    )
    chatdata_base_url: str = Field(
        "https://api.chat-data.com/v1",
        max_length=300,
        description="Base URL of the chat-data.com endpoint.",
    )
    chatdata_model: str = Field("", max_length=120, description="Model name at chat-data.com.")
    model_profile: str = Field(
        "auto",
        pattern=r"^[a-z0-9._-]{1,40}$",
        description=(
            "Wire profile of the model endpoint; `auto` adapts to what the endpoint refuses."
        ),
    )
    model_tokens_day: int = Field(
        2_000_000,
        ge=1000,
        le=1_000_000_000,
        description="Model tokens that one user may spend in a day.",
    )
    massive_api_key: SecretStr = Field(
        SecretStr(""), description="Key of the Massive market-data provider."
    )
    polygon_api_key: SecretStr = Field(
        SecretStr(""), description="Key of the Polygon market-data provider."
    )
    tradier_access_token: SecretStr = Field(
        SecretStr(""), description="Token of the Tradier market-data and brokerage provider."
    )
    feature_replay_enabled: bool = Field(
        True,
        description=(
            "Replay bundled history when no provider is configured; off means no provider, no data."
        ),
    )
    feature_mock_mode: bool = Field(
        False,
        description=(
            "Force replay beside a configured provider, for staging; refused beside a live account."
        ),
    )
    live_trading: bool = Field(
        False,
        description=(
            "Process flag of live orders; this release has the paper broker only and refuses it."
        ),
    )
    replay_speed: int = Field(
        1, ge=1, le=3600, description="Speed of a new replay clock, in market seconds per second."
    )
    cornerman_failpoint: str = Field(
        "",
        max_length=200,
        description=(
            "Test builds only: `name:action` stops the process at a named point; refused in served"
            " mode."
        ),
    )

    @field_validator(
        "limit_login",
        "limit_chat",
        "limit_chat_day",
        "limit_confirm",
        "limit_mutate",
        "limit_read",
        "limit_stream",
    )
    @classmethod
    def _rate(cls, value: str) -> str:
        if not _LIMIT.fullmatch(value):
            raise ValueError("must look like 20/minute (second, minute, hour or day)")
        return value

    @field_validator("openai_base_url", "chatdata_base_url", "public_base_url")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError("must be an http or https address")
        return value.rstrip("/")

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


class SettingsInvalid(Exception):
    """The boot stops: `faults` holds one line per wrong setting, with the fix."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def load_settings(environ: Mapping[str, str], env_file: Path | None = None) -> Settings:
    """Return the settings of `environ` over those of `env_file`.

    `NAME_FILE` reads a secret from a file. Unknown names in the file, retired names anywhere and
    values out of range raise `SettingsInvalid` with every fault; no value of a secret is repeated.
    """
    faults: list[str] = []
    from_file = _read_env_file(env_file, faults) if env_file else {}
    given: dict[str, str] = {}
    for name in Settings.model_fields:
        variable = name.upper()
        value = environ.get(variable, from_file.get(variable))
        pointer = environ.get(f"{variable}_FILE", from_file.get(f"{variable}_FILE"))
        if value is None and pointer:
            value = _read_secret(f"{variable}_FILE", pointer, faults)
        if value is not None and value != "":
            given[name] = value
    faults += _retired([*environ, *from_file]) + _unknown(from_file)
    settings = _validated(given, faults)
    if settings is not None:
        faults += _together(settings)
    if faults or settings is None:
        raise SettingsInvalid(faults)
    return settings


def _validated(given: dict[str, str], faults: list[str]) -> Settings | None:
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = str(fault["loc"][0])
            about = Settings.model_fields[name].description
            faults.append(f"{name.upper()}: {fault['msg']}. Fix: {about}")
        return None


def _read_env_file(path: Path, faults: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    if not path.is_file():
        return values
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{path.name}: {type(error).__name__}. Fix: save it as readable UTF-8 text.")
        return values
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, separator, value = line.removeprefix("export ").partition("=")
        if not separator or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name.strip()):
            faults.append(
                f"{path.name} line {number}: not NAME=value. Fix: write one NAME=value per line."
            )
            continue
        values[name.strip()] = _unquoted(value.strip())
    return values


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()


def _read_secret(name: str, pointer: str, faults: list[str]) -> str | None:
    try:
        return Path(pointer).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"{name}: {type(error).__name__}. Fix: point it at a readable UTF-8 file.")
        return None


def _retired(names: list[str]) -> list[str]:
    faults = []
    for name in sorted(set(names)):
        instead = RETIRED.get(name) or next(
            (new for prefix, new in RETIRED_PREFIXES.items() if name.startswith(prefix)), None
        )
        if instead:
            faults.append(f"{name}: this name is retired. Fix: use {instead}.")
    return faults


def _unknown(from_file: dict[str, str]) -> list[str]:
    known = {name.upper() for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    return [
        f"{name}: unknown setting. Fix: see .env.example for every name."
        for name in sorted(from_file)
        if name not in known and not _retired([name])
    ]


def _together(settings: Settings) -> list[str]:
    """Return the faults that only show when settings are seen together."""
    faults: list[str] = []

    def fault(name: str, what: str, fix: str) -> None:
        faults.append(f"{name}: {what}. Fix: {fix}.")

    if settings.openai_api_key.get_secret_value() and settings.chatdata_api_key.get_secret_value():
        fault("CHATDATA_API_KEY", "set together with OPENAI_API_KEY", "keep one of the two")
    if settings.live_trading:
        fault(
            "LIVE_TRADING",
            "no live broker exists in this release",
            "remove it; paper is the default",
        )
    if settings.cornerman_mode == "local":
        if settings.host not in ("127.0.0.1", "::1", "localhost"):
            fault(
                "HOST",
                "local mode listens on loopback only",
                "use 127.0.0.1, or CORNERMAN_MODE=served",
            )
        return faults
    return faults + _served(settings)


def _served(settings: Settings) -> list[str]:
    secret = settings.cornerman_secret.get_secret_value()
    password = settings.admin_password.get_secret_value()
    on_sqlite = settings.runtime_database_url.startswith("sqlite")
    weak = [
        (
            len(secret) < 32,
            (
                "CORNERMAN_SECRET: a served installation needs at least 32 characters. "
                "Fix: set a long random value."
            ),
        ),
        (
            len(password) < 12,
            (
                "ADMIN_PASSWORD: a served installation needs at least 12 characters. "
                "Fix: set a strong password."
            ),
        ),
        (
            not settings.public_base_url.startswith("https://"),
            (
                "PUBLIC_BASE_URL: a served installation needs an https address. "
                "Fix: set the address that people open."
            ),
        ),
        (
            not settings.allowed_hosts.strip(),
            "ALLOWED_HOSTS: a served installation names its hosts. Fix: list the host names.",
        ),
        (
            on_sqlite and not settings.served_sqlite_ok,
            (
                "DATABASE_URL: a served installation runs on PostgreSQL. "
                "Fix: set it, or SERVED_SQLITE_OK=true."
            ),
        ),
        (
            any(not origin.startswith("https://") for origin in settings.origins),
            (
                "CORS_ALLOWLIST: a served installation allows https origins only. "
                "Fix: remove * and http."
            ),
        ),
        (
            bool(settings.cornerman_failpoint),
            "CORNERMAN_FAILPOINT: not in a served installation. Fix: remove it.",
        ),
    ]
    return [line for is_weak, line in weak if is_weak]
