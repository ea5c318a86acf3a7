"""Owns the duty that connects the broker's account and compares it with the book."""

from __future__ import annotations

import structlog

from app.wiring import Product
from services.identity.user import LOCAL_TENANT
from services.kit.errors import Refusal
from services.orders.broker import BrokerUnreachable, Desk
from services.orders.connect import AccountRefused, compare, connect, drift_words
from services.orders.external import tell_external

_log = structlog.get_logger("orders")


def tend_broker(product: Product) -> int:
    """Connect the configured account once, then tell foreign orders and drift; return 0 to rest.

    The account belongs to the owner's tenant: one token speaks for one person. What is found
    stands in the broker's record, which health and the configuration show.
    """
    brokers = product.brokers
    if brokers.account is None or not brokers.record.on:
        return 0
    desk = Desk(product.runtime, LOCAL_TENANT)
    try:
        if not brokers.checked:
            brokers.account.check()
            brokers.checked = True
        connect(desk, brokers.account)
        tell_external(desk, brokers.account)
        brokers.drift = compare(desk, brokers.account, brokers.drift)
    except AccountRefused as refused:
        brokers.refuse(str(refused))
        _log.error("broker.refused", account=brokers.account.account_id, reason=str(refused))
    except (BrokerUnreachable, Refusal) as error:
        brokers.note(f"not reached: {error}")
    else:
        said = "connected"
        if brokers.drift:
            said = f"connected, and the book differs: {drift_words(brokers.drift)}"
        brokers.note(said)
    return 0
