"""Owns the shapes of answers about the account outside: how it stands, owns and what it did."""

from __future__ import annotations

from app.http.answer_models import Labelled
from services.orders.broker_account import Activity, Balances, ClosedAtBroker, HeldAtBroker
from services.orders.connect import Drift


class BrokerStanding(Labelled):
    """Whether the account outside is on, why, and what would change that."""

    name: str
    on: bool
    why: str
    todo: str


class BrokerAccount(BrokerStanding):
    """The connected account: its money, its positions, and what differs from the book.

    `balances` is None while the account is off or does not answer; `why` says so.
    """

    account_id: str
    mode: str
    balances: Balances | None
    positions: list[HeldAtBroker]
    drift: list[Drift]


class BrokerActivity(BrokerStanding):
    """What happened in the account, and its closed positions by the broker's own lots."""

    activity: list[Activity]
    closed: list[ClosedAtBroker]
