"""The doors, and the one file that builds objects."""
