"""Price alerts: when one fires, and only once."""
