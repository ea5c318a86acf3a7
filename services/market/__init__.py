"""Instruments, sessions, quotes, bars and the feeds that bring them."""
