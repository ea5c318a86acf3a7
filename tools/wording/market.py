"""Owns the sentences about the market: why a list is empty, reports, chains, its hours."""

from __future__ import annotations

from datetime import date, datetime

from services.kit.clock import instant_text
from services.market.absence import Absence
from services.market.chain import Chain
from services.market.decode import EASTERN
from services.market.earnings import EarningsRow, Report
from services.market.quote import Provenance
from services.trade.wording import price_words
from tools.registry import Source

_WHEN = {"bmo": "before the open", "amc": "after the close", "unknown": "at a time not known"}
_NEXT = {
    "open": "Regular trading ends",
    "pre": "Regular trading begins",
    "post": "Late trading ends",
    "closed": "Early trading begins",
}


def cite_page(
    dataset: str, source: str | None, provenance: Provenance | None, as_of: datetime
) -> tuple[Source, ...]:
    """Return the citation of a list that came from a provider; none for an empty one."""
    if source is None or provenance is None:
        return ()
    return (
        Source(
            provider=source, dataset=dataset, as_of=instant_text(as_of), provenance=provenance.value
        ),
    )


def empty_words(what: str, absence: Absence | None) -> str:
    """Return why there is nothing. Worked: `There are no news: no configured provider ...`."""
    if absence is None:
        return f"The provider lists no {what}."
    return f"I have no {what}: {absence.why}. {absence.todo}".strip()


def report_words(row: EarningsRow, days: int) -> str:
    """Return one symbol's next report, or since when none is known."""
    last = "" if row.last is None else f" The last one was on {row.last.date}."
    if row.next is not None:
        return f"{row.symbol} reports {_report(row.next)}.{last}"
    if "EARNINGS_UNKNOWN" in row.flags:
        return f"{row.symbol}: no date of the next report is known, and one may be due.{last}"
    return f"{row.symbol}: no report is listed for the next {days} days.{last}"


def _report(report: Report) -> str:
    sure = "confirmed" if report.confirmed else "not confirmed"
    said = f"on {report.date} {_WHEN[report.time]}, {sure}"
    if report.flags:
        said += "; the sources disagree, and this is the earliest date"
    return said


def chain_words(chain: Chain, expiry: date | None, *, shown: int, left_out: int) -> str:
    """Return what part of a chain is shown, how real it is, and what is wrong with it."""
    head = f"{chain.underlying} options of {expiry}: {shown} contracts nearest to the price"
    spot = "; the price of the underlying is not known."
    if chain.spot is not None:
        spot = f" of {price_words(chain.spot)} ({chain.spot_provenance})."
    rest = f" {left_out} more are left out." if left_out else ""
    said = f"{head}{spot} Their quotes are {chain.provenance}.{rest}"
    if "QUOTES_MISSING" in chain.flags:
        said += " The plan gives no quotes, so none of them can be judged."
    if "CHAIN_STALE" in chain.flags:
        said += " The newest quote is more than five minutes old: wait for a fresh chain."
    return said


def change_words(state: str, at: datetime) -> str:
    """Return what changes next and when, in both zones.

    Worked: `Regular trading ends at 16:00 New York time on 2027-01-12 (21:00 UTC).`
    """
    local = at.astimezone(EASTERN)
    return f"{_NEXT[state]} at {local:%H:%M} New York time on {local:%Y-%m-%d} ({at:%H:%M} UTC)."
