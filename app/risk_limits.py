"""Owns the risk limits that the settings give: they become part of the policy."""

from __future__ import annotations

from dataclasses import replace

from services.kit.policy import DEFAULT_POLICY, Policy
from services.kit.settings import Settings


def build_policy(settings: Settings) -> Policy:
    """Return the policy with the risk limits of the settings; its hash tells another one apart."""
    risk = replace(
        DEFAULT_POLICY.risk,
        day_loss=settings.risk_day_loss,
        week_loss=settings.risk_week_loss,
        open_risk=settings.risk_open_risk,
        peak_drawdown=settings.risk_peak_drawdown,
        max_positions=settings.risk_max_positions,
        max_trades_day=settings.risk_max_trades_day,
        loss_streak=settings.risk_loss_streak,
        cooldown_min=settings.risk_cooldown_min,
    )
    return DEFAULT_POLICY if risk == DEFAULT_POLICY.risk else replace(DEFAULT_POLICY, risk=risk)
