"""The mutation of the confirm gate: each small change of its code must fail a test."""
