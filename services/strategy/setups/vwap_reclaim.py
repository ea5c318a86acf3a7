"""Owns `vwap_reclaim`: a close back above VWAP after half an hour below, with the trend."""

from __future__ import annotations

from services.market.session import Session
from services.strategy.scene import Scene
from services.strategy.setup import Found, Lapse


def detect(scene: Scene, session: Session) -> Found | None:  # noqa: ARG001 - every rule's shape
    """Return the reclaim of the newest bar, or None.

    At least 6 of the 12 closes before lie below the session's VWAP, the last one at or below it,
    this one above with 1.3 times the usual volume, and the day's trend is not against it.
    """
    bars, limits = scene.bars, scene.policy.vwap_reclaim
    close, vwap = bars.close(), bars.read.vwap()
    if close is None or vwap is None or close <= vwap:
        return None
    reach = bars.read.bars_of_session() - 1
    if reach < 1 or _is_above(scene, 1):
        return None
    below = sum(_is_below(scene, ago) for ago in range(1, min(reach, limits.window) + 1))
    own, sigma, trend = bars.read.rvol_bar(), bars.read.sigma(), scene.trend("1d")
    if below < limits.below or own is None or own < limits.rvol_bar:
        return None
    if sigma is None or trend is None or trend < 0:
        return None
    structure = bars.lowest(_since_above(scene, reach))
    if structure is None:
        return None
    return Found(
        entry_kind="limit",
        lo=vwap,
        hi=close,
        structure=structure,
        gives_up=vwap - float(limits.give_sigma) * sigma,
        why="VWAP is lost again",
        lapse=Lapse(unit="session"),
        features={"below": float(below), "rvol_bar": own, "trend_1d": trend},
    )


def _since_above(scene: Scene, reach: int) -> int:
    """Return how many bars there are since the last close above VWAP, this one included."""
    most = min(reach, scene.policy.vwap_reclaim.lookback - 1)
    for ago in range(1, most + 1):
        if _is_above(scene, ago):
            return ago
    return most + 1


def _is_below(scene: Scene, ago: int) -> bool:
    close, vwap = scene.bars.close(ago), scene.bars.read.vwap(ago)
    return close is not None and vwap is not None and close < vwap


def _is_above(scene: Scene, ago: int) -> bool:
    close, vwap = scene.bars.close(ago), scene.bars.read.vwap(ago)
    return close is not None and vwap is not None and close > vwap
