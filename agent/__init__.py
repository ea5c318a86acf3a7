"""The coach: reads the conversation, chooses tools, speaks; the only place that talks to a language model."""
