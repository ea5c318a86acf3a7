"""Owns the list of the product's invariants, I1 to I12, and running all of them over one tenant."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from services.kit.context import Context
from services.kit.errors import InvariantBroken, Refusal
from services.proof.advice import no_advice_on_bad_data, same_bytes_behind_every_hash
from services.proof.books import batches_balance, snapshots_are_the_fold
from services.proof.bounds import once_is_once, streams_are_whole
from services.proof.orders import no_order_lost, no_order_twice, no_order_without_its_token
from services.proof.secrecy import no_secret_is_stored
from services.proof.tenancy import no_row_refers_elsewhere
from services.proof.trail import every_change_is_audited
from services.proof.violation import Violation, Violations, one_reading

CHECKS: Mapping[str, Callable[[Context], Violations]] = {
    "I1": no_order_twice,
    "I2": no_order_lost,
    "I3": no_order_without_its_token,
    "I4": batches_balance,
    "I5": snapshots_are_the_fold,
    "I6": every_change_is_audited,
    "I7": no_advice_on_bad_data,
    "I8": same_bytes_behind_every_hash,
    "I9": no_row_refers_elsewhere,
    "I10": no_secret_is_stored,
    "I11": streams_are_whole,
    "I12": once_is_once,
}
"""What each check looks for stands in its docstring; the names are those of the specs."""
_UNREADABLE = (Refusal, InvariantBroken, ValueError, KeyError, TypeError, zlib.error)
"""What damaged bytes make of a check."""


def check_all(ctx: Context, *, only: tuple[str, ...] = ()) -> list[Violation]:
    """Return everything in the tenant's rows that can never be so; empty means all is well.

    Reads only, in one transaction, so a product that works meanwhile can be checked. `only` names
    the invariants to check, by default all twelve. An order in flight is no violation; rows that
    can not be read are one, and the other checks go on.
    """
    found: list[Violation] = []
    with one_reading():
        for name, check in CHECKS.items():
            if only and name not in only:
                continue
            try:
                found.extend(check(ctx))
            except _UNREADABLE as fault:
                said = f"rows can not be read: {fault}"
                found.append(Violation(name, said, (type(fault).__name__,)))
    return found
