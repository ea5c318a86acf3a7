"""The model port, its wire format and its adapters."""
