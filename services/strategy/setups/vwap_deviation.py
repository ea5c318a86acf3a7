"""Owns `vwap_deviation`: a stretched price that turns back to VWAP in a market without a trend."""

from __future__ import annotations

from services.market.session import Session
from services.strategy.scene import Scene
from services.strategy.setup import Found, Lapse


def detect(scene: Scene, session: Session) -> Found | None:
    """Return the turn of the newest bar, or None.

    ADX of 15 minutes below 20; the close is two sigma below VWAP, RSI below 30 and above the close
    before; not in the first or last half hour. The target is VWAP.
    """
    bars, limits = scene.bars, scene.policy.vwap_deviation
    close, before, rsi = bars.close(), bars.close(1), bars.read.rsi()
    if close is None or before is None or rsi is None or close <= before or rsi >= limits.rsi:
        return None
    calm = scene.views.get("15m")
    adx = calm.read.adx() if calm else None
    edge = limits.edge_minutes
    outside = scene.minutes_in(session) < edge or scene.minutes_left(session) < edge
    if adx is None or adx >= limits.adx_max or outside:
        return None
    vwap, sigma, atr = bars.read.vwap(), bars.read.sigma(), bars.read.atr()
    structure = bars.lowest(limits.lookback)
    if vwap is None or sigma is None or atr is None or structure is None:
        return None
    if close > vwap - float(limits.sigmas) * sigma:
        return None
    return Found(
        entry_kind="limit",
        lo=close,
        hi=close,
        structure=structure - float(limits.structure_atr) * atr,
        gives_up=vwap - float(limits.give_sigmas) * sigma,
        why="the stretch goes on",
        lapse=Lapse(unit="session"),
        target=vwap,
        features={"adx_15m": adx, "rsi": rsi, "sigmas": (vwap - close) / sigma},
    )
