"""The orders of a fake Alpaca: rows in its own words, groups with legs, changes as new orders."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.kit.clock import Clock

Row = dict[str, Any]
Fault = tuple[int, bytes]
ENDED = ("filled", "canceled", "expired", "rejected", "replaced")
_CENT = Decimal("0.01")


def _fault(status: int, number: int, message: str) -> Fault:
    return status, json.dumps({"code": number, "message": message}).encode()


@dataclass
class Booked:
    """One order; a leg names its group, and one that lags is hidden from so many looks first."""

    row: Row
    legs: list[str] = field(default_factory=list)
    parent: str = ""
    hidden: int = 0


class Book:
    """Keeps the orders. The house holds its lock around every call."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.orders: dict[str, Booked] = {}
        self.by_name: dict[str, Booked] = {}

    # What may not be booked.

    def find_fault(self, document: Row) -> Fault | None:
        """Return why an order is refused, in the broker's own numbers, or None."""
        name = document.get("client_order_id", "")
        if name in self.by_name:
            return _fault(422, 40010001, "client_order_id must be unique")
        if len(name) > 48:
            return _fault(422, 40010001, "client_order_id must be no more than 48 characters")
        if not isinstance(document.get("qty"), str) or Decimal(document["qty"]) <= 0:
            return _fault(422, 40010001, "qty must be > 0")
        return self._price_fault(document) or self._group_fault(document)

    def _price_fault(self, document: Row) -> Fault | None:
        kind = document["type"]
        grouped = document.get("order_class") == "oco"
        wants_limit = kind in ("limit", "stop_limit") and not grouped
        if wants_limit != ("limit_price" in document):
            return _fault(422, 40010001, f"{kind} orders and limit_price do not fit")
        if (kind in ("stop", "stop_limit")) != ("stop_price" in document):
            return _fault(422, 40010001, f"{kind} orders and stop_price do not fit")
        for key in ("limit_price", "stop_price"):
            price = Decimal(document.get(key, "1"))
            if price >= 1 and price % _CENT:
                return _fault(422, 42210000, f"invalid {key} {price}. sub-penny increment")
        return None

    def _group_fault(self, document: Row) -> Fault | None:
        named = document.get("order_class", "simple")
        exits = [key for key in ("take_profit", "stop_loss") if key in document]
        due = {"simple": (0,), "oto": (1,), "bracket": (2,), "oco": (2,)}[named]
        if len(exits) not in due:
            return _fault(422, 42210000, f"{named} orders require other exits")
        if named == "oco" and document["type"] != "limit":
            return _fault(422, 42210000, "oco orders must be limit orders")
        if named == "simple" or document["time_in_force"] in ("day", "gtc"):
            return None
        return _fault(422, 42210000, f"{named} orders must be DAY or GTC orders")

    def find_change_fault(self, found: Booked | None, change: Row | None) -> Fault | None:
        """Return why a cancel (`change` is None) or a change is refused, or None."""
        if found is None:
            return _fault(404, 40410000, "order not found")
        status = found.row["status"]
        if status in ENDED:
            if change is None:
                return _fault(422, 42210000, f'order is already in "{status}" state')
            return _fault(422, 42210000, "unable to replace order, order is not open")
        if change is None:
            return None
        if status in ("accepted", "pending_new", "pending_cancel", "pending_replace"):
            return _fault(
                422, 42210000, "unable to replace order, order isn't sent to exchange yet"
            )
        if change.get("client_order_id", "") in self.by_name:
            return _fault(422, 40010001, "client_order_id must be unique")
        wrong = "stop_price" if found.row["type"] == "limit" else ""
        if wrong in change:
            return _fault(422, 42210000, f"{found.row['type']} orders must not have {wrong}")
        return None

    # What happens to orders.

    def add(self, document: Row, *, hidden: int = 0) -> Booked:
        """Book an order, with the legs of its group."""
        made = self._keep(self._row(document), hidden=hidden)
        named = document.get("order_class", "simple")
        row = made.row
        if named == "oco":
            row["limit_price"] = document["take_profit"]["limit_price"]
        sells = {**document, "side": "sell", "type": "limit", "order_class": named}
        for key in ("client_order_id", "limit_price", "stop_price"):
            sells.pop(key, None)
        if "take_profit" in document and named != "oco":
            self._leg(made, {**sells, **document["take_profit"]})
        if "stop_loss" in document:
            self._leg(made, {**sells, **document["stop_loss"], "type": "stop"})
        return made

    def _leg(self, group: Booked, document: Row) -> None:
        leg = self._keep(self._row(document))
        leg.parent, leg.row["status"] = group.row["id"], "held"
        group.legs.append(leg.row["id"])

    def _keep(self, row: Row, *, hidden: int = 0) -> Booked:
        made = Booked(row, hidden=hidden)
        self.orders[row["id"]] = self.by_name[row["client_order_id"]] = made
        return made

    def _row(self, document: Row) -> Row:
        number = len(self.orders) + 1
        known = f"{number:08d}-8549-4bfd-b9c3-01e75843f47d"
        stamp = self.stamp()
        return {
            "id": known,
            "client_order_id": document.get("client_order_id", f"broker-{number}"),
            "created_at": stamp,
            "updated_at": stamp,
            "submitted_at": stamp,
            "replaced_by": None,
            "replaces": None,
            "symbol": document["symbol"],
            "asset_class": "us_equity",
            "notional": None,
            "qty": document["qty"],
            "filled_qty": "0",
            "filled_avg_price": None,
            "order_class": document.get("order_class", "simple"),
            "order_type": document["type"],
            "type": document["type"],
            "side": document["side"],
            "time_in_force": document["time_in_force"],
            "limit_price": document.get("limit_price"),
            "stop_price": document.get("stop_price"),
            "status": "new",
            "extended_hours": False,
            "legs": None,
        }

    def fill(self, row: Row, more: Decimal, price: Decimal) -> None:
        """Execute part of an order; what it wakes wakes, what it excludes ends."""
        done = Decimal(row["filled_qty"])
        spent = done * Decimal(row["filled_avg_price"] or 0) + more * price
        total = done + more
        row |= {
            "filled_qty": str(total),
            "filled_avg_price": str(spent / total),
            "updated_at": self.stamp(),
        }
        if row["status"] not in ENDED:
            row["status"] = "partially_filled"
        if total >= Decimal(row["qty"]):
            row["status"] = "filled"
        self._follow(row)

    def end(self, row: Row, status: str, *, reason: str = "") -> None:
        """End an order, and what goes with it."""
        row |= {"status": status, "updated_at": self.stamp()}
        if reason:
            row["reject_reason"] = reason
        self._follow(row)

    def change(self, found: Booked, document: Row) -> Booked:
        """Make a new order of a change, over the whole quantity, which nothing has filled yet."""
        old = found.row
        kept = {key: old[key] for key in ("symbol", "qty", "side", "type", "time_in_force")}
        prices = {key: old[key] for key in ("limit_price", "stop_price") if old[key] is not None}
        made = self._keep(
            self._row({**kept, **prices, "order_class": old["order_class"], **document})
        )
        made.row["replaces"], made.parent, made.legs = old["id"], found.parent, found.legs
        for leg in found.legs:
            self.orders[leg].parent = made.row["id"]
        old |= {"status": "replaced", "replaced_by": made.row["id"], "updated_at": self.stamp()}
        return made

    def legs_of(self, row: Row) -> list[Row]:
        """Return the legs of a group, the target first."""
        return [self.orders[one].row for one in self.orders[row["id"]].legs]

    def _follow(self, row: Row) -> None:
        """Wake the exits of a filled entry, and end what is left when one side has traded."""
        found = self.orders[row["id"]]
        parent = found.parent or row["id"]
        legs = [one.row for one in self.orders.values() if one.parent == parent]
        if row["id"] == parent and row["order_class"] in ("oto", "bracket"):
            if row["status"] == "filled":
                for leg in legs:
                    woken = leg["status"] == "held" and (leg["type"] == "limit" or len(legs) == 1)
                    leg["status"] = "new" if woken else leg["status"]
            elif row["status"] in ENDED and row["status"] != "replaced":
                self._end_all(legs)
            return
        group = self.orders[parent].row
        sides = [*legs, *([group] if group["order_class"] == "oco" else [])]
        over = row["status"] in ENDED and row["status"] != "replaced"
        if over or Decimal(row["filled_qty"]) > 0:
            self._end_all([one for one in sides if one is not row])

    def _end_all(self, rows: list[Row]) -> None:
        for one in rows:
            if one["status"] not in ENDED:
                one |= {"status": "canceled", "updated_at": self.stamp()}

    def working(self) -> list[Row]:
        """Return the orders that the market can reach, also a stop that its exit's side holds."""
        found = []
        for one in self.orders.values():
            row, group = one.row, self.orders.get(one.parent)
            held = row["status"] == "held" and group is not None and self._armed(group.row)
            if row["status"] in ("new", "partially_filled") or held:
                found.append(row)
        return found

    def _armed(self, group: Row) -> bool:
        return group["status"] == "filled" or group["order_class"] == "oco"

    # What is shown.

    def listing(self, after: str = "", until: str = "~") -> list[Booked]:
        """Return orders between two instants that may be seen, newest first; legs are inside."""
        found = []
        for one in self.orders.values():
            if one.hidden > 0:
                one.hidden -= 1
            elif not one.parent and after < one.row["submitted_at"] < until:
                found.append(one)
        return found[::-1]

    def see(self, name: str) -> Booked | None:
        """Return the order of a client id when it may be seen."""
        found = self.by_name.get(name)
        if found is None or found.hidden > 0:
            return None
        return found

    def shown(self, one: Booked, *, nested: bool) -> Row:
        """Return a row as it is told; its legs only when they are asked for."""
        legs = [dict(self.orders[leg].row) for leg in one.legs] if nested and one.legs else None
        return {**one.row, "legs": legs}

    def stamp(self) -> str:
        """Return the time as the broker writes it."""
        return self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
