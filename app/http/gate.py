"""Owns authentication at the HTTP door: session cookies and API keys, kept for 2 s."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from app.wiring import Product
from services.identity.key import find_key, touch_key
from services.identity.session import find_session, touch_session
from services.identity.user import NOBODY
from services.kit.context import Principal

KEPT_S = 2.0
"""How long a look-up counts. A revocation in this process drops it at once; other replicas follow
within this time (`docs/adr`)."""
_CALLERS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the principal and the name that greets them."""

    principal: Principal
    name: str


class Gate:
    """Turns a credential into a caller."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._known: dict[bytes, tuple[float, Caller | None]] = {}

    def cookie_name(self, *, framed: bool = False) -> str:
        """Return the session cookie's name in this mode."""
        if self._product.settings.cornerman_mode == "local":
            return "cornerman"
        return "__Host-cornerman-frame" if framed else "__Host-cornerman"

    async def find_caller(self, kind: str, credential: str) -> Caller | None:
        """Return who holds the credential (`session` or `key`), or None."""
        mark = hashlib.sha256(f"{kind}:{credential}".encode("utf-8", "replace")).digest()
        now = self._product.clock.monotonic()
        known = self._known.get(mark)
        if known is not None and known[0] > now:
            return known[1]
        caller = await self._product.runtime.in_thread(lambda: self._look_up(kind, credential))
        if len(self._known) >= _CALLERS_MAX:
            self._known.clear()
        self._known[mark] = (now + KEPT_S, caller)
        return caller

    def drop(self) -> None:
        """Forget every look-up; called after a logout or a revocation."""
        self._known.clear()

    def _look_up(self, kind: str, credential: str) -> Caller | None:
        runtime = self._product.runtime
        with runtime.database.read(None) as db:
            ctx = runtime.context(db, NOBODY)
            session = find_session(ctx, credential) if kind == "session" else None
            key = find_key(ctx, credential) if kind == "key" else None
        if session is not None:
            if session.seen_due:
                runtime.write(session.principal, touch_session)
            return Caller(session.principal, session.name)
        if key is not None:
            if key.used_due:
                runtime.write(key.principal, touch_key)
            return Caller(key.principal, key.name)
        return None
