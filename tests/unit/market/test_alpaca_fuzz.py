"""The decoder of Alpaca on bodies that nobody sends: records or a refusal, and nothing else."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from services.kit.errors import Refusal
from services.market.alpaca_decode import _BUILDERS, decode_alpaca
from services.market.decode import Given

WORDS = (
    *("bars", "bar", "quotes", "quote", "trades", "trade", "snapshots", "snapshot", "news"),
    *("corporate_actions", "cash_dividends", "option_contracts", "legs", "order", "data"),
    *("stream", "T", "S", "t", "o", "h", "l", "c", "p", "id", "client_order_id", "symbol"),
    *("status", "qty", "filled_qty", "asset_class", "order_class", "replaced_by", "code"),
    *("message", "date", "open", "close", "is_open", "account_number", "activity_type", "price"),
    *("side", "latestQuote", "dailyBar", "suspend_trade", "body", "multiplier", "ca_type"),
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "null", "10", "-5", "new", "replaced", "crypto", "AAPL", "BTC/USD"]),
    st.sampled_from(["2024-03-12T13:34:54.178322688Z", "2026-11-27", "09:30", "trade_updates"]),
    st.text(max_size=6),
)
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(body=BODIES, status=st.sampled_from([200, 200, 200, 404, 422, 429, 500]))
@settings(max_examples=150, deadline=None)
def test_any_document_gives_records_or_a_refusal(body, status):
    raw = json.dumps(body).encode()
    for kind in (*_BUILDERS, "error", "unheard_of"):
        try:
            found = decode_alpaca(kind, raw, Given(http_status=status))
        except Refusal:
            continue
        assert all(isinstance(record, dict) for record in found)
