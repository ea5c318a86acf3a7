"""Owns which Alpaca account orders go to: one enum decides host, mode and labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from services.kit.errors import refuse
from services.ledger.portfolio import account_id_of

BROKER = "alpaca"
AlpacaEnv = Literal["paper", "live"]
HOSTS: dict[AlpacaEnv, str] = {
    "paper": "https://paper-api.alpaca.markets",
    "live": "https://api.alpaca.markets",
}
TRADABLE: dict[AlpacaEnv, tuple[str, ...]] = {"paper": ("LIVE", "DELAYED"), "live": ("LIVE",)}
"""Provenance of the prices that an order may have been decided on; replay and simulation never."""
REQUESTS_MINUTE = 200
"""Requests of any kind that one account may make in a minute."""
_NUMBER = re.compile(r"[A-Z0-9]{6,16}", re.ASCII)
_PAPER = "PA"


@dataclass(frozen=True, slots=True)
class AlpacaSeat:
    """One account: `env` names the host it is asked at, and whether its money is real.

    No address names the account, the keys alone decide it, so its number is asked for
    (`AlpacaReader.require_account`) before anything else is believed or sent.
    """

    env: AlpacaEnv
    number: str

    @property
    def account_id(self) -> str:
        """Return what this account is called here. Worked: PA3ABCDEF is `alpaca-PA3ABCDEF`."""
        return account_id_of(BROKER, self.number)

    @property
    def host(self) -> str:
        """Return the address of the REST interface."""
        return HOSTS[self.env]

    @property
    def mode(self) -> str:
        """Return the mode of its orders: `live` with real money, else `paper`."""
        return "live" if self.env == "live" else "paper"

    @property
    def provenance(self) -> str:
        """Return the label of its executions: the paper account simulates them."""
        return "LIVE" if self.env == "live" else "SIMULATED"


def build_seat(env: AlpacaEnv, number: str) -> AlpacaSeat:
    """Return the seat of an account. Raises `PARAM_INVALID` for one that belongs elsewhere.

    Numbers of paper accounts begin with `PA`. A pair that does not fit would send orders of one
    kind to an account of the other.
    """
    rule = ""
    if not _NUMBER.fullmatch(number):
        rule = "must be an account number: capital letters and digits"
    elif number.startswith(_PAPER) != (env == "paper"):
        other = "live" if env == "paper" else "paper"
        rule = f"is a {other} account, and ALPACA_ENV is {env}"
    if rule:
        raise refuse(
            "PARAM_INVALID",
            field="alpaca_account_id",
            name="ALPACA_ACCOUNT_ID",
            value=number[:20],
            rule=rule,
        )
    return AlpacaSeat(env, number)
