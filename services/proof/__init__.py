"""The invariants one by one: each file reads the rows of one room and names what can not be."""
