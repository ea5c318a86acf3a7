"""Plans and sizes: pure rules."""
