"""Programs of the peers; they run in an environment of their own."""
