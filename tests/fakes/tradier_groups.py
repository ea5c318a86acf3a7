"""A group as Tradier's house keeps it: legs that wake, exclude and end each other.

`follow(row)` is called after anything happened to a group or one of its legs. What the house tells
of its legs can be broken on purpose, by `LEGS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
ENDED = ("filled", "canceled", "expired", "rejected")
LEGS = ("all", "none", "entry", "exits", "in_row")
"""What a listing tells: the legs, none, a single one, only the exits, or the entry in the row."""
_LEG = re.compile(r"(\w+)\[(\d)\]")


def build_group(row: Row, form: dict[str, str], build: Callable[[int, dict[str, str]], Row]) -> Row:
    """Return the row with its legs, when the form has any: it then names nothing but the group."""
    legs: dict[int, dict[str, str]] = {}
    for name, value in form.items():
        found = _LEG.fullmatch(name)
        if found:
            legs.setdefault(int(found[2]), {})[found[1]] = value
    if not legs:
        return row
    shared = {key: form[key] for key in ("symbol", "duration") if key in form}
    made = []
    for index, leg in sorted(legs.items()):
        one = build(row["id"] * 10 + index, {**shared, **leg})
        asleep = index > 0 and form["class"] in ("oto", "otoco")
        made.append({**one, "class": "equity", "status": "pending" if asleep else "open"})
    return row | {"num_legs": len(made), "strategy": form["class"], "leg": made}


def entry_and_exits(row: Row) -> tuple[Row | None, list[Row]]:
    if row["class"] in ("oto", "otoco"):
        return row["leg"][0], row["leg"][1:]
    return None, row["leg"]


def follow(row: Row, *, slow: bool = False) -> None:
    """Wake the exits of a filled entry, end what it leaves behind, let one exit end the other.

    With `slow` the house is late to end the other exit.
    """
    if row.get("class") not in ("oto", "oco", "otoco"):
        return
    entry, exits = entry_and_exits(row)
    if entry is not None and entry["status"] in ENDED:
        short = entry["status"] != "filled"
        for one in exits:
            if one["status"] == "pending":
                one["status"] = "canceled" if short else "open"
    traded = [one for one in exits if Decimal(one["exec_quantity"]) > 0]
    for one in exits:
        if traded and one not in traded and one["status"] not in ENDED and not slow:
            one["status"] = "canceled"
    if all(one["status"] in ENDED for one in row["leg"]) and row["status"] not in ENDED:
        row["status"] = "filled" if traded or not exits else (entry or exits[0])["status"]
        if entry is not None and entry["status"] == "filled" and not traded:
            row["status"] = exits[0]["status"]


def end_group(row: Row, status: str) -> None:
    """End every leg that still stands."""
    for leg in row.get("leg", []):
        leg["status"] = leg["status"] if leg["status"] in ENDED else status


def legs_told(row: Row, legs: str) -> Row:
    """Return the row as a listing tells it."""
    if "leg" not in row or legs == "all":
        return row
    entry, exits = entry_and_exits(row)
    if legs == "in_row" and entry is not None:
        own = {key: value for key, value in entry.items() if key not in ("id", "class", "status")}
        return {**row, **own, "leg": exits}
    left = {"none": [], "entry": row["leg"][:1], "exits": exits}[legs]
    bare = {key: value for key, value in row.items() if key != "leg"}
    return bare | ({"leg": left[0] if len(left) == 1 else left} if left else {})


def tags_told(row: Row, tags: str) -> Row:
    """Return a group's row with its tag on the `row`, on the `legs` only, or on `none`."""
    if "leg" not in row or tags == "row":
        return row
    bare = {key: value for key, value in row.items() if key != "tag"}
    legs = row["leg"] if isinstance(row["leg"], list) else [row["leg"]]
    if tags == "legs" and "tag" in row:
        return bare | {"leg": [{**leg, "tag": row["tag"]} for leg in legs]}
    return bare
