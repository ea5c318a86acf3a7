"""The feed that is off refuses every request and says what to do."""

from datetime import UTC, datetime

import pytest

from services.kit.errors import Refusal
from services.market.off import OffFeed

AT = datetime(2026, 1, 5, tzinfo=UTC)
FEED = OffFeed("FEATURE_REPLAY_ENABLED is false", "Configure a provider, or allow replay.")


@pytest.mark.parametrize(
    "request_",
    [
        lambda ctx: FEED.as_of(ctx),
        lambda ctx: FEED.instruments(ctx),
        lambda ctx: FEED.instrument(ctx, "AAPL"),
        lambda ctx: FEED.quote(ctx, "AAPL"),
        lambda ctx: FEED.bars(ctx, "AAPL", "1d", 5),
        lambda ctx: FEED.tape(ctx, "AAPL", AT, AT),
        lambda ctx: FEED.splits(ctx, "AAPL", AT, AT),
        lambda ctx: FEED.provenance,
    ],
)
def test_every_request_is_refused_with_the_reason(runtime, owner, request_):
    with pytest.raises(Refusal) as told:
        runtime.read(owner, request_)
    assert told.value.code == "FEATURE_OFF"
    assert "FEATURE_REPLAY_ENABLED is false" in told.value.message
    assert told.value.hint == "Configure a provider, or allow replay."


def test_its_capability_says_why_without_raising():
    found = FEED.capability()
    assert (found.on, found.why) == (False, "FEATURE_REPLAY_ENABLED is false")
