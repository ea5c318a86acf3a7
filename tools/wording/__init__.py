"""How results are put: figures as text on the wire, and sentences that people read."""
