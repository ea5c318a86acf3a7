"""The simulator: the real services under seeded faults, judged by an independent auditor."""
