"""Holds the generated session tables of the exchanges, one text file each."""
