"""Owns reading the settings at boot: environment over `.env`, every fault named with its fix."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from services.kit.settings import Settings

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
    if settings.live_trading and not _has_live_broker(settings):
        fault(
            "LIVE_TRADING",
            "no live broker is configured",
            "set TRADIER_ENV=production with TRADIER_ACCESS_TOKEN and TRADIER_ACCOUNT_ID, or "
            "ALPACA_ENV=live with ALPACA_KEY_ID, ALPACA_SECRET_KEY and ALPACA_ACCOUNT_ID, without "
            "FEATURE_MOCK_MODE; or remove it, paper is the default",
        )
    if settings.trading_broker == "tradier" and not _has_tradier(settings):
        fault(
            "TRADING_BROKER",
            "no account at Tradier is configured",
            "set TRADIER_ACCESS_TOKEN and TRADIER_ACCOUNT_ID, without FEATURE_MOCK_MODE; "
            "or remove it",
        )
    if settings.trading_broker == "alpaca" and not _has_alpaca(settings):
        fault(
            "TRADING_BROKER",
            "no account at Alpaca is configured",
            "set ALPACA_KEY_ID, ALPACA_SECRET_KEY and ALPACA_ACCOUNT_ID, without "
            "FEATURE_MOCK_MODE; or remove it",
        )
    if settings.cornerman_mode == "local":
        if settings.host not in ("127.0.0.1", "::1", "localhost"):
            fault(
                "HOST",
                "local mode listens on loopback only",
                "use 127.0.0.1, or CORNERMAN_MODE=served",
            )
        return faults
    if settings.ws_legacy_api_key:
        fault("WS_LEGACY_API_KEY", "served mode takes no key from an address", "remove it")
    return faults + _served(settings)


def _has_live_broker(settings: Settings) -> bool:
    """Return True when orders could reach real money on real prices."""
    at_tradier = settings.tradier_env == "production" and _has_tradier(settings)
    return at_tradier or (settings.alpaca_env == "live" and _has_alpaca(settings))


def _has_tradier(settings: Settings) -> bool:
    """Return True when orders could reach an account at Tradier."""
    token = settings.tradier_access_token.get_secret_value()
    return bool(token and settings.tradier_account_id and not settings.feature_mock_mode)


def _has_alpaca(settings: Settings) -> bool:
    """Return True when orders could reach an account at Alpaca."""
    key, secret = settings.alpaca_key_id, settings.alpaca_secret_key
    keys = key.get_secret_value() and secret.get_secret_value()
    return bool(keys and settings.alpaca_account_id and not settings.feature_mock_mode)


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
