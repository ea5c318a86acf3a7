"""Owns the duty that connects the accounts outside and compares each with its book."""

from __future__ import annotations

import structlog

from app.broker import BrokerLink
from app.broker_accounts import OutsideAccount
from app.wiring import Product
from services.identity.user import LOCAL_TENANT
from services.kit.errors import Refusal
from services.orders.broker import BrokerUnreachable, Desk
from services.orders.connect import AccountRefused, compare, connect, drift_words, mind_age
from services.orders.external import tell_external

_log = structlog.get_logger("orders")


def tend_broker(product: Product) -> int:
    """Connect each configured account once, then tell foreign orders and drift; return 0 to rest.

    The accounts belong to the owner's tenant: a key speaks for one person. What is found stands
    in the broker's record, which health and the configuration show.
    """
    desk = Desk(product.runtime, LOCAL_TENANT)
    for link in product.brokers.links:
        if link.account is not None and link.record.on:
            _tend(product, desk, link, link.account)
    return 0


def _tend(product: Product, desk: Desk, link: BrokerLink, account: OutsideAccount) -> None:
    try:
        if not link.checked:
            account.check()
            link.checked = True
        connect(desk, account)
        tell_external(desk, account)
        link.drift = compare(desk, account, link.drift)
    except AccountRefused as refused:
        product.brokers.refuse(str(refused), link)
        _log.error("broker.refused", account=account.account_id, reason=str(refused))
    except (BrokerUnreachable, Refusal) as error:
        frozen = mind_age(desk, account)
        link.note(f"not reached: {error}" + (f"; {frozen}" if frozen else ""))
    else:
        said = "connected"
        if link.drift:
            said = f"connected, and the book differs: {drift_words(link.drift)}"
        link.note(said)
