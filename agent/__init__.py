"""The coach: reads, chooses tools, speaks; the only place that talks to a language model."""
