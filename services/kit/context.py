"""Owns what a unit of work knows: its transaction, its time, its person, and its ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from services.kit.db import Db
from services.kit.errors import check
from services.kit.ids import Ids
from services.kit.policy import Policy
from services.kit.settings import Settings

T = TypeVar("T")


class Actor(StrEnum):
    """What kind of being acts."""

    PERSON = "person"
    AGENT = "agent"
    SYSTEM = "system"


class Surface(StrEnum):
    """Where the act came from."""

    WEB = "web"
    FRAME = "frame"
    API = "api"
    CLI = "cli"
    DISCORD = "discord"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who acts: tenant, user, kind, surface, and what the credential allows.

    `session_id` names the session or API key. `fresh_until` is the end of the step-up window.
    """

    tenant_id: str
    user_id: str
    actor: Actor = Actor.PERSON
    surface: Surface = Surface.API
    session_id: str = ""
    scopes: frozenset[str] = field(default_factory=frozenset)
    fresh_until: datetime | None = None

    def as_agent(self) -> Principal:
        """Return the coach acting for this person: it may read and propose, never confirm."""
        return replace(self, actor=Actor.AGENT, scopes=self.scopes & {"read", "propose"})


SCOPES = frozenset({"read", "propose", "confirm", "admin"})


def system_principal(tenant_id: str) -> Principal:
    """Return the product itself, working for one tenant (executor, valuation, relay)."""
    return Principal(
        tenant_id=tenant_id, user_id="system", actor=Actor.SYSTEM, surface=Surface.SYSTEM
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One unit of work. Services take it first and never commit.

    `now` is the wall time stamped once at its start; the market's own time is the feed's `as_of`.
    `trace` correlates log lines, audit events and runs. `origin` names the conversation, run and
    call that the coach acts in; it is empty for everybody else. `afterwards` holds acts that run
    in a transaction of their own once this one has ended, however it ended.
    """

    db: Db
    now: datetime
    ids: Ids
    settings: Settings
    policy: Policy
    principal: Principal
    trace: str = ""
    ports: Mapping[type, object] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    afterwards: list[Callable[[Context], object]] = field(default_factory=list)

    def port(self, kind: type[T]) -> T:
        """Return the adapter that was wired for the port `kind`."""
        adapter = self.ports.get(kind)
        check(adapter is not None, "no adapter is wired for this port", port=kind.__name__)
        return adapter  # type: ignore[return-value]

    def act_as(self, principal: Principal) -> Context:
        """Return the same unit of work under another principal of the same tenant."""
        check(principal.tenant_id == self.principal.tenant_id, "a unit of work has one tenant")
        return replace(self, principal=principal)
