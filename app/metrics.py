"""Owns the metrics of one process: rate, errors and duration of requests, loops and model calls."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_SLOW_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 45.0)


class MetricRow(NamedTuple):
    """One metric as the reference page lists it."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    meaning: str


class Metrics:
    """Every metric; labels have few values: route templates, names of loops, codes, models."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows: list[MetricRow] = []
        self.requests = self._counter(
            "cornerman_http_requests_total", "Requests answered.", "method", "route", "status"
        )
        self.duration_s = self._histogram(
            "cornerman_http_request_seconds", "Time to the last byte.", "method", "route"
        )
        self.streams = self._gauge("cornerman_http_streams", "Event streams open now.")
        self.sockets = self._gauge("cornerman_ws_clients", "WebSocket clients connected now.")
        self.loops = self._counter(
            "cornerman_loop_rounds_total",
            "Rounds of the background loops; `outcome` is ok or failed.",
            "loop",
            "outcome",
        )
        self.loop_s = self._histogram(
            "cornerman_loop_round_seconds", "Time of one round of a background loop.", "loop"
        )
        self.held = self._gauge(
            "cornerman_orders_held", "Orders and duties held back after a defect; 0 is healthy."
        )
        self.stream_live = self._gauge(
            "cornerman_stream_live", "1 while prices stream, 0 while they do not."
        )
        self.stream_reconnects = self._gauge(
            "cornerman_stream_reconnects", "Connections to the market stream that ended so far."
        )
        self.runs = self._gauge("cornerman_coach_runs", "Runs of the coach going on now.")
        self.model_calls = self._counter(
            "cornerman_model_calls_total",
            "Requests to a language model; `outcome` is ok, incomplete, abandoned or a code.",
            "model",
            "outcome",
        )
        self.model_s = self._histogram(
            "cornerman_model_call_seconds",
            "Time of one model call to its last event.",
            "model",
            buckets=_SLOW_S,
        )
        self.model_tokens = self._counter(
            "cornerman_model_tokens_total",
            "Tokens as reported or estimated; `kind` is prompt or completion.",
            "model",
            "kind",
        )
        self._observed: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; the label sets are looked up once and kept."""
        key = (method, route, status)
        pair = self._observed.get(key)
        if pair is None:
            pair = (
                self.requests.labels(method, route, str(status)),
                self.duration_s.labels(method, route),
            )
            self._observed[key] = pair
        pair[0].inc()
        pair[1].observe(seconds)

    def text(self) -> bytes:
        """Return the exposition text of every metric."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        self.rows.append(MetricRow(name, "counter", labels, meaning))
        return Counter(name, meaning, labels, registry=self.registry)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        self.rows.append(MetricRow(name, "gauge", (), meaning))
        return Gauge(name, meaning, registry=self.registry)

    def _histogram(
        self, name: str, meaning: str, *labels: str, buckets: tuple[float, ...] = _FAST_S
    ) -> Histogram:
        self.rows.append(MetricRow(name, "histogram", labels, meaning))
        return Histogram(name, meaning, labels, registry=self.registry, buckets=buckets)
