"""What the coach can do: one small typed file per tool."""
