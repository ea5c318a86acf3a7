"""The append-only book, its snapshots, and what is read from them."""
