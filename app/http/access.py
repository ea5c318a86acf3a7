"""Owns the one table of who may call what: scope, rate group, idempotency and surfaces by route."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

API = "/api/v1"

_ROWS = """
GET    /                                            public   page
GET    /embed                                       public   page
GET    /ideas/{id}                                  public   page
GET    /scoreboard                                  public   page
GET    /login                                       public   login
GET    /web/{file}                                  public   page
GET    /docs                                        public   page
GET    /openapi.json                                public   page
GET    /healthz                                     public   none    anyhost
GET    /readyz                                      public   none    anyhost
GET    /metrics                                     read     none    local
GET    /ws                                          public   stream
GET    /api/v1/stream/state                         read     read
GET    /api/v1/diag/health                          public   read
GET    /api/v1/diag/ready                           public   read
GET    /api/v1/diag/config                          read     read
POST   /api/v1/auth/login                           public   login
GET    /api/v1/auth/session                         any      read
POST   /api/v1/auth/logout                          any      mutate
GET    /api/v1/auth/sessions                        any      read    top
DELETE /api/v1/auth/sessions/{id}                   any      mutate  top
POST   /api/v1/auth/ws-token                        read     mutate
GET    /api/v1/auth/keys                            admin    read    top
POST   /api/v1/auth/keys                            admin    mutate  top
DELETE /api/v1/auth/keys/{id}                       admin    mutate  top
GET    /api/v1/coach/conversations                  read     read
POST   /api/v1/coach/conversations                  propose  mutate
GET    /api/v1/coach/conversations/{id}/messages    read     read
POST   /api/v1/coach/conversations/{id}/messages    propose  chat
GET    /api/v1/coach/conversations/{id}/events      read     stream
GET    /api/v1/coach/stream                         read     stream
POST   /api/v1/coach/runs/{id}/cancel               propose  mutate
GET    /api/v1/proposals                            read     read
GET    /api/v1/proposals/{id}                       read     read
GET    /api/v1/proposals/{id}/challenge             confirm  mutate  top own
POST   /api/v1/proposals/{id}/confirm               confirm  confirm top money
POST   /api/v1/proposals/{id}/decline               propose  mutate  money
POST   /api/v1/proposals/{id}/edit                  propose  mutate  money
GET    /api/v1/tools                                read     read
POST   /api/v1/tools/{name}                         read     mutate
GET    /api/v1/broker/orders                        read     read
GET    /api/v1/broker/orders/{id}                   read     read
POST   /api/v1/broker/orders/{id}/cancel            confirm  mutate  top money
GET    /api/v1/broker/positions                     read     read
GET    /api/v1/broker/stops                         read     read
GET    /api/v1/broker/balances                      read     read
GET    /api/v1/broker/fills                         read     read
POST   /api/v1/broker/fills/{id}/correct            admin    mutate  top money
GET    /api/v1/broker/account                       read     read
GET    /api/v1/broker/account/activity              read     read
GET    /api/v1/market/status                        read     read
GET    /api/v1/market/replay                        read     read
POST   /api/v1/market/replay                        propose  mutate
GET    /api/v1/snapshots                            read     read
GET    /api/v1/instruments                          read     read
GET    /api/v1/instruments/{id}/actions             read     read
POST   /api/v1/instruments/{id}/actions             admin    mutate  top money
GET    /api/v1/task-runs                            read     read
POST   /api/v1/task-runs                            propose  mutate
GET    /api/v1/symbols                              read     read
GET    /api/v1/symbols/metrics                      read     read
GET    /api/v1/symbols/{symbol}/price               read     read
GET    /api/v1/symbols/{symbol}/history             read     read
GET    /api/v1/news                                 read     read
GET    /api/v1/earnings                             read     read
GET    /api/v1/options/chain                        read     read
GET    /api/v1/options/expirations                  read     read
GET    /api/v1/alerts                               read     read
POST   /api/v1/alerts                               propose  mutate
POST   /api/v1/alerts/rules                         propose  mutate
PATCH  /api/v1/alerts/{id}                          propose  mutate
DELETE /api/v1/alerts/{id}                          propose  mutate
GET    /api/v1/alerts/{id}/triggers                 read     read
GET    /api/v1/notifications                        read     read
POST   /api/v1/notifications/read                   propose  mutate
GET    /api/v1/watchlists                           read     read
POST   /api/v1/watchlists                           propose  mutate
PATCH  /api/v1/watchlists/{id}                      propose  mutate
DELETE /api/v1/watchlists/{id}                      propose  mutate
GET    /api/v1/plans                                read     read
POST   /api/v1/plans                                propose  mutate
GET    /api/v1/plans/schema                         read     read
GET    /api/v1/plans/weekend                        read     read
GET    /api/v1/picks                                read     read
GET    /api/v1/options/picks                        read     read
GET    /api/v1/plans/{id}                           read     read
GET    /api/v1/score                                read     read
GET    /api/v1/score/untaken                        read     read
GET    /api/v1/documents                            read     read
POST   /api/v1/documents                            admin    mutate  top
GET    /api/v1/documents/{id}                       read     read
POST   /api/v1/documents/{id}/approve               admin    mutate  top
GET    /api/v1/backtests                            read     read
POST   /api/v1/backtests                            propose  mutate
GET    /api/v1/backtests/{id}                       read     read
GET    /api/v1/backtests/{id}/page                  read     read
POST   /api/v1/plan/validate                        read     mutate
POST   /api/v1/sizing/suggest                       read     mutate
GET    /api/v1/portfolios                           read     read
POST   /api/v1/portfolios                           propose  mutate  money
GET    /api/v1/portfolios/{id}                      read     read
PATCH  /api/v1/portfolios/{id}                      propose  mutate  money
GET    /api/v1/portfolio                            read     read
POST   /api/v1/portfolio/init                       propose  mutate  money
POST   /api/v1/portfolio/trade                      propose  mutate  money
GET    /api/v1/portfolio/history                    read     read
GET    /api/v1/portfolio/performance                read     read
GET    /api/v1/journal                              read     read
POST   /api/v1/journal                              propose  mutate
GET    /api/v1/journal/{id}                         read     read
PATCH  /api/v1/journal/{id}                         propose  mutate
DELETE /api/v1/journal/{id}                         propose  mutate
GET    /api/v1/settings                             read     read
PUT    /api/v1/settings                             propose  mutate  top
GET    /api/v1/settings/{name}                      read     read
GET    /api/v1/audit/events                         read     read
GET    /api/v1/audit/verify                         admin    read
GET    /api/v1/risk                                 read     read
GET    /api/v1/halt                                 read     read
POST   /api/v1/halt                                 propose  none    money
POST   /api/v1/resume                               admin    mutate  top money
GET    /api/v1/freezes                              read     read
POST   /api/v1/freezes/{id}/clear                   admin    mutate  top money
"""

PARAMS = {
    "id": re.compile(r"[A-Za-z0-9_.:-]{1,80}", re.ASCII),
    "name": re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII),
    "symbol": re.compile(r"[A-Za-z][A-Za-z0-9.:-]{0,14}", re.ASCII),
    "file": re.compile(r"(vendor/)?[A-Za-z0-9][A-Za-z0-9._-]{0,79}", re.ASCII),
}
"""What a path parameter may look like; anything else is refused before a route sees it."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call one route.

    Flags: `money` needs an Idempotency-Key, `top` refuses framed pages, `own` needs a same-origin
    fetch, `anyhost` skips the host check, `local` is open in local mode.
    """

    method: str
    path: str
    scope: str
    group: str
    flags: frozenset[str]

    @property
    def mutates(self) -> bool:
        """True for every method that may change something."""
        return self.method != "GET"


class Found(NamedTuple):
    """A row, and the path parameter that does not look like one, if any."""

    access: Access
    bad_param: str


def _parsed() -> tuple[Access, ...]:
    rows = (line.split() for line in _ROWS.strip().splitlines())
    return tuple(Access(row[0], row[1], row[2], row[3], frozenset(row[4:])) for row in rows)


TABLE = _parsed()
"""Every route of the server; a test compares it with the routes that are mounted."""
_STATIC = {(row.method, row.path): Found(row, "") for row in TABLE if "{" not in row.path}
_DYNAMIC: dict[tuple[str, int], list[tuple[Access, list[str]]]] = {}
for _row in TABLE:
    if "{" in _row.path:
        _parts = _row.path.split("/")
        _DYNAMIC.setdefault((_row.method, len(_parts)), []).append((_row, _parts))


def find_access(method: str, path: str) -> Found | None:
    """Return the row for a method and a decoded path; HEAD is judged as GET. None when unknown."""
    method = "GET" if method == "HEAD" else method
    found = _STATIC.get((method, path))
    if found is not None:
        return found
    if path.startswith("/web/vendor/"):
        parts = ["", "web", path.removeprefix("/web/")]
    else:
        parts = path.split("/")
    for row, template in _DYNAMIC.get((method, len(parts)), ()):
        bad = _compare(template, parts)
        if bad is not None:
            return Found(row, bad)
    return None


def methods_at(path: str) -> list[str]:
    """Return the methods that exist at a path, for the Allow header."""
    return [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if find_access(method, path) is not None
    ]


def _compare(template: list[str], parts: list[str]) -> str | None:
    """Return None when `parts` is another route, the name of a malformed parameter, or ``""``."""
    bad = ""
    for wanted, given in zip(template, parts, strict=True):
        if not wanted.startswith("{"):
            if wanted != given:
                return None
        elif not PARAMS[wanted[1:-1]].fullmatch(given):
            bad = wanted[1:-1]
    return bad
