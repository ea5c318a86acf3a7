"""What is true: deterministic rules, books and adapters."""
