"""Benchmarks: the product beside its peers, as ratios in one run."""
