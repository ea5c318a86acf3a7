"""Owns the settings: their names, types, limits and defaults."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from services.kit.home_settings import HomeSettings

_LIMIT = re.compile(r"[1-9][0-9]{0,5}/(second|minute|hour|day)", re.ASCII)
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
Fraction = Annotated[Decimal, Field(gt=0, le=1)]
Rate = Annotated[
    str, Field(description="`20/minute` form: a whole number per second, minute, hour or day.")
]


class Settings(HomeSettings):
    """Every setting. The environment variable is the field's name in capitals."""

    limit_login: Rate = Field("5/minute", description="Login attempts per address and name.")
    limit_chat: Rate = Field("20/minute", description="Chat messages per user.")
    limit_chat_day: Rate = Field("200/day", description="Chat messages per user and day.")
    limit_confirm: Rate = Field("10/minute", description="Confirm requests per user.")
    limit_mutate: Rate = Field("60/minute", description="Other changing requests per user.")
    limit_read: Rate = Field("300/minute", description="Reading requests per user.")
    limit_stream: Rate = Field("60/minute", description="Event streams opened per user.")
    limit_ws: Rate = Field("20/second", description="Messages of one WebSocket client.")
    ws_max_payload_bytes: int = Field(
        16_384, ge=256, le=1_048_576, description="Largest message of a WebSocket client in bytes."
    )
    ws_heartbeat_interval_ms: int = Field(
        15_000, ge=100, le=300_000, description="Time between two heartbeats of a WebSocket."
    )
    ws_idle_close_ms: int = Field(
        60_000,
        ge=200,
        le=3_600_000,
        description=(
            "A WebSocket is closed after this long without a message; who has subscribed may "
            "answer pings instead."
        ),
    )
    ws_clients_max: int = Field(
        8, ge=1, le=10_000, description="WebSocket connections that one user may hold open."
    )
    ws_legacy_api_key: bool = Field(
        False,
        description=(
            "Take an API key from `?api_key=` of the WebSocket address; local mode only, because "
            "addresses end up in logs."
        ),
    )
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
    feature_polygon_enabled: bool = Field(
        False, description="Ask the Polygon host with `POLYGON_API_KEY`; off, no byte goes there."
    )
    massive_base_url: str = Field(
        "https://api.massive.com", max_length=300, description="Base URL of Massive."
    )
    feature_enable_massive_stream: bool = Field(
        False,
        description=(
            "Stream prices over Massive's WebSocket; the plan must include it. Off, prices are "
            "asked for."
        ),
    )
    massive_ws_halts: bool = Field(
        False,
        description=(
            "Follow halts on the stream too (channel LULD, Nasdaq-listed symbols); the plan must "
            "include it."
        ),
    )
    massive_ws_base: str = Field(
        "wss://socket.massive.com",
        max_length=300,
        description=(
            "Base address of Massive's stream; `wss://delayed.massive.com` is 15 minutes delayed."
        ),
    )
    massive_ws_cluster: Literal["stocks", "options", "indices"] = Field(
        "stocks", description="Which cluster of Massive's stream is followed; one per process."
    )
    polygon_base_url: str = Field(
        "https://api.polygon.io", max_length=300, description="Base URL of Polygon."
    )
    massive_requests_minute: int = Field(
        300,
        ge=1,
        le=100_000,
        description="Requests a minute that the plan at Massive allows; 5 on the free one.",
    )
    tradier_access_token: SecretStr = Field(
        SecretStr(""), description="Token of the Tradier market-data and brokerage provider."
    )
    tradier_env: Literal["sandbox", "production"] = Field(
        "sandbox",
        description=(
            "Which Tradier the token belongs to; prices of the sandbox are 15 minutes delayed."
        ),
    )
    tradier_account_id: str = Field(
        "",
        max_length=20,
        description=(
            "Account number at Tradier that orders may go to; `VA` numbers belong to the sandbox. "
            "Empty, Tradier gives prices only and orders stay on paper."
        ),
    )
    tradier_base_url: str = Field(
        "",
        max_length=300,
        description="Loopback address in place of Tradier's own host; for tests only.",
    )
    feature_tradier_events: bool = Field(
        True,
        description=(
            "Listen to the events of the account at Tradier, so that fills show at once. Tradier "
            "allows one listener: switch it off where another program of yours listens."
        ),
    )
    alpaca_key_id: SecretStr = Field(
        SecretStr(""), description="Key id of the account at the broker Alpaca."
    )
    alpaca_secret_key: SecretStr = Field(
        SecretStr(""), description="Secret key of the account at Alpaca; the other half of its id."
    )
    alpaca_env: Literal["paper", "live"] = Field(
        "paper", description="Which Alpaca the keys belong to; `paper` moves no real money."
    )
    alpaca_account_id: str = Field(
        "",
        max_length=20,
        description=(
            "Account number at Alpaca that orders may go to; `PA` numbers are paper accounts. The "
            "keys must be its own."
        ),
    )
    alpaca_base_url: str = Field(
        "",
        max_length=300,
        description="Loopback address in place of Alpaca's own host; for tests only.",
    )
    feature_failover_enabled: bool = Field(
        False,
        description=(
            "Ask Tradier while Massive does not answer; every value names who gave it. Off, a "
            "provider that fails is not replaced."
        ),
    )
    feature_replay_enabled: bool = Field(
        True,
        description=(
            "Replay bundled history when no provider is configured; off means no provider, no data."
        ),
    )
    track_cache_mb: int = Field(
        512, ge=16, le=65_536, description="Memory in MB for bars with indicators, 8 a symbol."
    )
    feature_mock_mode: bool = Field(
        False,
        description=(
            "Force replay beside a configured provider, for staging; refused beside a live account."
        ),
    )
    jobs_embedded: bool = Field(
        True,
        description=(
            "Run the scheduled jobs inside `serve`; off where `cornerman worker` runs them."
        ),
    )
    ingest_intraday_sec: int = Field(
        60,
        ge=15,
        le=3600,
        description="Seconds of market time between two takings-in of prices while it is open.",
    )
    ingest_fx_sec: int = Field(
        3600,
        ge=60,
        le=86_400,
        description="Seconds of market time between two takings-in of exchange rates.",
    )
    ingest_trades: bool = Field(
        False, description="Store the trades of followed and held symbols with their prices."
    )
    trading_broker: Literal["paper", "tradier", "alpaca"] = Field(
        "paper",
        description=(
            "Whose account the owner's sizes, cards and pages mean when none is named: that of the "
            "built-in paper broker or the connected one at Tradier or Alpaca."
        ),
    )
    live_trading: bool = Field(
        False,
        description=(
            "Process flag of orders with real money; it needs TRADIER_ENV=production with token "
            "and account or ALPACA_ENV=live with keys and account, and every live card asks for "
            "the order to be typed."
        ),
    )
    replay_speed: int = Field(
        1, ge=1, le=3600, description="Speed of a new replay clock, in market seconds per second."
    )
    risk_day_loss: Fraction = Field(
        Decimal("0.03"), description="Loss of a day, of the equity at the open, that ends new risk."
    )
    risk_week_loss: Fraction = Field(Decimal("0.06"), description="The same for a week.")
    risk_open_risk: Fraction = Field(
        Decimal("0.05"), description="What all positions may give back to their stops, of equity."
    )
    risk_peak_drawdown: Fraction = Field(
        Decimal("0.10"), description="Fall from the highest equity that freezes the account."
    )
    risk_max_positions: int = Field(8, ge=1, le=100_000, description="Positions held at once.")
    risk_max_trades_day: int = Field(
        10, ge=1, le=1_000_000, description="Trades that may be opened in a day."
    )
    risk_loss_streak: int = Field(
        3, ge=1, le=1_000_000, description="Losing trades in a row after which new risk rests."
    )
    risk_cooldown_min: int = Field(
        30, ge=1, le=100_000, description="How long it rests, in minutes of market time."
    )
    alert_poll_sec: int = Field(
        2,
        ge=1,
        le=300,
        description=(
            "Seconds between two looks of the alert poller;"
            " 2 tells alerts within 3 s without the stream."
        ),
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
        "limit_ws",
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

    @field_validator("massive_base_url", "polygon_base_url", "massive_ws_base")
    @classmethod
    def _provider_url(cls, value: str, info: ValidationInfo) -> str:
        parts, streams = urlsplit(value), info.field_name == "massive_ws_base"
        safe, near = ("wss", "ws") if streams else ("https", "http")
        loopback = parts.scheme == near and parts.hostname in _LOOPBACK
        if not parts.hostname or not (parts.scheme == safe or loopback):
            raise ValueError(f"must be {'a' if streams else 'an'} {safe} address")
        return value.rstrip("/")

    @field_validator("alpaca_base_url", "tradier_base_url")
    @classmethod
    def _loopback_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme != "http" or parts.hostname not in _LOOPBACK):
            raise ValueError("must be an http address of this machine, such as 127.0.0.1")
        return value.rstrip("/")

    @property
    def trading_number(self) -> str:
        """Return the number of the account that `trading_broker` means; empty for paper."""
        numbers = {"alpaca": self.alpaca_account_id, "tradier": self.tradier_account_id}
        return numbers.get(self.trading_broker, "")
