"""Owns the composition root: the only place that builds the product, every adapter a keyword."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, TextIO, TypedDict, Unpack

from agent.loop import Coach
from agent.model.port import Model
from agent.model.rules import RuleModel
from agent.toolbox import Toolbox
from app.broker import Brokers, build_brokers
from app.look import look
from app.market_ports import market_ports
from app.metered import MeteredModel
from app.metrics import Metrics
from app.providers import Market, build_market
from app.quarantine import Quarantine
from app.risk_limits import build_policy
from app.streaming import build_book, build_stream
from app.telemetry import AccessLog, configure_logs
from services import schema
from services.identity.user import LOCAL_TENANT, LOCAL_USER, User, open_tenant, open_user
from services.kit import failpoint
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.clock import Clock, SystemClock
from services.kit.context import Context, system_principal
from services.kit.db import Database
from services.kit.errors import Refusal
from services.kit.ids import Ids, RandomIds
from services.kit.settings import Settings
from services.kit.work import Runtime
from services.market.feed import Feed
from services.market.fetching import FetchingRuntime
from services.market.history.bundle import load_history
from services.market.live import LiveBook
from services.market.provider import Providers
from services.orders.broker import Broker
from services.strategy.load import TrackCache

if TYPE_CHECKING:
    from services.market.stream import MassiveStream

READER_GRACE_S = 30.0
"""How long a run goes on after its last reader left; a reload of the page takes less."""


class Parts(TypedDict, total=False):
    """The adapters that a test or an evaluation may put in place of the usual ones."""

    clock: Clock
    ids: Ids
    bus: Bus
    feed: Feed
    broker: Broker
    model: Model
    log_stream: TextIO
    reader_grace_s: float
    ports: Mapping[type, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Everything the doors need, built once."""

    settings: Settings
    clock: Clock
    ids: Ids
    bus: Bus
    feed: Feed
    providers: Providers
    brokers: Brokers
    stream: MassiveStream | None
    model: MeteredModel
    coach: Coach
    runtime: Runtime
    metrics: Metrics
    quarantine: Quarantine
    access_log: AccessLog
    version: str
    reader_grace_s: float

    def close(self) -> None:
        """Wait for running units of work, then close the database and the feed's connections."""
        if self.stream is not None:
            self.stream.stop()
        self.runtime.close()
        self.providers.close()
        self.brokers.close()


def build(settings: Settings, **parts: Unpack[Parts]) -> Product:
    """Return the product of `settings`; nothing is started yet."""
    configure_logs(settings, parts.get("log_stream"))
    failpoint.arm(settings.cornerman_failpoint)
    clock = parts.get("clock") or SystemClock()
    ids = parts.get("ids") or RandomIds(clock)
    bus = parts.get("bus") or MemoryBus()
    market = _market(parts, settings, clock)
    feed = market.feed
    settings.cornerman_home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.runtime_database_url)
    brokers = build_brokers(settings, clock, live_prices=feed.record().host != "")
    broker = parts.get("broker") or brokers.routes
    book = build_book(settings, feed)
    runtime = FetchingRuntime(
        database,
        clock,
        ids,
        settings,
        build_policy(settings),
        ports={
            Bus: bus,
            Feed: feed,
            Providers: market.providers,
            Broker: broker,
            TrackCache: TrackCache(),
            **market_ports(feed, clock),
            **({} if book is None else {LiveBook: book}),
            **parts.get("ports", {}),
        },
    )
    metrics, quarantine = Metrics(), Quarantine(clock.monotonic)
    stream = build_stream(runtime, feed, book)
    if stream is not None:
        metrics.stream_live.set_function(lambda: stream.state().phase == "live")
        metrics.stream_reconnects.set_function(lambda: stream.state().reconnects)
    rules = MeteredModel(RuleModel(known_names()), metrics)
    chosen = parts.get("model") or build_model(settings, clock)
    model = MeteredModel(chosen, metrics) if chosen else rules
    coach = Coach(runtime, model=model, fallback=rules, toolbox=Toolbox(), look=look)
    metrics.runs.set_function(lambda: len(coach.active))
    metrics.held.set_function(lambda: quarantine.held)
    return Product(
        settings=settings,
        clock=clock,
        ids=ids,
        bus=bus,
        feed=feed,
        providers=market.providers,
        brokers=brokers,
        stream=stream,
        model=model,
        coach=coach,
        runtime=runtime,
        metrics=metrics,
        quarantine=quarantine,
        access_log=AccessLog(settings, parts.get("log_stream")),
        version=product_version(),
        reader_grace_s=parts.get("reader_grace_s", READER_GRACE_S),
    )


