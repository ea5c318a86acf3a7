"""Holds the bundled daily history; see `PROVENANCE.md` beside it."""
