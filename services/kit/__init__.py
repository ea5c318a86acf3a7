"""Domain-free parts: errors, money, clock, ids, canonical form, settings, database."""
