"""Owns what the product writes about itself: JSON log lines, redacted last."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any, TextIO

import orjson
import structlog
from pydantic import SecretStr

from services.kit.redact import Redactor
from services.kit.settings import Settings

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The request that the current task works for; on every log line."""
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

Event = MutableMapping[str, Any]


def redactor_of(settings: Settings) -> Redactor:
    """Return the redactor that knows every secret of `settings`."""
    values = (getattr(settings, name) for name in Settings.model_fields)
    return Redactor(value.get_secret_value() for value in values if isinstance(value, SecretStr))


def configure_logs(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every log line of ours and of the libraries as one JSON object to `stream` (stderr)."""
    target = stream or sys.stderr
    level = _LEVELS[settings.log_level]
    redactor = redactor_of(settings)
    structlog.configure(
        processors=[
            _with_request,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redacted(redactor),
            _line,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [_Bridge(max(level, logging.INFO))]
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("uvicorn.access").disabled = True  # the guard writes the access lines
    for noisy in ("alembic", "httpcore", "httpx", "uvicorn.error"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def release_logs() -> None:
    """Let go of the stream that `configure_logs` was given; call it before closing that stream."""
    structlog.reset_defaults()
    logging.getLogger().handlers = []


class _Bridge(logging.Handler):
    """Hands library log records to structlog, so that they are redacted and formed alike."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as a line of ours."""
        logger = structlog.get_logger()
        logger.log(
            record.levelno,
            "library.log",
            logger=record.name,
            message=record.getMessage(),
            exc_info=record.exc_info,
        )


def _with_request(_logger: object, _method: str, event: Event) -> Event:
    request_id = REQUEST_ID.get()
    if request_id:
        event.setdefault("request_id", request_id)
    return event


def _redacted(redactor: Redactor) -> Callable[[object, str, Event], Event]:
    def redact(_logger: object, _method: str, event: Event) -> Event:
        return {key: redactor.document(_plain(value)) for key, value in event.items()}

    return redact


def _plain(value: object) -> object:
    if isinstance(value, (str, int, float, dict, list, tuple)) or value is None:
        return value
    return sorted(map(str, value)) if isinstance(value, (set, frozenset)) else str(value)


def _line(_logger: object, _method: str, event: Event) -> str:
    return orjson.dumps(dict(event), default=str, option=orjson.OPT_NON_STR_KEYS).decode(
        "utf-8", "replace"
    )


stopwatch = time.perf_counter
"""Seconds for measuring durations; never a time of day."""


class AccessLog:
    """Writes one line per request; every field is ours, so it needs no redaction and is quick."""

    def __init__(self, settings: Settings, stream: TextIO | None = None) -> None:
        self._write = (stream or sys.stderr).write
        self._on = _LEVELS[settings.log_level] <= logging.INFO

    def __call__(self, now: datetime, **fields: object) -> None:
        """Write `http.request` with `fields`, stamped `now`."""
        if self._on:
            line = {"event": "http.request", "level": "info", "timestamp": now, **fields}
            self._write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE).decode())
