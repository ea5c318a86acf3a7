"""Owns building the market stream: its book, its account and its leadership, when switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.identity.user import LOCAL_TENANT
from services.kit import lease
from services.kit.context import system_principal
from services.kit.ids import sha256_hex
from services.kit.settings import Settings
from services.kit.work import Runtime
from services.market.failover import FailoverFeed
from services.market.feed import Capability, Feed
from services.market.fetching import Fetched
from services.market.halts import Halts
from services.market.live import LiveBook
from services.market.live_reading import LiveReading
from services.market.massive import MassiveFeed
from services.market.massive_reference import MassiveReference
from services.market.quote import Provenance
from services.market.vendor_bars import DELAYED_S

if TYPE_CHECKING:
    from services.market.stream import Leadership, MassiveStream

_PRINCIPAL = system_principal(LOCAL_TENANT)
_CHANCES = 16**8


def build_book(settings: Settings, feed: Feed) -> LiveBook | None:
    """Return the live book that the feed reads from now on; None while nothing streams."""
    massive = _find_massive(feed)
    if massive is None or not settings.feature_enable_massive_stream:
        return None
    delayed = _is_delayed(settings)
    book = LiveBook(
        provenance=Provenance.DELAYED if delayed else Provenance.LIVE,
        source=massive.name,
        delay_s=DELAYED_S if delayed else 0,
    )
    massive.live = LiveReading(book)
    massive.halts = Halts(book)
    return book


def build_stream(runtime: Runtime, feed: Feed, book: LiveBook | None) -> MassiveStream | None:
    """Return the stream that writes `book`, not started; None without a book.

    What it needs to speak the wire is imported here, so that others start without it.
    """
    massive = _find_massive(feed)
    if book is None or massive is None:
        return None
    from services.market.stream import MassiveStream
    from services.market.stream_fill import FeedMinutes
    from services.market.stream_link import StreamAccount

    settings = runtime.settings
    account = StreamAccount(
        base_url=settings.massive_ws_base,
        cluster=settings.massive_ws_cluster,
        key=settings.massive_api_key.get_secret_value(),
        delayed=_is_delayed(settings),
        halts=settings.massive_ws_halts,
    )
    conditions = MassiveReference(massive.link, Fetched(runtime.clock)).ineligible
    return MassiveStream(
        account,
        book,
        runtime.clock,
        source=FeedMinutes(runtime, feed, _PRINCIPAL, conditions),
        leadership=_leadership(runtime, account.lease_name),
        chance=lambda: int(sha256_hex(runtime.ids.secret())[:8], 16) / _CHANCES,
    )


def stream_capability(settings: Settings, stream: MassiveStream | None) -> Capability:
    """Return whether prices stream, why not, and what would turn it on."""
    if stream is not None:
        return stream.capability()
    why, todo = "FEATURE_ENABLE_MASSIVE_STREAM is off, so prices are asked for", ""
    if settings.feature_enable_massive_stream:
        why = "there is no Massive account to stream from"
        todo = "Set MASSIVE_API_KEY and remove FEATURE_MOCK_MODE."
    elif settings.massive_api_key.get_secret_value():
        todo = "Set FEATURE_ENABLE_MASSIVE_STREAM=true; the plan must include WebSockets."
    else:
        todo = "Set MASSIVE_API_KEY and FEATURE_ENABLE_MASSIVE_STREAM=true."
    return Capability("market stream", on=False, why=why, todo=todo)


def _leadership(runtime: Runtime, name: str) -> Leadership:
    from services.market.stream import Leadership
    from services.market.stream_state import StreamTiming

    holder, ttl_s = runtime.ids.new("proc"), StreamTiming().lease_s
    return Leadership(
        take=lambda: runtime.write(_PRINCIPAL, lambda ctx: lease.take(ctx, name, holder, ttl_s)),
        release=lambda: runtime.write(_PRINCIPAL, lambda ctx: lease.release(ctx, name, holder)),
    )


def _find_massive(feed: Feed) -> MassiveFeed | None:
    """Return the feed of a Massive account, also below a failover; Polygon's has no stream."""
    first = feed.first if isinstance(feed, FailoverFeed) else feed
    return first if isinstance(first, MassiveFeed) and first.name == "massive" else None


def _is_delayed(settings: Settings) -> bool:
    return (urlsplit(settings.massive_ws_base).hostname or "").startswith("delayed.")
