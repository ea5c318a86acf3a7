"""Owns which Tradier account orders go to: one enum decides host, numbers, mode and labels."""

from __future__ import annotations

import re
from dataclasses import dataclass

from services.kit.errors import refuse
from services.ledger.portfolio import account_id_of
from services.market.tradier_link import HOSTS, TradierEnv

BROKER = "tradier"
_NUMBER = re.compile(r"[A-Z0-9]{4,16}", re.ASCII)
_SANDBOX = "VA"
TRADABLE: dict[TradierEnv, tuple[str, ...]] = {
    "sandbox": ("LIVE", "DELAYED"),
    "production": ("LIVE",),
}
"""Provenance of the prices that an order may have been decided on; replay and simulation never."""


@dataclass(frozen=True, slots=True)
class TradierSeat:
    """One account: `env` names the host it is asked at, and whether its money is real."""

    env: TradierEnv
    number: str

    @property
    def account_id(self) -> str:
        """Return what this account is called here. Worked: VA000001 is `tradier-VA000001`."""
        return account_id_of(BROKER, self.number)

    @property
    def host(self) -> str:
        """Return the address of the REST interface."""
        return HOSTS[self.env]

    @property
    def mode(self) -> str:
        """Return the mode of its orders: `live` with real money, else `paper`."""
        return "live" if self.env == "production" else "paper"

    @property
    def provenance(self) -> str:
        """Return the label of its executions: the sandbox simulates them on delayed prices."""
        return "LIVE" if self.env == "production" else "SIMULATED"

    @property
    def path(self) -> str:
        """Return the path of the account."""
        return f"/v1/accounts/{self.number}"


def build_seat(env: TradierEnv, number: str) -> TradierSeat:
    """Return the seat of an account. Raises `PARAM_INVALID` for one that belongs elsewhere.

    Numbers of the sandbox begin with `VA`, those of production do not; a pair that does not fit
    would send orders of one kind to an account of the other.
    """
    rule = ""
    if not _NUMBER.fullmatch(number):
        rule = "must be an account number: capital letters and digits"
    elif number.startswith(_SANDBOX) != (env == "sandbox"):
        other = "production" if env == "sandbox" else "sandbox"
        rule = f"is a {other} account, and TRADIER_ENV is {env}"
    if rule:
        raise refuse(
            "PARAM_INVALID",
            field="tradier_account_id",
            name="TRADIER_ACCOUNT_ID",
            value=number[:20],
            rule=rule,
        )
    return TradierSeat(env, number)
