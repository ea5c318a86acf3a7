"""How good a setup is: the confluence of its signals and the confidence in it."""
