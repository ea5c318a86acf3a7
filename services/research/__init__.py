"""Backtests, calibration and how past suggestions ended."""
