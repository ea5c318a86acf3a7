"""From a proposal over a person's confirmation to a fill."""