def build_feed(settings: Settings, clock: Clock | None = None) -> Feed:
    """Return the feed that a configuration gets; see `app.providers`."""
    return build_market(settings, clock or SystemClock()).feed


def _market(parts: Parts, settings: Settings, clock: Clock) -> Market:
    given = parts.get("feed")
    return build_market(settings, clock) if given is None else Market(given, Providers((given,)))


def known_names() -> list[tuple[str, str]]:
    """Return symbol and company of every bundled instrument, for the rule model's ear.

    What trades by now is the feed's matter: a name that does not yet is understood and refused.
    """
    bundled = load_history().values()
    return sorted((one.instrument.symbol, one.instrument.name) for one in bundled)


def build_model(settings: Settings, clock: Clock) -> Model | None:
    """Return the configured model endpoint, or None for the built-in rules."""
    if settings.openai_model:
        base_url, name, key = (
            settings.openai_base_url,
            settings.openai_model,
            settings.openai_api_key,
        )
    elif settings.chatdata_model:
        base_url, name, key = (
            settings.chatdata_base_url,
            settings.chatdata_model,
            settings.chatdata_api_key,
        )
    else:
        return None
    from agent.model.openai import Endpoint, OpenAIModel
    from agent.model.profile import PRESETS

    endpoint = Endpoint(base_url=base_url, model=name, api_key=key.get_secret_value())
    chosen = settings.model_profile
    return OpenAIModel(endpoint, clock, profile=PRESETS.get(chosen))


def product_version() -> str:
    """Return the installed version, or `0+checkout` when the product was never installed."""
    with contextlib.suppress(PackageNotFoundError):
        return version("cornerman")
    return "0+checkout"


def prepare_database(product: Product) -> None:
    """Bring a new or older SQLite file to this schema, then check head and guards.

    PostgreSQL is migrated by its owner role only (`cornerman migrate`). Raises `SCHEMA_WRONG` and
    `GUARDS_MISSING`.
    """
    database = product.runtime.database
    try:
        schema.require_current(database)
    except Refusal as refusal:
        if database.dialect != "sqlite" or refusal.code not in ("SCHEMA_WRONG", "GUARDS_MISSING"):
            raise
        schema.upgrade(database.url)
        schema.require_current(database)


def open_first_user(product: Product) -> User:
    """Create the local owner, or the served administrator, unless that was done before."""
    settings = product.settings
    principal = system_principal(LOCAL_TENANT)
    hashed: str | None = None
    if settings.cornerman_mode == "served":
        hashed = _admin_hash(product)

    def act(ctx: Context) -> User:
        open_tenant(ctx, settings.admin_name)
        return open_user(ctx, settings.admin_name, user_id=LOCAL_USER, password_hash=hashed)

    return product.runtime.write(principal, act)


def _admin_hash(product: Product) -> str | None:
    """Return a new hash of `ADMIN_PASSWORD`, or None when the stored one already fits."""
    from services.identity.password import hash_password, password_matches
    from services.identity.user import NOBODY, find_login

    password = product.settings.admin_password.get_secret_value()
    runtime = product.runtime
    with runtime.database.read(None) as db:
        known = find_login(runtime.context(db, NOBODY), product.settings.admin_name)
    if known is not None and password_matches(known.password_hash, password):
        return None
    return hash_password(password)
