"""Owns the labels of answers: of what time, how real and from where their values are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from services.journal import JournalEntry
from services.kit.clock import parse_instant
from services.kit.context import Context
from services.ledger.performance import History
from services.ledger.valuation import Valuation
from services.market.feed import Feed
from services.orders.proposal import Proposal
from services.orders.store import FillView


def label(as_of: datetime, provenance: str, source: str) -> dict[str, Any]:
    """Return the three members that stand beside every market value."""
    return {"as_of": as_of, "provenance": provenance, "source": source}


def labelled_items(ctx: Context, items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a list answer with the label over its labelled items.

    `as_of` is the newest of them, or now when there is none; several provenances or sources are
    listed by name. An item without a value of the market has None in its label.
    """
    rows = list(items)
    times = [row["as_of"] for row in rows if row["as_of"] is not None]
    return {
        "items": rows,
        **label(
            max(times, default=ctx.now),
            _listed(row["provenance"] for row in rows),
            _listed(row["source"] for row in rows),
        ),
    }


def label_of_value(ctx: Context, value: Valuation) -> dict[str, Any]:
    """Return the label of a valuation; one without holdings has that of the feed."""
    feed = ctx.port(Feed)
    return label(value.as_of, value.provenance or feed.provenance, value.source or feed.name)


def label_of_history(ctx: Context, found: History) -> dict[str, Any]:
    """Return the label of an equity series and its closed trades: the newest time, every kind."""
    times = [*(one.at for one in found.points), *(one.closed_at for one in found.trades)]
    kinds = [one.provenance for one in found.points] + [one.provenance for one in found.trades]
    return label(max(times, default=ctx.now), _listed(kinds), "ledger")


def label_of_proposal(one: Proposal) -> dict[str, Any]:
    """Return the label of the quote that a proposal stands on; a cancel stands on its order."""
    seen = one.quote
    if "as_of" not in seen:
        return label(one.created_at, one.order.provenance, "order")
    return label(parse_instant(seen["as_of"]), seen["provenance"], seen["source"])


def fill_body(fill: FillView) -> dict[str, Any]:
    """Return a fill with its label; its source is the broker that made it."""
    fields = {name: getattr(fill, name) for name in fill.__dataclass_fields__}
    return {**fields, **label(fill.at, fill.provenance, fill.broker)}


def journal_body(entry: JournalEntry) -> dict[str, Any]:
    """Return a journal entry; a recorded execution carries its label, a note has none."""
    fields = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    facts = entry.facts
    executed = entry.kind == "execution"
    return {
        **fields,
        "as_of": entry.market_at if executed else None,
        "provenance": facts["provenance"] if executed else None,
        "source": facts.get("source", "") if executed else None,
    }


def _listed(texts: Iterable[str | None]) -> str:
    return ", ".join(sorted({str(text) for text in texts if text}))
